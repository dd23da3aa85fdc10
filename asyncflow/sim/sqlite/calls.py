"""The functions that aiosqlite wants to have called: what can be told of them, and how to repeat them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from asyncflow.sim.sqlite.statements import read_statement

STOP = "close_and_stop"
"""aiosqlite's name for what is behind `stop`."""

_KINDS = {
    **dict.fromkeys(("fetchone", "fetchmany", "fetchall"), "read"),
    "dumper": "read",  # aiosqlite's name for what is behind iterdump
    "backup": "read",
    "commit": "commit",
    "close": "close",
}
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Call(NamedTuple):
    """What can be told of a function before it is called.

    Attributes:
        kind: as in `Operation`.
        words: as in `Operation`.
        sql: as in `Operation`.
        table: as in `Operation`.
        settings: the settings that its SQL mentions.
    """

    kind: str
    words: str
    sql: str | None = None
    table: str | None = None
    settings: tuple[str, ...] = ()


def read_call(function: Callable[[], Any]) -> Call:
    """Return what can be told of a function."""
    if not isinstance(function, partial):
        return Call("close", "stop") if is_stop(function) else Call("open", "open")
    name = getattr(function.func, "__name__", "call")
    if "execute" in name and isinstance(function.args[0], str):
        sql = function.args[0]
        kind, words, table, settings = read_statement(sql)
        return Call("write" if name == "executescript" else kind, words or name, sql, table, settings)
    if name == "close" and isinstance(getattr(function.func, "__self__", None), sqlite3.Cursor):
        return Call("other", "close cursor")
    return Call(_KINDS.get(name, "other"), name)


def is_stop(function: Callable[[], Any]) -> bool:
    """Whether the function is the one behind `stop`: it closes the connection if that is still open."""
    return getattr(function, "__name__", None) == STOP


def repeatable(function: Callable[[], Any]) -> Callable[[], Any]:
    """Return the function such that it can be called again after SQLite said that the database is busy."""
    if isinstance(function, partial):
        name = getattr(function.func, "__name__", None)
        if name == "executemany":
            sql, rows = function.args
            return partial(function.func, sql, _Rows(rows))
        if name == "backup":
            told = function.keywords.get("progress")
            return partial(function, progress=partial(_unless_busy, told))
    return function


class _Rows:
    """Rows that an iterator gives only once, from the first one on however often they are asked for."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._given: list[Any] = []
        self._coming = iter(rows)

    def __iter__(self) -> Iterator[Any]:
        yield from tuple(self._given)
        for row in self._coming:
            self._given.append(row)
            yield row


def _unless_busy(
    told: Callable[[int, int, int], object] | None, status: int, remaining: int, total: int
) -> None:
    """Tell of a backup's progress, and end it where it would sleep until a lock is free."""
    if told is not None:
        told(status, remaining, total)
    if status in _BUSY:
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = status
        error.sqlite_errorname = "SQLITE_BUSY"
        raise error
