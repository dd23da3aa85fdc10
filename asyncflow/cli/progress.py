"""How far repeats are, on stderr, once they take long."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from asyncflow import ambient
from asyncflow.cli.endings import tell

_PATIENCE = 1.0
_BETWEEN = 0.2
_BETWEEN_LINES = 10.0


class Progress:
    """Says which repeat is being played: on a line of its own that is redrawn, or now and then in a line.

    Args:
        times: how many there are.
        live: whether stderr can redraw a line.
    """

    def __init__(self, times: int, *, live: bool) -> None:
        self._times = times
        self._live = live
        self._clock = ambient.world().monotonic
        self._next = self._clock() + (_PATIENCE if live else _BETWEEN_LINES)
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def at(self, number: int) -> None:
        """Hear which repeat comes now."""
        now = self._clock()
        if now < self._next:
            return
        text = f"run {number:,} of {self._times:,}"
        self._next = now + (_BETWEEN if self._live else _BETWEEN_LINES)
        if not self._live:
            tell(text)
            return
        self._shown = True
        sys.stderr.write(f"\r{text}")
        sys.stderr.flush()
