"""SQLite's own clock and chance, led to the world: functions of the same names stand in for SQLite's."""

from __future__ import annotations

import sqlite3
import time
import weakref
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from asyncflow.sim.clock import Clock

_PARAMETERS = {"date": 0, "time": 0, "datetime": 0, "julianday": 0, "strftime": 1}
if sqlite3.sqlite_version_info >= (3, 38):
    _PARAMETERS["unixepoch"] = 0

_PRESENT = {"current_timestamp": "datetime", "current_date": "date", "current_time": "time"}

_FRACTIONS = ("subsec", "subsecond")


class SQLiteSenses:
    """What a SQLite connection asks for the time and for chance, in one world.

    Dates are still reckoned by SQLite, in a connection aside; only `now` is put in before it sees them.

    Args:
        clock: the world's clock.
        chance: draws `random()` and `randomblob()`.
        connect: makes the connection aside.
    """

    def __init__(self, clock: Clock, chance: Random, connect: Callable[..., sqlite3.Connection]) -> None:
        self._clock = clock
        self._chance = chance
        self._connect = connect
        self._aside: sqlite3.Connection | None = None

    def give_to(self, connection: sqlite3.Connection) -> None:
        """Lead a connection's time and chance to the world, for good."""
        # Deterministic where SQLite says so of its own: else they would be refused in indices and columns.
        for name, place in _PARAMETERS.items():
            connection.create_function(name, -1, partial(self._reckon, name, place), deterministic=True)
        for name, function in _PRESENT.items():
            connection.create_function(name, 0, partial(self._reckon, function, 0))
        if sqlite3.sqlite_version_info >= (3, 43):
            connection.create_function("timediff", 2, self._timediff, deterministic=True)
        connection.create_function("random", 0, self._random)
        connection.create_function("randomblob", 1, self._randomblob)

    def _reckon(self, name: str, place: int, *arguments: Any) -> Any:
        """Call SQLite's own function of that name; the time is its argument at `place`, now if missing."""
        before, moment, modifiers = arguments[:place], arguments[place : place + 1], arguments[place + 1 :]
        if len(before) < place:
            return None  # strftime() without a format
        if not moment:
            moment = (self._now(),)
        elif isinstance(moment[0], str):
            moment = self._moment(moment[0])
        return self._ask(name, *before, *moment, *modifiers)

    def _timediff(self, *moments: Any) -> Any:
        return self._ask("timediff", *(self._moment(m)[0] if isinstance(m, str) else m for m in moments))

    def _moment(self, text: str) -> tuple[str, ...]:
        word = text.lower()
        if word == "now":
            return (self._now(),)
        if word in _FRACTIONS and sqlite3.sqlite_version_info >= (3, 42):
            return (self._now(), text)
        return (text,)

    def _now(self) -> str:
        milliseconds = round(self._clock.wall() * 1e6) // 1000
        seconds, rest = divmod(milliseconds, 1000)
        return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(seconds))}.{rest:03d}"

    def _ask(self, name: str, *arguments: Any) -> Any:
        if self._aside is None:
            self._aside = self._connect(":memory:", check_same_thread=False)
            weakref.finalize(self, self._aside.close)
        places = ", ".join("?" * len(arguments))
        return self._aside.execute(f"SELECT {name}({places})", arguments).fetchone()[0]

    def _random(self) -> int:
        return self._chance.getrandbits(64) - (1 << 63)

    def _randomblob(self, size: Any) -> bytes:
        return self._chance.randbytes(max(size, 1) if isinstance(size, int) else 1)
