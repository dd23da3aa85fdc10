"""When clocks are due: alignment, both kinds of DST change, starts and ends, and what can't work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.errors import InvalidSchedule
from asyncflow.schedules import Clock, CronClock, DatesClock, IntervalClock

NEW_YORK, MEXICO, LORD_HOWE, SAMOA = (
    "America/New_York",
    "America/Mexico_City",
    "Australia/Lord_Howe",
    "Pacific/Apia",
)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(*parts: int) -> datetime:
    """Return a local time, which has no time zone of its own."""
    return datetime(*parts)  # noqa: DTZ001


def shown(clock: Clock, after: str, count: int = 3) -> list[str]:
    """Return the next fires as local times with their offsets."""
    moment = datetime.fromisoformat(after)
    return [fire.at.isoformat(sep=" ") for fire in islice(clock.fires(moment.astimezone(UTC)), count)]


@pytest.mark.parametrize(
    ("interval", "after", "next_one"),
    [
        (timedelta(minutes=1), "2022-03-07T14:21:50", "2022-03-07T14:22:00"),
        (timedelta(minutes=1), "2022-03-07T14:22:00", "2022-03-07T14:23:00"),
        (60, "2022-03-07T14:21:59.999999", "2022-03-07T14:22:00"),
        (timedelta(hours=6), "2022-03-07T14:21:50", "2022-03-07T18:00:00"),
        (DAY, "2022-03-07T14:21:50", "2022-03-08T00:00:00"),
        (timedelta(days=7), "2022-03-07T14:21:50", "2022-03-08T00:00:00"),  # 2019 began with a Tuesday
        (timedelta(minutes=1), "2018-12-31T23:58:30", "2018-12-31T23:59:00"),
        (0.5, "2022-03-07T14:21:50.2", "2022-03-07T14:21:50.5"),
    ],
)
def test_intervals_without_a_start_are_counted_from_the_beginning_of_2019(interval, after, next_one):
    fire = next(IntervalClock(interval).fires(utc(after)))
    assert fire.at == utc(next_one)


def test_an_interval_with_a_start_begins_with_it():
    clock = IntervalClock(timedelta(minutes=7), start=utc("2026-01-01T10:00:13"))
    assert shown(clock, "2025-12-31T00:00+00:00", 2) == [
        "2026-01-01 10:00:13+00:00",
        "2026-01-01 10:07:13+00:00",
    ]
    assert shown(clock, "2026-01-01T10:07:13+00:00", 1) == ["2026-01-01 10:14:13+00:00"]


@pytest.mark.parametrize(
    ("clock", "after", "fires"),
    [
        pytest.param(
            IntervalClock(DAY, start=local(2026, 3, 6, 9), timezone=NEW_YORK),
            "2026-03-07T00:00-05:00",
            ["2026-03-07 09:00:00-05:00", "2026-03-08 09:00:00-04:00", "2026-03-09 09:00:00-04:00"],
            id="days of a zone keep their time of day",
        ),
        pytest.param(
            IntervalClock(DAY, start=local(2026, 3, 6, 2, 30), timezone=NEW_YORK),
            "2026-03-07T12:00-05:00",
            ["2026-03-08 03:00:00-04:00", "2026-03-09 02:30:00-04:00", "2026-03-10 02:30:00-04:00"],
            id="a day whose time is left out: at the end of the jump",
        ),
        pytest.param(
            IntervalClock(DAY, start=local(2026, 10, 30, 1, 30), timezone=NEW_YORK),
            "2026-10-31T12:00-04:00",
            ["2026-11-01 01:30:00-04:00", "2026-11-02 01:30:00-05:00", "2026-11-03 01:30:00-05:00"],
            id="a day whose time comes twice: the first time",
        ),
        pytest.param(
            IntervalClock(HOUR, start=local(2026, 1, 1), timezone=NEW_YORK),
            "2026-11-01T00:00-04:00",
            ["2026-11-01 01:00:00-04:00", "2026-11-01 01:00:00-05:00", "2026-11-01 02:00:00-05:00"],
            id="an hour is an hour when clocks are set back",
        ),
        pytest.param(
            IntervalClock(HOUR, start=local(2026, 1, 1), timezone=NEW_YORK),
            "2026-03-08T00:00-05:00",
            ["2026-03-08 01:00:00-05:00", "2026-03-08 03:00:00-04:00", "2026-03-08 04:00:00-04:00"],
            id="an hour is an hour when clocks are set forward",
        ),
        pytest.param(
            IntervalClock(DAY, start=utc("2026-03-06T14:00")),
            "2026-03-07T09:00-05:00",
            ["2026-03-08 14:00:00+00:00", "2026-03-09 14:00:00+00:00", "2026-03-10 14:00:00+00:00"],
            id="in UTC a day is 24 hours",
        ),
        pytest.param(
            CronClock("30 2 * * *", timezone=NEW_YORK),
            "2026-03-07T12:00-05:00",
            ["2026-03-08 03:00:00-04:00", "2026-03-09 02:30:00-04:00", "2026-03-10 02:30:00-04:00"],
            id="New York, forward: once, at the end of the jump",
        ),
        pytest.param(
            CronClock("0,30 2,3 * * *", timezone=NEW_YORK),
            "2026-03-07T12:00-05:00",
            ["2026-03-08 03:00:00-04:00", "2026-03-08 03:30:00-04:00", "2026-03-09 02:00:00-04:00"],
            id="New York, forward: four times of which three meet are one",
        ),
        pytest.param(
            CronClock("30 1 * * *", timezone=NEW_YORK),
            "2026-10-31T12:00-04:00",
            ["2026-11-01 01:30:00-04:00", "2026-11-02 01:30:00-05:00", "2026-11-03 01:30:00-05:00"],
            id="New York, back: once",
        ),
        pytest.param(
            CronClock("30 1 * * *", timezone=NEW_YORK),
            "2026-11-01T01:10-05:00",
            ["2026-11-02 01:30:00-05:00", "2026-11-03 01:30:00-05:00", "2026-11-04 01:30:00-05:00"],
            id="New York, back: not again when asked in the second hour",
        ),
        pytest.param(
            CronClock("*/30 * * * *", timezone=NEW_YORK),
            "2026-03-08T01:00-05:00",
            ["2026-03-08 01:30:00-05:00", "2026-03-08 03:00:00-04:00", "2026-03-08 03:30:00-04:00"],
            id="New York, forward: times that are left out are left out",
        ),
        pytest.param(
            CronClock("*/30 * * * *", timezone=NEW_YORK),
            "2026-11-01T01:00-04:00",
            ["2026-11-01 01:30:00-04:00", "2026-11-01 01:00:00-05:00", "2026-11-01 01:30:00-05:00"],
            id="New York, back: times that come twice come twice",
        ),
        pytest.param(
            CronClock("*/30 1 1 11 *", timezone=NEW_YORK),
            "2026-11-01T01:30-04:00",
            ["2026-11-01 01:00:00-05:00", "2026-11-01 01:30:00-05:00", "2027-11-01 01:00:00-04:00"],
            id="New York, back: the second hour is not lost for a year",
        ),
        pytest.param(
            CronClock("30 2 * * *", timezone=MEXICO),
            "2022-04-02T12:00-06:00",
            ["2022-04-03 03:00:00-05:00", "2022-04-04 02:30:00-05:00", "2022-04-05 02:30:00-05:00"],
            id="Mexico City, forward for the last time",
        ),
        pytest.param(
            CronClock("30 2 * * *", timezone=MEXICO),
            "2023-04-01T12:00-06:00",
            ["2023-04-02 02:30:00-06:00", "2023-04-03 02:30:00-06:00", "2023-04-04 02:30:00-06:00"],
            id="Mexico City, where clocks are left alone since then",
        ),
        pytest.param(
            CronClock("10 2 * * *", timezone=LORD_HOWE),
            "2026-10-03T12:00+10:30",
            ["2026-10-04 02:30:00+11:00", "2026-10-05 02:10:00+11:00", "2026-10-06 02:10:00+11:00"],
            id="Lord Howe, half an hour forward",
        ),
        pytest.param(
            CronClock("*/20 * * * *", timezone=LORD_HOWE),
            "2026-04-05T01:20+11:00",
            ["2026-04-05 01:40:00+11:00", "2026-04-05 01:40:00+10:30", "2026-04-05 02:00:00+10:30"],
            id="Lord Howe, half an hour back",
        ),
        pytest.param(
            CronClock("*/15 4 * * *", timezone=LORD_HOWE),
            "2026-04-05T00:15+11:00",
            ["2026-04-05 04:00:00+10:30", "2026-04-05 04:15:00+10:30", "2026-04-05 04:30:00+10:30"],
            id="Lord Howe, hours after the change none is lost",
        ),
        pytest.param(
            CronClock("0 9 * * *", timezone=SAMOA),
            "2011-12-29T00:00-10:00",
            ["2011-12-29 09:00:00-10:00", "2011-12-31 00:00:00+14:00", "2011-12-31 09:00:00+14:00"],
            id="Samoa, where 30 December 2011 was left out",
        ),
        pytest.param(
            CronClock("0 0 * * *", timezone=SAMOA),
            "2011-12-29T00:00-10:00",
            ["2011-12-31 00:00:00+14:00", "2012-01-01 00:00:00+14:00", "2012-01-02 00:00:00+14:00"],
            id="Samoa, where two midnights meet",
        ),
        pytest.param(
            IntervalClock(DAY, start=local(2011, 12, 28), timezone=SAMOA),
            "2011-12-29T00:00-10:00",
            ["2011-12-31 00:00:00+14:00", "2012-01-01 00:00:00+14:00", "2012-01-02 00:00:00+14:00"],
            id="Samoa, by days",
        ),
        pytest.param(
            CronClock("0 */8 * * *", timezone=SAMOA),
            "2011-12-29T10:00-10:00",
            ["2011-12-29 16:00:00-10:00", "2011-12-31 00:00:00+14:00", "2011-12-31 08:00:00+14:00"],
            id="Samoa, by hours",
        ),
    ],
)
def test_clocks_that_are_set_forward_and_back(clock: Clock, after: str, fires: list[str]):
    assert shown(clock, after) == fires


@pytest.mark.parametrize(
    ("cron", "next_one"),
    [
        ("0 9 * * 1-5", "2026-03-09 09:00:00+00:00"),
        ("*/15 * * * *", "2026-03-07 12:15:00+00:00"),
        ("30 0 9 * * *", "2026-03-08 09:00:30+00:00"),
        ("0 0 L * *", "2026-03-31 00:00:00+00:00"),
        ("0 0 * * MON#2", "2026-03-09 00:00:00+00:00"),
        ("0 0 29 2 *", "2028-02-29 00:00:00+00:00"),
        ("0 0 13 * 5", "2026-03-13 00:00:00+00:00"),
        ("0 0 20 * 1", "2026-03-09 00:00:00+00:00"),
        ("@hourly", "2026-03-07 13:00:00+00:00"),
        ("@daily", "2026-03-08 00:00:00+00:00"),
        ("@weekly", "2026-03-08 00:00:00+00:00"),
        ("@Monthly", "2026-04-01 00:00:00+00:00"),
        ("@yearly", "2027-01-01 00:00:00+00:00"),
    ],
)
def test_cron_expressions(cron: str, next_one: str):
    assert shown(CronClock(cron), "2026-03-07T12:00+00:00", 1) == [next_one]


def test_day_of_month_and_day_of_week_may_both_have_to_fit():
    clock = CronClock("0 0 13 * 5", day_or=False)
    assert shown(clock, "2026-03-14T00:00+00:00", 2) == [
        "2026-11-13 00:00:00+00:00",
        "2027-08-13 00:00:00+00:00",
    ]


def test_dates_come_in_order_and_once():
    clock = DatesClock(
        [local(2026, 5, 1, 9), local(2026, 3, 8, 2, 30), utc("2026-05-01T13:00")], timezone=NEW_YORK
    )
    assert shown(clock, "2026-01-01T00:00+00:00", 5) == [
        "2026-03-08 03:00:00-04:00",
        "2026-05-01 09:00:00-04:00",
    ]
    assert shown(clock, "2026-05-01T13:00+00:00") == []


@pytest.mark.parametrize(
    "make",
    [
        lambda **span: IntervalClock(DAY, **span),
        lambda **span: IntervalClock(HOUR * 24, timezone=NEW_YORK, **span),
        lambda **span: CronClock("0 0 * * *", **span),
    ],
)
def test_start_and_end_are_part_of_what_is_due(make):
    clock = make(start=utc("2026-02-01T05:00"), end=utc("2026-02-03T05:00"))
    days = [fire.at for fire in clock.fires(utc("2026-01-01T00:00"))]
    assert days[0] >= utc("2026-02-01T05:00")
    assert days[-1] <= utc("2026-02-03T05:00")
    assert len(days) in (2, 3)
    assert list(clock.fires(utc("2026-02-03T05:00"))) == []


def test_a_local_start_is_meant_in_the_clocks_own_zone():
    by_name = IntervalClock(HOUR, start=local(2026, 7, 1, 9, 30), timezone=NEW_YORK)
    by_start = IntervalClock(HOUR, start=datetime(2026, 7, 1, 9, 30, tzinfo=ZoneInfo(NEW_YORK)))
    for clock in (by_name, by_start):
        assert shown(clock, "2026-07-01T00:00+00:00", 1) == ["2026-07-01 09:30:00-04:00"]


def test_fires_end_with_the_calendar():
    years = IntervalClock(timedelta(days=366), start=utc("9998-06-01T00:00"))
    assert len(list(years.fires(utc("9998-01-01T00:00")))) == 2
    assert len(list(CronClock("@yearly").fires(utc("9998-06-01T00:00")))) == 1


def test_a_fire_knows_its_clocks_parameters():
    fire = next(IntervalClock(HOUR, parameters={"size": 3}).fires(utc("2026-01-01T00:00")))
    assert fire.parameters == {"size": 3}


def test_the_two_fires_of_an_hour_that_comes_twice_differ_in_their_instants():
    first, second = islice(CronClock("0 * * * *", timezone=NEW_YORK).fires(utc("2026-11-01T04:30")), 2)
    assert first.at == second.at  # Python compares what clocks show
    assert second.instant - first.instant == HOUR


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: IntervalClock(timedelta(0)), "more than 0"),
        (lambda: IntervalClock(-5), "more than 0"),
        (lambda: IntervalClock(float("nan")), "more than 0"),
        (lambda: IntervalClock(float("inf")), "more than 0"),
        (lambda: IntervalClock(1e-9), "more than 0"),
        (lambda: IntervalClock("1 min"), "timedelta"),
        (lambda: IntervalClock(True), "timedelta"),
        (lambda: IntervalClock(60, timezone="America/New_Yrok"), "America/New_York"),
        (lambda: IntervalClock(60, timezone="../etc"), "IANA"),
        (lambda: IntervalClock(60, timezone=5), "IANA"),
        (lambda: IntervalClock(60, start="2026-01-01"), "not a datetime"),
        (lambda: IntervalClock(60, start=local(2026, 2, 1), end=local(2026, 1, 1)), "before start"),
        (lambda: CronClock("0 9 * *"), "Invalid cron string '0 9 \\* \\*'"),
        (lambda: CronClock("61 9 * * *"), "Invalid cron string.*bad minute"),
        (lambda: CronClock("0 0 31 2 *"), "Invalid cron string.*bad day-of-month"),
        (lambda: CronClock("@dayly"), "@daily"),
        (lambda: CronClock(""), "Invalid cron string"),
        (lambda: CronClock(5), "Invalid cron string"),
        (lambda: DatesClock([]), "there are none"),
        (lambda: DatesClock([1]), "not a datetime"),
    ],
)
def test_what_can_not_work_is_refused_when_it_is_written(make, told: str):
    with pytest.raises(InvalidSchedule, match=told):
        make()


def test_the_text_of_a_clock_tells_what_it_says():
    assert repr(CronClock("0 9 * * *", timezone=NEW_YORK, parameters={"a": 1})) == (
        "CronClock('0 9 * * *', timezone='America/New_York', parameters={'a': 1})"
    )
    assert repr(DatesClock([local(2026, 1, day) for day in (1, 2, 3, 4)])) == (
        "DatesClock([2026-01-01T00:00:00+00:00, 2026-01-02T00:00:00+00:00, 2026-01-03T00:00:00+00:00, ...])"
    )
    assert repr(IntervalClock(60)) == "IntervalClock(datetime.timedelta(seconds=60))"


# ---------------------------------------------------------------------------- against a look at every minute

CHANGES = [
    (NEW_YORK, "2026-03-08T07:00"),
    (NEW_YORK, "2026-11-01T06:00"),
    (MEXICO, "2022-10-30T07:00"),
    (LORD_HOWE, "2026-04-04T15:00"),
    (LORD_HOWE, "2026-10-03T15:30"),
    (SAMOA, "2011-12-30T10:00"),
    ("Africa/Casablanca", "2026-02-15T02:00"),
    ("Asia/Kathmandu", "2026-01-01T00:00"),
]
MINUTES = {"*": range(60), "*/5": range(0, 60, 5), "*/20": (0, 20, 40), "7": (7,), "0,30": (0, 30)}
HOURS = {"*": range(24), "*/2": range(0, 24, 2), "1": (1,), "2": (2,), "1-3": (1, 2, 3), "*/23": (0, 23)}


def due_by_looking(zone: str, minute: str, hour: str, after: datetime, end: datetime) -> list[datetime]:
    """Return when a cron expression is due by what the module says, looking at the clock every minute."""
    is_fixed = not minute.startswith("*") and not hour.startswith("*")
    at = after - timedelta(hours=26)
    last = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    seen: set[datetime] = set()
    found = []
    while (at := at + timedelta(minutes=1)) <= end:
        now = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
        count = max(1, (now - last) // timedelta(minutes=1)) if is_fixed else 1
        times = [now - timedelta(minutes=back) for back in range(count)]
        if any(
            time.minute in MINUTES[minute] and time.hour in HOURS[hour] and not (is_fixed and time in seen)
            for time in times
        ):
            found.append(at)
        seen.update(times)
        last = now
    return [at for at in found if at > after]


@given(
    change=st.sampled_from(CHANGES),
    minute=st.sampled_from(list(MINUTES)),
    hour=st.sampled_from(list(HOURS)),
    minutes=st.integers(-180, 60),
)
@settings(deadline=None)
def test_a_cron_clock_is_due_when_a_look_at_every_minute_says_so(
    change, minute: str, hour: str, minutes: int
):
    zone, instant = change
    after, end = utc(instant) + timedelta(minutes=minutes), utc(instant) + timedelta(hours=5)
    clock = CronClock(f"{minute} {hour} * * *", timezone=zone, end=end)
    assert [fire.instant for fire in clock.fires(after)] == due_by_looking(zone, minute, hour, after, end)
