"""Notices in virtual time that a body blocks the event loop: it sleeps on the loop's own thread.

What the sleeps of one turn add up to is told in the next, as in the real world, where the loop is heard of
again when it turns. A body that computes takes no virtual time, and can't be noticed here.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from asyncflow.handles import scope
from asyncflow.places import step_of

Told = Callable[[Any, float, tuple[str, list[str]]], None]
"""Called with the scope of what blocked, the seconds, and where it stood, as `places.step_of` has it."""


class _Blocking:
    """One body that has kept the loop from turning, in one turn: what it is of, how long, and where."""

    def __init__(self, turn: int, found: object) -> None:
        self.turn = turn
        self.found = found
        self.seconds = 0.0
        self.place: tuple[str, list[str]] | None = None


class Watchdog:
    """What stands in for the engine's watchdog."""

    def __init__(self) -> None:
        self._after = 0.0
        self._told: Told | None = None
        self._last = _Blocking(-1, None)
        self._untold: list[_Blocking] = []

    def watch(self, after: float, told: Told) -> None:
        """Tell of everything that blocks the loop for so many seconds.

        Args:
            after: that many count as blocked; 0 switches it off.
            told: whom to tell.
        """
        self._after, self._told = after, told

    def unwatch(self) -> None:
        """Tell now what would be told in the next turn: the run ends in this one."""
        self._tell()

    def slept(self, seconds: float) -> None:
        """Take a sleep on the loop's thread."""
        loop = asyncio.get_running_loop()
        turn, found = getattr(loop, "steps", 0), scope.get()
        if self._last.turn != turn or self._last.found is not found:
            self._last = _Blocking(turn, found)
        self._last.seconds += seconds
        if self._last.place is None and self._after and self._last.seconds >= self._after:
            self._last.place = step_of(sys._getframe(1))
            self._untold.append(self._last)
            loop.call_soon(self._tell)

    def _tell(self) -> None:
        untold, self._untold = self._untold, []
        for one in untold:
            if self._told is not None and one.place is not None:
                self._told(one.found, one.seconds, one.place)
