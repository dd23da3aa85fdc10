"""Adjustments: move what a clock says, after the filters had their say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from asyncflow.schedules.zones import first_instant

__all__ = ["Adjustment", "add", "next_weekday"]


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Moves a fire; two fires must come out in the order in which they went in, or at the same instant.

    Attributes:
        move: returns the new time of a local time, in the same time zone.
        reach: the longest way by which it moves a fire to later; less than zero when it moves all of them to
            earlier. A schedule that is asked for the fires after an instant looks back so far.
    """

    move: Callable[[datetime], datetime]
    reach: timedelta


def add(length: timedelta) -> Adjustment:
    """Return an adjustment that moves each fire by a length of elapsed time."""
    return Adjustment(lambda at: (at.astimezone(UTC) + length).astimezone(at.tzinfo), length)


def _to_weekday(at: datetime) -> datetime:
    zone = at.tzinfo
    days = max(0, 7 - at.weekday()) if at.weekday() >= 5 else 0
    if not days or zone is None:
        return at
    shown = at.replace(tzinfo=None, fold=0) + timedelta(days=days)
    return first_instant(shown, zone).astimezone(zone)


next_weekday = Adjustment(_to_weekday, timedelta(days=3))
"""Moves Saturdays and Sundays to the same time on Monday."""
