"""Holds claims about the rows of an SQLite file against the file, which is only read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from asyncflow.human import plural
from asyncflow.scenario.check import Check, counted, listed
from asyncflow.scenario.format import Rows
from asyncflow.scenario.values import Count, Range, counts

# A statement that can't be run is an Error or, before Python 3.12, a Warning; a name may hold a NUL.
_TROUBLE = (sqlite3.Error, sqlite3.Warning, OSError, ValueError)


class _Claim(NamedTuple):
    """A claim in words, the query that tells, the number that it must give, and of which rows."""

    says: str
    sql: str
    wanted: Count
    such: str = ""


def check_rows(rows: Rows, home: Path) -> Iterator[Check]:
    """Yield a check for each claim about a table, or a single broken one when it can't be read.

    Args:
        rows: the claims.
        home: the folder that the database's path is relative to.
    """
    where = f" where {rows.where}" if rows.where else ""
    place = f"{rows.table} in {rows.database}{where}"
    try:
        for claim in _claims(rows):
            number = _ask(home / rows.database, claim.sql)
            found = f"{plural(number, 'row')}{claim.such}"
            yield Check.of(f"{place} {claim.says}", held=counts(claim.wanted, number), found=found)
    except _TROUBLE as error:
        yield Check(f"{place} can be read", held=False, detail=str(error))


def _claims(rows: Rows) -> Iterator[_Claim]:
    table = _quoted(rows.table)
    # The line end closes a comment that the condition may end with.
    every = f"SELECT count(*) FROM {table} WHERE " + (f"({rows.where}\n)" if rows.where else "1")
    count: Count | None = rows.count
    if rows.min is not None or rows.max is not None:
        count = Range(min=rows.min, max=rows.max)
    if count is not None:
        yield _Claim(f"has {counted(count, 'row')}", every, count)
    for column in listed(rows.null):
        # With the table's name before it: SQLite takes an unknown "name" for a text, which is never NULL.
        sql = f"{every} AND {table}.{_quoted(column)} IS NOT NULL"
        yield _Claim(f"has NULL for {column} in every row", sql, 0, " with a value")
    for column in listed(rows.not_null):
        sql = f"{every} AND {table}.{_quoted(column)} IS NULL"
        yield _Claim(f"has a value for {column} in every row", sql, 0, " without one")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _ask(database: Path, sql: str) -> int:
    """Return the number that a query gives; the file is not made when it is not there."""
    if not database.is_file():
        raise FileNotFoundError(f"no file {database.name}")
    connection = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)
    try:
        number: int = connection.execute(sql).fetchone()[0]
        return number
    finally:
        connection.close()
