"""Schedules: clocks, what their fires have to pass, and the rules for fires that overlap or were missed."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any, TypedDict, Unpack

from asyncflow.errors import InvalidSchedule
from asyncflow.schedules.adjustments import Adjustment
from asyncflow.schedules.clocks import Clock, CronClock, DatesClock, Fire, IntervalClock
from asyncflow.schedules.filters import DayFilter, Filter
from asyncflow.schedules.rules import Missed, Overlap, checked_rules
from asyncflow.schedules.zones import TICK, Zone, first_instant

__all__ = ["CronSchedule", "DatesSchedule", "IntervalSchedule", "Schedule"]

_PATIENCE = 200_000
"""How long one looks for a fire that passes the filters: each refused one costs 1, each day `_COST_OF_A_DAY`.

That is enough for the one second of a leap day that is meant, and over in less than a second.
"""

_COST_OF_A_DAY = 20


class Options(TypedDict, total=False):
    """The options that all schedules have; `Schedule` tells of them."""

    filters: Iterable[Filter]
    or_filters: Iterable[Filter]
    not_filters: Iterable[Filter]
    adjustments: Iterable[Adjustment]
    runs: int | None
    overlap: Overlap
    missed: Missed
    queue: int | None


class Schedule:
    """When a flow is run by itself.

    Args:
        clocks: what says when something is due; each may set parameters of its own.
        filters: functions of the local time; a fire counts when all of them say yes.
        or_filters: and at least one of these, when there are any.
        not_filters: and none of these.
        adjustments: move the fires that count.
        runs: end after so many fires, counted from when somebody begins to follow the schedule.
        overlap: what a fire comes to while a run is still going on: `"skip"` leaves it out, `"queue"` lets it
            wait for its turn, `"cancel"` cancels that run first.
        missed: which missed fires are run: `"skip"` none, `"once"` one for all of them, `"all"` each. A fire
            is missed when the next one is due already, or when it is noticed more than a minute late.
        queue: how many fires may wait with `overlap="queue"`, 100 when not given; more are left out.

    Raises:
        InvalidSchedule: when the settings can't work or contradict each other.
    """

    def __init__(
        self,
        clocks: Iterable[Clock],
        *,
        filters: Iterable[Filter] = (),
        or_filters: Iterable[Filter] = (),
        not_filters: Iterable[Filter] = (),
        adjustments: Iterable[Adjustment] = (),
        runs: int | None = None,
        overlap: Overlap = "skip",
        missed: Missed = "skip",
        queue: int | None = None,
    ) -> None:
        self.clocks = _checked_clocks(clocks)
        self._filters = _checked_filters("filters", filters)
        self._or_filters = _checked_filters("or_filters", or_filters)
        self._not_filters = _checked_filters("not_filters", not_filters)
        self._adjustments = _checked_adjustments(adjustments)
        if runs is not None and (isinstance(runs, bool) or not isinstance(runs, int) or runs < 1):
            raise InvalidSchedule(f"runs={runs!r} must be a whole number of 1 or more, or None for no end")
        self.runs = runs
        self.rules = checked_rules(overlap, missed, queue)

    def next_fires(self, after: datetime, n: int = 1) -> list[Fire]:
        """Return the next fires after an instant.

        Fires of one instant stay together: there are more than `n` when others come with the last one, so
        that asking again, after the last one's time, gives exactly those that follow.

        Args:
            after: the instant, with a time zone.
            n: how many.

        Raises:
            InvalidSchedule: when `after` has no time zone, or nothing passes the filters any more.
        """
        fires = self.fires(after)
        found = list(islice(fires, n))
        has_company = bool(found) and len(self.clocks) > 1
        for fire in fires if has_company else ():
            if fire.instant != found[-1].instant:
                break
            found.append(fire)
        return found

    def fires(self, after: datetime) -> Iterator[Fire]:
        """Yield the fires after an instant, in order; of equal ones with equal parameters only one.

        Args:
            after: the instant, with a time zone.

        Raises:
            InvalidSchedule: when `after` has no time zone, or nothing passes the filters any more.
        """
        if after.tzinfo is None:
            raise InvalidSchedule(f"after={after!r} has no time zone; use datetime(..., tzinfo=timezone.utc)")
        return islice(self._distinct(after.astimezone(UTC)), self.runs)

    def _distinct(self, after: datetime) -> Iterator[Fire]:
        begin = after - sum((each.reach for each in self._adjustments), timedelta(0))
        streams = [self._counting(clock, begin) for clock in self.clocks]
        merged = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=_instant)
        newest = after
        together: list[Mapping[str, Any]] = []
        for fire in merged:
            instant = fire.instant
            if instant <= after:
                continue
            if instant > newest:
                newest = instant
                together = []
            if fire.parameters not in together:
                together.append(fire.parameters)
                yield fire

    def _counting(self, clock: Clock, after: datetime) -> Iterator[Fire]:
        """Yield the fires of one clock that pass the filters, where the adjustments move them.

        When none passes for many years there are none any more; when there never was one, it is an error.
        """
        fires = clock.fires(after)
        patience, day, is_vain = _PATIENCE, None, True
        while patience > 0 and (fire := next(fires, None)) is not None:
            if self._passes(fire.at):
                patience, is_vain = _PATIENCE, False
                yield self._adjusted(fire)
                continue
            patience -= 1
            if fire.at.date() != day:
                day = fire.at.date()
                patience -= _COST_OF_A_DAY
            elif self._refuses_the_day(fire.at):
                fires = clock.fires(_next_midnight(fire.at, clock) - TICK)
        if is_vain and patience <= 0:
            raise InvalidSchedule(
                f"no time of {clock!r} passes the filters: looked until {day} in vain; do the filters "
                "contradict each other?"
            )

    def _passes(self, at: datetime) -> bool:
        return (
            all(test(at) for test in self._filters)
            and (not self._or_filters or any(test(at) for test in self._or_filters))
            and not any(test(at) for test in self._not_filters)
        )

    def _refuses_the_day(self, at: datetime) -> bool:
        """Whether a refused fire was refused for its day, so that no other one of that day can pass."""
        return (
            any(isinstance(test, DayFilter) and not test(at) for test in self._filters)
            or any(isinstance(test, DayFilter) and test(at) for test in self._not_filters)
            or (
                bool(self._or_filters)
                and all(isinstance(test, DayFilter) and not test(at) for test in self._or_filters)
            )
        )

    def _adjusted(self, fire: Fire) -> Fire:
        if not self._adjustments:
            return fire
        at = fire.at
        for adjustment in self._adjustments:
            at = adjustment.move(at)
        return Fire(at, fire.parameters)

    def __repr__(self) -> str:
        clocks = ", ".join(map(repr, self.clocks))
        return f"<{type(self).__name__} of {clocks}>"


def _instant(fire: Fire) -> datetime:
    return fire.instant


def _next_midnight(at: datetime, clock: Clock) -> datetime:
    return first_instant(datetime.combine(at.date() + timedelta(days=1), time()), clock.zone)


class IntervalSchedule(Schedule):
    """A schedule of one `IntervalClock`: `IntervalSchedule(timedelta(minutes=1))`.

    Args:
        interval: the time between two fires: a timedelta or seconds, more than 0.
        start: the first fire; without it, intervals are counted from the first midnight of 2019.
        end: not due after.
        timezone: in which local times are meant; that of `start` when not given, else UTC.
        parameters: the flow's parameters for the runs.
        **options: filters, `runs` and the rules, as `Schedule` has them.
    """

    def __init__(
        self,
        interval: timedelta | float,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        timezone: Zone | None = None,
        parameters: Mapping[str, Any] | None = None,
        **options: Unpack[Options],
    ) -> None:
        clock = IntervalClock(interval, start=start, end=end, timezone=timezone, parameters=parameters)
        super().__init__([clock], **options)


class CronSchedule(Schedule):
    """A schedule of one `CronClock`: `CronSchedule("0 9 * * 1-5", timezone="America/New_York")`.

    Args:
        cron: minute, hour, day of month, month, day of week; or a word such as `@daily`.
        start: not due before.
        end: not due after.
        timezone: in which local times are meant; that of `start` when not given, else UTC.
        day_or: whether a day of month and a day of week that are both given are alternatives.
        parameters: the flow's parameters for the runs.
        **options: filters, `runs` and the rules, as `Schedule` has them.
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
        **options: Unpack[Options],
    ) -> None:
        clock = CronClock(cron, start=start, end=end, timezone=timezone, day_or=day_or, parameters=parameters)
        super().__init__([clock], **options)


