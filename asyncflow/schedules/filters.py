"""Filters: which of a clock's fires count. Each is a function of the local time that says yes or no.

`filters=` must all say yes, of `or_filters=` at least one, and of `not_filters=` none.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

from asyncflow.errors import InvalidSchedule
from asyncflow.schedules.zones import TICK

__all__ = [
    "DayFilter",
    "at_time",
    "between_dates",
    "between_datetimes",
    "between_times",
    "is_day_of_week",
    "is_month_end",
    "is_month_start",
    "is_weekday",
    "is_weekend",
    "on_date",
    "on_datetime",
]

Filter = Callable[[datetime], bool]

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class DayFilter:
    """A filter that looks at the day alone, so that a day it refuses is passed over whole.

    Args:
        test: says of a day whether its fires count.
    """

    def __init__(self, test: Callable[[date], bool]) -> None:
        self._test = test
        self.__name__ = getattr(test, "__name__", "day filter")
        self.__doc__ = test.__doc__

    def __call__(self, moment: datetime) -> bool:
        """Return whether the day of this local time counts."""
        return bool(self._test(moment.date()))

    def __repr__(self) -> str:
        return self.__name__


@DayFilter
def is_weekday(day: date) -> bool:
    """Monday to Friday."""
    return day.weekday() < 5


@DayFilter
def is_weekend(day: date) -> bool:
    """Saturday and Sunday."""
    return day.weekday() >= 5


@DayFilter
def is_month_start(day: date) -> bool:
    """The first day of a month."""
    return day.day == 1


@DayFilter
def is_month_end(day: date) -> bool:
    """The last day of a month."""
    return day.day == calendar.monthrange(day.year, day.month)[1]


def is_day_of_week(*days: int | str) -> DayFilter:
    """Return a filter for days of the week.

    Args:
        *days: names such as `"monday"`, or numbers from 0 for Monday, as Python counts them.

    Raises:
        InvalidSchedule: when one of them is no day of the week.
    """
    numbers = [_DAYS.index(str(day).lower()) if str(day).lower() in _DAYS else day for day in days]
    if not days or not all(number in range(7) for number in numbers):
        raise InvalidSchedule(f"is_day_of_week{days!r}: use {', '.join(_DAYS)}, or 0 (Monday) to 6")
    return DayFilter(lambda day: day.weekday() in numbers)


def on_date(month: int, day: int) -> DayFilter:
    """Return a filter for one day of every year."""
    wanted = _month_and_day(month, day)
    return DayFilter(lambda found: (found.month, found.day) == wanted)


def between_dates(start_month: int, start_day: int, end_month: int, end_day: int) -> DayFilter:
    """Return a filter for a part of every year, both ends included; it may go over New Year."""
    start, end = _month_and_day(start_month, start_day), _month_and_day(end_month, end_day)
    return DayFilter(lambda found: _between(start, (found.month, found.day), end))


def on_datetime(moment: datetime) -> Filter:
    """Return a filter for one instant, or for one local time when it has no time zone."""
    return between_datetimes(moment, moment)


def between_datetimes(start: datetime, end: datetime) -> Filter:
    """Return a filter for the time between two instants or local times, both included."""
    return lambda found: _is_reached(start, found) and not _is_reached(end + TICK, found)


def at_time(wanted: time) -> Filter:
    """Return a filter for a local time of day."""
    return lambda found: found.time() == wanted


def between_times(start: time, end: time) -> Filter:
    """Return a filter for a part of every day in local time, both ends included; it may go over midnight."""
    return lambda found: _between(start, found.time(), end)


def _between(start: Any, found: Any, end: Any) -> bool:
    """Whether something is in a range of what begins anew after its end: times, or days of a year."""
    if start <= end:
        return bool(start <= found <= end)
    return bool(found >= start or found <= end)


def _month_and_day(month: int, day: int) -> tuple[int, int]:
    try:
        date(2020, month, day)  # a leap year has every day
    except (ValueError, TypeError) as error:
        raise InvalidSchedule(
            f"month {month!r} has no day {day!r}; use (month, day), as in (12, 31)"
        ) from error
    return month, day


def _is_reached(moment: datetime, found: datetime) -> bool:
    """Whether an instant, or without a time zone a local time, is not after the one that was found."""
    if moment.tzinfo is None:
        return moment <= found.replace(tzinfo=None)
    # In UTC: datetimes of one time zone are compared by what clocks show.
    return moment.astimezone(UTC) <= found.astimezone(UTC)
