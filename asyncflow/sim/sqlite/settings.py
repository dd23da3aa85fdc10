"""How a SQLite connection waits and syncs: what it was told, and what it does in a simulated world."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress

_WAITING = "busy_timeout"  # in milliseconds
_SYNCING = "synchronous"

with closing(sqlite3.connect(":memory:")) as _fresh:
    _SYNCING_AT_FIRST: int = _fresh.execute(f"PRAGMA {_SYNCING}").fetchone()[0]
"""What a new connection does, which was decided when SQLite was compiled."""


class Settings:
    """Keeps one connection from waiting and from syncing, and knows what it was told to do.

    SQLite waits for a lock by sleeping; the world stands still meanwhile, and with it whoever holds the lock.
    Syncing takes long and is of no use where a simulated crash is a copy of the files.

    Args:
        connection: one that has just been made.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._told = {_WAITING: 0, _SYNCING: _SYNCING_AT_FIRST}
        with suppress(sqlite3.Error):
            self._told[_WAITING] = self._ask(f"PRAGMA {_WAITING}")[0][0]
        self._set("main", _SYNCING, 0)  # nothing else is attached yet
        self._set("main", _WAITING, 0)

    @property
    def wait(self) -> float:
        """The seconds that the connection was told to wait for a lock."""
        return self._told[_WAITING] / 1000

    @contextmanager
    def in_force(self, names: Iterable[str]) -> Iterator[None]:
        """Let a statement inside the `with` block find the settings as they were told, and change them.

        Args:
            names: the settings that it mentions; other words are allowed.
        """
        mentioned = [name for name in self._told if name in names]
        for name in mentioned:
            self._set("main", name, self._told[name])
        try:
            yield
        finally:
            self._take_over(mentioned)

    def _take_over(self, names: Iterable[str]) -> None:
        # A file that is locked or no database answers with an error, to the user's next statement as well.
        with suppress(sqlite3.Error):
            for name in names:
                self._told[name] = self._ask(f"PRAGMA {name}")[0][0]
            for _, schema, _ in self._ask("PRAGMA database_list"):
                self._set(schema, _SYNCING, 0)
        self._set("main", _WAITING, 0)

    def _set(self, schema: str, name: str, value: int) -> None:
        with suppress(sqlite3.Error):
            self._ask(f'PRAGMA "{schema}".{name} = {value}')

    def _ask(self, statement: str) -> list[tuple[int, str, str]]:
        cursor = sqlite3.Cursor(self._connection)  # has no row factory of the user's
        return cursor.execute(statement).fetchall()