class DatesSchedule(Schedule):
    """A schedule of one `DatesClock`: due at given instants.

    Args:
        dates: the instants, in any order; without a time zone they are local times.
        timezone: in which local times are meant; UTC when not given.
        parameters: the flow's parameters for the runs.
        **options: filters, `runs` and the rules, as `Schedule` has them.
    """

    def __init__(
        self,
        dates: Iterable[datetime],
        *,
        timezone: Zone | None = None,
        parameters: Mapping[str, Any] | None = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__([DatesClock(dates, timezone=timezone, parameters=parameters)], **options)


def _checked_clocks(clocks: Any) -> tuple[Clock, ...]:
    found = tuple(clocks) if isinstance(clocks, Iterable) else (clocks,)
    for clock in found:
        if not isinstance(clock, Clock):
            raise InvalidSchedule(
                f"{clock!r} is not a clock; use IntervalClock, CronClock or DatesClock of asyncflow.schedules"
            )
    if not found:
        raise InvalidSchedule(
            "a schedule needs a clock: Schedule(clocks=[IntervalClock(timedelta(hours=1))])"
        )
    return found


def _checked_filters(name: str, filters: Any) -> Sequence[Filter]:
    found = tuple(filters) if isinstance(filters, Iterable) else (filters,)
    for test in found:
        if not callable(test):
            raise InvalidSchedule(
                f"{name}: {test!r} is not a function of the local time; give a list of them"
            )
    return found


def _checked_adjustments(adjustments: Any) -> tuple[Adjustment, ...]:
    found = tuple(adjustments) if isinstance(adjustments, Iterable) else (adjustments,)
    for each in found:
        if not isinstance(each, Adjustment):
            raise InvalidSchedule(f"{each!r} is not an Adjustment; use add(timedelta(...)) or next_weekday")
    return found
