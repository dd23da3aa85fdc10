"""How long a simulated world may go on before it counts as stuck."""

from __future__ import annotations

from dataclasses import dataclass

from asyncflow.errors import UsageError

YEAR = 365 * 86_400.0
"""A year of virtual seconds."""

MOST_STEPS = 10_000_000
"""Callbacks: several seconds of work for the machine that simulates."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What no healthy world reaches.

    Args:
        seconds: of virtual time.
        steps: callbacks in total.
        standstill: callbacks in a row while the clock does not move.

    Raises:
        UsageError: when one of them is not above zero.
    """

    seconds: float = YEAR
    steps: int = MOST_STEPS
    standstill: int = 1_000_000

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise UsageError(
                    f"{name}={getattr(self, name)!r} must be above 0; leave it out for the default"
                )


LAST_WORDS = Limits(seconds=3_600.0, steps=200_000, standstill=100_000)
"""What cancelled tasks have for their clean-up when the program has ended."""
