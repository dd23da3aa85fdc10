"""Which of the fires that are due are run: decided by the missed-fire rule alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from asyncflow.schedules import Fire
from asyncflow.schedules.rules import Rules

ON_TIME = timedelta(minutes=1)
"""How late a fire may be noticed without being missed: programs stall, and computers doze, for a moment."""


class Moments:
    """A schedule's fires, those of one instant together, looked at one step ahead.

    Args:
        fires: the fires in order.
    """

    def __init__(self, fires: Iterator[Fire]) -> None:
        self._fires = fires
        self._ahead = next(fires, None)

    @property
    def next_at(self) -> datetime | None:
        """When the next fire is due, in its clock's time zone; None when there is none any more."""
        return None if self._ahead is None else self._ahead.at

    def take(self) -> list[Fire]:
        """Return the fires of the next instant; there must be one."""
        assert self._ahead is not None
        together = [self._ahead]
        while (fire := next(self._fires, None)) is not None and fire.instant == together[0].instant:
            together.append(fire)
        self._ahead = fire
        return together


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done with the fires that are due.

    Attributes:
        run: those to be run, the ones of one instant together, in order.
        missed: how many instants are left out.
        until: the newest instant that is due, in its clock's time zone.
    """

    run: tuple[list[Fire], ...]
    missed: int
    until: datetime


def take_due(moments: Moments, now: datetime, rules: Rules) -> Due:
    """Take the next fires and all others that are due, and return which of them are run.

    A fire is missed when the next one is due as well, or when it is noticed more than a minute late.

    Args:
        moments: the fires; those that are taken are gone.
        now: the instant of asking.
        rules: whether missed fires are run; of all of them the newest, so many as may wait.
    """
    newest = deque([moments.take()], maxlen=rules.queue if rules.missed == "all" else 1)
    count = 1
    while moments.next_at is not None and moments.next_at.timestamp() <= now.timestamp():
        newest.append(moments.take())
        count += 1
    last = newest[-1][0]
    is_missed = now - last.instant > ON_TIME
    run = () if is_missed and rules.missed == "skip" else tuple(newest)
    return Due(run, count - len(run), last.at)
