"""What holds for all schedules: order, filters, and that nothing is lost however one asks."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import islice

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from asyncflow.errors import InvalidSchedule
from asyncflow.schedules import CronClock, DatesClock, Fire, IntervalClock, Schedule, filters

NEW_YORK = "America/New_York"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

ZONES = st.sampled_from(["UTC", NEW_YORK, "Australia/Lord_Howe", "Pacific/Apia", "America/Mexico_City"])
MOMENTS = st.datetimes(
    datetime.fromisoformat("2011-01-01"), datetime.fromisoformat("2030-01-01"), timezones=st.just(UTC)
)
PARAMETERS = st.sampled_from([{}, {"size": 1}, {"size": [1]}])
CLOCKS = st.one_of(
    st.builds(
        IntervalClock,
        st.sampled_from([timedelta(minutes=25), HOUR, 7 * HOUR, DAY, 3 * DAY]),
        start=st.none() | MOMENTS,
        timezone=ZONES,
        parameters=PARAMETERS,
    ),
    st.builds(
        CronClock,
        st.sampled_from(["30 2 * * *", "*/25 * * * *", "0 */5 * * 1-5", "15,45 1 * * *", "0 0 L * *"]),
        timezone=ZONES,
        parameters=PARAMETERS,
    ),
    st.builds(DatesClock, st.lists(MOMENTS, min_size=1, max_size=9), timezone=ZONES, parameters=PARAMETERS),
)
SCHEDULES = st.builds(
    Schedule,
    st.lists(CLOCKS, min_size=1, max_size=3),
    filters=st.sampled_from([(), (filters.is_weekday,), (filters.between_times(time(22), time(5)),)]),
    or_filters=st.sampled_from([(), (filters.is_weekday, filters.is_month_start)]),
    not_filters=st.sampled_from([(), (filters.is_month_end,), (filters.is_day_of_week(2),)]),
)


@pytest.fixture(autouse=True, scope="module")
def impatient():
    """Contradicting filters are found out soon, so that Hypothesis may try them too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asyncflow.schedules.schedule._PATIENCE", 3000)
        yield


def following(schedule: Schedule, after: datetime, count: int) -> list[Fire]:
    """Return the next fires, or none where a schedule that had some has come to its end."""
    try:
        return schedule.next_fires(after, count)
    except InvalidSchedule:
        return []


def some(schedule: Schedule, after: datetime, count: int) -> list[Fire]:
    """Return the next fires, if the schedule has any."""
    try:
        return list(islice(schedule.fires(after), count))
    except InvalidSchedule:
        reject()


@given(schedule=SCHEDULES, after=MOMENTS)
@settings(deadline=None)
def test_fires_go_forward_pass_the_filters_and_come_once(schedule: Schedule, after: datetime):
    found = some(schedule, after, 20)
    last, together = after, []
    for fire in found:
        if fire.instant > last:
            last, together = fire.instant, []
        assert fire.instant == last > after
        assert fire.parameters not in together
        together.append(fire.parameters)
        assert all(test(fire.at) for test in schedule._filters)
        assert not any(test(fire.at) for test in schedule._not_filters)
        assert not schedule._or_filters or any(test(fire.at) for test in schedule._or_filters)


@given(schedule=SCHEDULES, after=MOMENTS, sizes=st.lists(st.integers(1, 3), min_size=1, max_size=4))
@settings(deadline=None)
def test_asked_in_slices_none_is_lost(schedule: Schedule, after: datetime, sizes: list[int]):
    whole = some(schedule, after, 40)
    found: list[Fire] = []
    moment = after
    for size in sizes:
        found += (piece := following(schedule, moment, size))
        moment = piece[-1].instant if piece else moment
    expected = whole[: len(found)]
    assert [(f.instant, f.parameters) for f in found] == [(f.instant, f.parameters) for f in expected]


@given(schedule=SCHEDULES, after=MOMENTS, later=st.timedeltas(timedelta(0), timedelta(days=3)))
@settings(deadline=None)
def test_asked_later_the_same_fires_are_left(schedule: Schedule, after: datetime, later: timedelta):
    end = after + later
    ahead = [fire.instant for fire in some(schedule, after, 60)]
    left = [instant for instant in ahead if instant > end]
    assert [fire.instant for fire in islice(schedule.fires(end), len(left))] == left
