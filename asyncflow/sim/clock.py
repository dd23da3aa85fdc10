"""The one clock of a simulated world."""

from __future__ import annotations

EPOCH = 1_700_000_000.0
"""The wall-clock time at which every simulated world begins: 2023-11-14 22:13:20 UTC."""


class Clock:
    """Virtual time, in seconds from 0. Only the loop moves it, and a body that blocks the loop.

    Attributes:
        now: seconds since the beginning of the world.
    """

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Return the seconds since the beginning of the world."""
        return self.now

    def wall(self) -> float:
        """Return the UTC epoch seconds of the world."""
        return EPOCH + self.now
