"""Clocks: when something is due, by intervals, by cron expressions or by given dates.

What happens where a time zone sets its clocks forward or back follows from what a clock counts. An interval
counts elapsed time: an hour is an hour, whatever clocks show meanwhile. An interval of whole days in a time
zone, and a cron expression with a fixed hour and minute, count local time: they are due once on each day,
at the first instant that clocks show that time, or at the end of the jump that left it out. A cron
expression whose minute or hour begins with `*` is due whenever clocks show a time that fits: twice for times
that come twice, never for times that are left out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from cronsim import CronSim, CronSimError

from asyncflow.errors import InvalidSchedule
from asyncflow.schedules.zones import TICK, Zone, first_instant, instant_of, offsets, zone_of

__all__ = ["Clock", "CronClock", "DatesClock", "Fire", "IntervalClock"]

_ANCHOR = datetime(2019, 1, 1)  # noqa: DTZ001 - midnight in the clock's own time zone
"""From where intervals without a start are counted, so that every process has the same minutes."""

_DAY = timedelta(days=1)

_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True, slots=True)
class Fire:
    """One instant at which a schedule is due.

    Attributes:
        at: the instant, in the time zone of the clock that it comes from.
        parameters: the flow's parameters that this clock sets.
    """

    at: datetime
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def instant(self) -> datetime:
        """The instant in UTC; unlike local times, these compare right where a local time comes twice."""
        return self.at.astimezone(UTC)


class Clock(ABC):
    """What says when something is due.

    Args:
        start: not due before; without a time zone it is a local time.
        end: not due after; without a time zone it is a local time.
        timezone: in which local times are meant; that of `start` when not given, else UTC.
        parameters: the flow's parameters for runs of this clock.

    Raises:
        InvalidSchedule: when there is no such time zone, or the end is before the start.
    """

    def __init__(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        timezone: Zone | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        for name, moment in (("start", start), ("end", end)):
            if moment is not None and not isinstance(moment, datetime):
                raise InvalidSchedule(
                    f"{name}={moment!r} is not a datetime; write datetime(2026, 1, 31, 9, 0)"
                )
        self.zone = zone_of(timezone, start)
        self.start = None if start is None else instant_of(start, self.zone)
        self.end = None if end is None else instant_of(end, self.zone)
        if self.start is not None and self.end is not None and self.end < self.start:
            raise InvalidSchedule(f"end={end!r} is before start={start!r}; nothing would ever be due")
        self.parameters: Mapping[str, Any] = MappingProxyType(dict(parameters or {}))

    def fires(self, after: datetime) -> Iterator[Fire]:
        """Yield the fires after an instant, in order, each instant once.

        Args:
            after: the instant, with a time zone.
        """
        last = after.astimezone(UTC)
        if self.start is not None:
            last = max(last, self.start - TICK)
        try:
            for at in self._instants(last):
                if at <= last:
                    continue
                if self.end is not None and at > self.end:
                    return
                last = at
                yield Fire(at.astimezone(self.zone), self.parameters)
        except OverflowError:
            return  # the calendar of datetime ends with the year 9999

    @abstractmethod
    def _instants(self, after: datetime) -> Iterator[datetime]:
        """Yield instants in UTC, in order, all that are after `after`; earlier ones are dropped."""

    @abstractmethod
    def _told(self) -> str:
        """Return what makes this clock, for its repr."""

    def __repr__(self) -> str:
        zone = "" if self.zone is UTC else f", timezone={str(self.zone)!r}"
        parameters = f", parameters={dict(self.parameters)!r}" if self.parameters else ""
        return f"{type(self).__name__}({self._told()}{zone}{parameters})"


class IntervalClock(Clock):
    """Due again and again after the same time.

    It is due at `start` and at every interval after it. Without a start the intervals are counted from the
    first midnight of 2019, so that those of a minute fall on full minutes. An interval of whole days counts
    days of the calendar: in a time zone with daylight saving time 09:00 stays 09:00.

    Args:
        interval: the time between two fires: a timedelta or seconds, more than 0.
        start: the first fire; without a time zone it is a local time.
        end: not due after; without a time zone it is a local time.
        timezone: in which local times are meant; that of `start` when not given, else UTC.
        parameters: the flow's parameters for runs of this clock.

    Raises:
        InvalidSchedule: when the interval is not a length of time of more than 0.
    """

    def __init__(
        self,
        interval: timedelta | float,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        timezone: Zone | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(start=start, end=end, timezone=timezone, parameters=parameters)
        self.interval = _checked_interval(interval)
        self._counts_days = self.interval % _DAY == timedelta(0) and self.zone is not UTC
        self._first = self.start or first_instant(_ANCHOR, self.zone)
        self._first_shown = _ANCHOR
        if self.start is not None:
            self._first_shown = self.start.astimezone(self.zone).replace(tzinfo=None, fold=0)

    def _instants(self, after: datetime) -> Iterator[datetime]:
        if self._counts_days:
            yield from self._same_time_of_day(after)
            return
        at = self._first + ((after - self._first) // self.interval + 1) * self.interval
        while True:
            yield at
            at += self.interval

    def _same_time_of_day(self, after: datetime) -> Iterator[datetime]:
        now_shown = after.astimezone(self.zone).replace(tzinfo=None)
        shown = self._first_shown + (now_shown - self._first_shown) // self.interval * self.interval
        while True:
            yield first_instant(shown, self.zone)
            shown += self.interval

    def _told(self) -> str:
        return repr(self.interval)


def _checked_interval(interval: Any) -> timedelta:
    """Return an interval as a timedelta."""
    length = interval
    if isinstance(interval, int | float) and not isinstance(interval, bool):
        try:
            length = timedelta(seconds=interval)
        except (OverflowError, ValueError):
            length = timedelta(0)
    if not isinstance(length, timedelta) or length <= timedelta(0):
        raise InvalidSchedule(
            f"interval={interval!r} must be a length of time of more than 0; use timedelta(minutes=1) or "
            "a number of seconds"
        )
    return length


class CronClock(Clock):
    """Due whenever the local time fits a cron expression, as Debian's cron reads it.

    Args:
        cron: five fields (minute, hour, day of month, month, day of week), six with seconds in front, or one
            of `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
        start: not due before; without a time zone it is a local time.
        end: not due after; without a time zone it is a local time.
        timezone: in which local times are meant; that of `start` when not given, else UTC.
        day_or: whether a day of month and a day of week that are both given are alternatives, as in cron;
            otherwise both have to fit.
        parameters: the flow's parameters for runs of this clock.

    Raises:
        InvalidSchedule: when the expression can't be read, or fits no day of any year.
    """

    def __init__(
        self,
        cron: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        timezone: Zone | None = None,
        day_or: bool = True,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(start=start, end=end, timezone=timezone, parameters=parameters)
        self.cron = cron
        self._day_or = day_or
        self._fields = _checked_cron(cron)
        minute, hour = self._fields.split()[-5:-3]
        self._is_fixed = not minute.startswith("*") and not hour.startswith("*")

    def _instants(self, after: datetime) -> Iterator[datetime]:
        now = after.astimezone(self.zone).replace(tzinfo=None)
        first, second = offsets(now, self.zone)
        # Times that clocks show a second time after `after` may read earlier than `after` itself.
        fitting = CronSim(self._fields, now - max(first - second, timedelta(0)))
        if not self._day_or:
            fitting.day_and = True
        if self._is_fixed:
            return (first_instant(shown, self.zone) for shown in fitting)
        return self._every_time_shown(fitting)

    def _every_time_shown(self, fitting: Iterable[datetime]) -> Iterator[datetime]:
        second_times: deque[datetime] = deque()
        for shown in fitting:
            first, second = offsets(shown, self.zone)
            if first < second:
                continue
            at = (shown - first).replace(tzinfo=UTC)
            while second_times and second_times[0] < at:
                yield second_times.popleft()
            yield at
            if first > second:
                second_times.append((shown - second).replace(tzinfo=UTC))
        yield from second_times

    def _told(self) -> str:
        return repr(self.cron)


def _checked_cron(cron: Any) -> str:
    """Return the fields of a cron expression."""
    if not isinstance(cron, str):
        raise InvalidSchedule(f"Invalid cron string {cron!r}: it is no text; write '0 9 * * 1-5'")
    fields = _WORDS.get(cron.strip().lower(), cron)
    try:
        CronSim(fields, _ANCHOR)
    except (CronSimError, ValueError) as error:
        known = "" if not cron.startswith("@") else f" Known words are {', '.join(_WORDS)}."
        raise InvalidSchedule(
            f"Invalid cron string {cron!r}: {str(error).lower()}; it has minute, hour, day of month, month "
            f"and day of week, as in '0 9 * * 1-5'.{known}"
        ) from error
    return fields


class DatesClock(Clock):
    """Due at given instants.

    Args:
        dates: the instants, in any order; without a time zone they are local times.
        timezone: in which local times are meant; UTC when not given.
        parameters: the flow's parameters for runs of this clock.

    Raises:
        InvalidSchedule: when there are none, or one is not a datetime.
    """

    def __init__(
        self,
        dates: Iterable[datetime],
        *,
        timezone: Zone | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(timezone=timezone, parameters=parameters)
        given = list(dates)
        wrong = [date for date in given if not isinstance(date, datetime)]
        if wrong or not given:
            problem = f"{wrong[0]!r} is not a datetime" if wrong else "there are none"
            raise InvalidSchedule(f"dates={given!r}: {problem}; write [datetime(2026, 1, 31, 9, 0), ...]")
        if timezone is None:
            self.zone = zone_of(None, given[0])
        self.dates = tuple(sorted({instant_of(date, self.zone) for date in given}))

    def _instants(self, after: datetime) -> Iterator[datetime]:
        del after
        return iter(self.dates)

    def _told(self) -> str:
        shown = ", ".join(at.astimezone(self.zone).isoformat() for at in self.dates[:3])
        return f"[{shown}{', ...' if len(self.dates) > 3 else ''}]"
