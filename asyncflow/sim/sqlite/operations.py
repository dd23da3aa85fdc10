"""What is done to a database, one value per operation, and the hook that may interfere with each."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

_OUTSIDE = re.compile(r"file:(?://[^/]*)?|[?#].*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on a database.

    Attributes:
        number: counts the operations of one world from 1.
        kind: `open`, `read`, `write`, `commit`, `close` or `other`.
        database: the file's name without its folder, or `:memory:`.
        connection: counts the connections of one world from 1.
        words: how its SQL begins, without values; for a call without SQL, the method's name.
        sql: the whole text, None for a call without SQL.
        table: the table it reads or writes first, None where it can't be told.
    """

    number: int
    kind: str
    database: str
    connection: int
    words: str
    sql: str | None = None
    table: str | None = None


class Hook(Protocol):
    """Stands around every operation of a world's aiosqlite connections."""

    def before(self, operation: Operation) -> BaseException | None:
        """Return an error to raise instead of doing it, or None to go on."""

    def after(self, operation: Operation) -> BaseException | None:
        """Return an error to raise although it took effect, or None to go on."""


def asked_database(connector: Callable[[], Any]) -> str:
    """Return the name of the database that aiosqlite's function for connecting is going to open."""
    names = getattr(getattr(connector, "__code__", None), "co_freevars", ())
    cells = getattr(connector, "__closure__", None) or ()
    known = {name: cell.cell_contents for name, cell in zip(names, cells, strict=True)}
    return database_name(known["database"]) if "database" in known else "?"


def database_name(database: Any) -> str:
    """Return a database's name without its folder, in whatever form it was given."""
    text = os.fsdecode(database) if isinstance(database, bytes | os.PathLike) else str(database)
    if text.startswith("file:"):
        text = _OUTSIDE.sub("", text)
    return re.split(r"[/\\]", text)[-1] or ":temporary:"
