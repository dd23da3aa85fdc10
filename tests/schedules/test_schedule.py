"""What schedules make of their clocks: filters, adjustments, several clocks, and asking in slices."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from asyncflow.errors import InvalidSchedule
from asyncflow.schedules import (
    CronClock,
    CronSchedule,
    DatesSchedule,
    Fire,
    IntervalClock,
    IntervalSchedule,
    Schedule,
    adjustments,
    filters,
)

NEW_YORK = "America/New_York"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(fires: list[Fire]) -> list[str]:
    return [f"{fire.at:%a %m-%d %H:%M}" for fire in fires]


FRIDAY = utc("2026-02-27T08:00")


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (IntervalSchedule(DAY, filters=[filters.is_weekday]), ["Mon 03-02 00:00", "Tue 03-03 00:00"]),
        (IntervalSchedule(DAY, filters=[filters.is_weekend]), ["Sat 02-28 00:00", "Sun 03-01 00:00"]),
        (IntervalSchedule(DAY, not_filters=[filters.is_weekend]), ["Mon 03-02 00:00", "Tue 03-03 00:00"]),
        (IntervalSchedule(HOUR, filters=[filters.is_month_end]), ["Sat 02-28 00:00", "Sat 02-28 01:00"]),
        (IntervalSchedule(DAY, filters=[filters.is_month_start]), ["Sun 03-01 00:00", "Wed 04-01 00:00"]),
        (
            IntervalSchedule(DAY, filters=[filters.is_weekday], not_filters=[filters.is_month_end]),
            ["Mon 03-02 00:00", "Tue 03-03 00:00"],
        ),
        (
            IntervalSchedule(DAY, or_filters=[filters.is_month_end, filters.is_day_of_week("monday")]),
            ["Sat 02-28 00:00", "Mon 03-02 00:00"],
        ),
        (
            IntervalSchedule(DAY, filters=[filters.is_day_of_week(0, 2, "Friday")]),
            ["Mon 03-02 00:00", "Wed 03-04 00:00"],
        ),
        (IntervalSchedule(HOUR, filters=[filters.at_time(time(17))]), ["Fri 02-27 17:00", "Sat 02-28 17:00"]),
        (
            IntervalSchedule(HOUR, filters=[filters.between_times(time(22), time(1))]),
            ["Fri 02-27 22:00", "Fri 02-27 23:00", "Sat 02-28 00:00", "Sat 02-28 01:00", "Sat 02-28 22:00"],
        ),
        (
            IntervalSchedule(HOUR, filters=[filters.between_times(time(9), time(10))]),
            ["Fri 02-27 09:00", "Fri 02-27 10:00", "Sat 02-28 09:00"],
        ),
        (IntervalSchedule(DAY, filters=[filters.on_date(12, 31)]), ["Thu 12-31 00:00", "Fri 12-31 00:00"]),
        (
            IntervalSchedule(DAY, filters=[filters.between_dates(12, 31, 1, 1)]),
            ["Thu 12-31 00:00", "Fri 01-01 00:00", "Fri 12-31 00:00"],
        ),
        (
            IntervalSchedule(DAY, filters=[filters.between_dates(2, 28, 3, 1)]),
            ["Sat 02-28 00:00", "Sun 03-01 00:00", "Sun 02-28 00:00"],
        ),
        (
            IntervalSchedule(
                HOUR,
                filters=[filters.between_datetimes(utc("2026-02-27T10:00"), utc("2026-02-27T11:00"))],
            ),
            ["Fri 02-27 10:00", "Fri 02-27 11:00"],
        ),
        (
            CronSchedule(
                "0 * * * *",
                filters=[filters.on_datetime(datetime.fromisoformat("2026-02-27T10:00"))],
                timezone=NEW_YORK,
            ),
            ["Fri 02-27 10:00"],
        ),
        (
            CronSchedule("0 17 * * *", timezone="Asia/Tokyo", filters=[filters.is_weekend]),
            ["Sat 02-28 17:00", "Sun 03-01 17:00"],
        ),
        (
            IntervalSchedule(DAY, adjustments=[adjustments.next_weekday]),
            ["Mon 03-02 00:00", "Tue 03-03 00:00"],
        ),
        (
            IntervalSchedule(DAY, filters=[filters.is_month_end], adjustments=[adjustments.add(2 * HOUR)]),
            ["Sat 02-28 02:00", "Tue 03-31 02:00"],
        ),
        (
            IntervalSchedule(DAY, adjustments=[adjustments.add(-2 * HOUR)]),
            ["Fri 02-27 22:00", "Sat 02-28 22:00"],
        ),
        (
            DatesSchedule([utc("2026-03-05T06:00"), utc("2026-03-04T06:00")]),
            ["Wed 03-04 06:00", "Thu 03-05 06:00"],
        ),
        (IntervalSchedule(HOUR, runs=2), ["Fri 02-27 09:00", "Fri 02-27 10:00"]),
    ],
    ids=lambda value: None if isinstance(value, Schedule) else "-".join(value[:1]),
)
def test_what_passes(schedule: Schedule, expected: list[str]):
    assert shown(schedule.next_fires(FRIDAY, len(expected))) == expected


def test_an_adjusted_fire_is_not_lost_to_those_who_ask_between_its_two_times():
    schedule = CronSchedule("0 9 * * 6", adjustments=[adjustments.next_weekday])
    on_sunday = utc("2026-03-01T12:00")
    assert shown(schedule.next_fires(on_sunday)) == ["Mon 03-02 09:00"]


def test_equal_fires_are_one_and_fires_with_other_parameters_are_others():
    schedule = Schedule(
        [
            IntervalClock(HOUR, parameters={"size": 1}),
            CronClock("0 * * * *", parameters={"size": 1}),
            CronClock("0 */2 * * *", parameters={"size": 2}),
        ]
    )
    found = schedule.next_fires(FRIDAY, 3)
    assert [(f"{fire.at:%H:%M}", dict(fire.parameters)) for fire in found] == [
        ("09:00", {"size": 1}),
        ("10:00", {"size": 1}),
        ("10:00", {"size": 2}),
    ]


def test_fires_of_one_instant_are_given_together():
    schedule = Schedule([IntervalClock(HOUR, parameters={"n": n}) for n in range(3)])
    assert [fire.parameters["n"] for fire in schedule.next_fires(FRIDAY, 1)] == [0, 1, 2]
    assert schedule.next_fires(FRIDAY, 0) == []


def test_clocks_of_several_zones_are_merged_by_instant():
    schedule = Schedule([CronClock("0 9 * * *", timezone=zone) for zone in (NEW_YORK, "Asia/Tokyo", "UTC")])
    found = schedule.next_fires(utc("2026-01-10T00:00"), 4)
    assert [f"{fire.instant:%d %H}" for fire in found] == ["10 09", "10 14", "11 00", "11 09"]


@pytest.mark.parametrize(
    "schedule",
    [
        IntervalSchedule(60, filters=[filters.is_weekday, filters.is_weekend]),
        IntervalSchedule(60, not_filters=[lambda at: True]),
        CronSchedule("0 9 * * *", or_filters=[filters.at_time(time(10))]),
    ],
)
def test_a_schedule_that_nothing_passes_says_so(schedule: Schedule):
    with pytest.raises(InvalidSchedule, match="passes the filters: looked until 20"):
        schedule.next_fires(FRIDAY)


def test_rare_fires_are_found():
    leap = IntervalSchedule(1, filters=[filters.on_date(2, 29), filters.at_time(time(23, 59, 59))])
    assert leap.next_fires(FRIDAY)[0].at == utc("2028-02-29T23:59:59")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Schedule([]), "needs a clock"),
        (lambda: Schedule([IntervalSchedule(60)]), "not a clock"),
        (lambda: Schedule(timedelta(hours=1)), "not a clock"),
        (lambda: IntervalSchedule(60, filters=["weekday"]), "function of the local time"),
        (lambda: IntervalSchedule(60, filters=5), "function of the local time"),
        (lambda: IntervalSchedule(60, adjustments=[HOUR]), "Adjustment"),
        (lambda: IntervalSchedule(60, runs=0), "runs=0"),
        (lambda: IntervalSchedule(60, runs=True), "runs=True"),
        (lambda: IntervalSchedule(60, overlap="skipp"), "'skip'"),
        (lambda: IntervalSchedule(60, missed="none"), "missed='none'"),
        (lambda: IntervalSchedule(60, missed="all"), "contradict each other.*leaves out"),
        (lambda: IntervalSchedule(60, missed="all", overlap="cancel"), "contradict each other.*cancels"),
        (lambda: IntervalSchedule(60, queue=5), 'overlap="queue" only'),
        (lambda: IntervalSchedule(60, overlap="queue", queue=0), "1 or more"),
        (lambda: filters.is_day_of_week("moonday"), "monday"),
        (lambda: filters.is_day_of_week(7), "Monday"),
        (lambda: filters.is_day_of_week(), "Monday"),
        (lambda: filters.on_date(2, 30), "no day 30"),
        (lambda: IntervalSchedule(60).next_fires(datetime.fromisoformat("2026-01-01")), "no time zone"),
    ],
)
def test_what_can_not_work_is_refused(make, told: str):
    with pytest.raises(InvalidSchedule, match=told):
        make()


@pytest.mark.parametrize(
    ("given", "overlap", "missed", "queue"),
    [
        ({}, "skip", "skip", 0),
        ({"missed": "once"}, "skip", "once", 0),
        ({"overlap": "cancel", "missed": "once"}, "cancel", "once", 0),
        ({"overlap": "queue"}, "queue", "skip", 100),
        ({"overlap": "queue", "missed": "all", "queue": 3}, "queue", "all", 3),
    ],
)
def test_the_rules_that_agree(given: dict[str, Any], overlap: str, missed: str, queue: int):
    rules = IntervalSchedule(60, **given).rules
    assert (rules.overlap, rules.missed, rules.queue) == (overlap, missed, queue)


def test_the_text_of_a_schedule_tells_its_clocks():
    assert repr(CronSchedule("@daily")) == "<CronSchedule of CronClock('@daily')>"
    assert [repr(test) for test in (filters.is_weekday, filters.is_month_end)] == [
        "is_weekday",
        "is_month_end",
    ]
