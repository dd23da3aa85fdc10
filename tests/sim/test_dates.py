# Dates without a time zone are among what is tested.
# ruff: noqa: DTZ001, DTZ002, DTZ003, DTZ005, DTZ006, DTZ011, DTZ012

from __future__ import annotations

import asyncio
import datetime as module
import time
import warnings
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from asyncflow.sim.clock import EPOCH
from asyncflow.sim.entropy import dates
from tests.sim.kit import play

NOW = EPOCH + 90.25
BERLIN = timezone(timedelta(hours=1))


class Moment(datetime):
    @classmethod
    def fromtimestamp(cls, *_):
        raise AssertionError("not asked")


class Day(date):
    pass


def undeprecated(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return call()


READINGS = {
    "now": (lambda: datetime.now(), datetime.fromtimestamp(NOW)),
    "now(None)": (lambda: datetime.now(None), datetime.fromtimestamp(NOW)),
    "now(UTC)": (lambda: datetime.now(UTC), datetime.fromtimestamp(NOW, UTC)),
    "now(tz=)": (lambda: datetime.now(tz=BERLIN), datetime.fromtimestamp(NOW, BERLIN)),
    "by the module": (lambda: module.datetime.now(UTC), datetime.fromtimestamp(NOW, UTC)),
    "utcnow": (lambda: undeprecated(datetime.utcnow), datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None)),
    "datetime.today": (lambda: datetime.today(), datetime.fromtimestamp(NOW)),
    "date.today": (lambda: date.today(), date.fromtimestamp(NOW)),
    "a subclass of date": (lambda: Day.today(), date.fromtimestamp(NOW)),
    "a subclass": (lambda: Moment.now(UTC), datetime.fromtimestamp(NOW, UTC)),
    "an instance": (lambda: datetime(2000, 1, 1).now(UTC), datetime.fromtimestamp(NOW, UTC)),
}


@pytest.mark.parametrize("where", ["loop", "body"])
@pytest.mark.parametrize(("read", "shown"), READINGS.values(), ids=READINGS)
def test_dates_follow_the_simulated_clock(read, shown, where):
    async def main():
        await asyncio.sleep(90.25)
        return read() if where == "loop" else await asyncio.to_thread(read)

    assert play(main) == shown


def test_a_subclass_gives_its_own_kind():
    async def main():
        return type(Moment.now()), type(Moment.now(UTC)), type(Day.today())

    assert play(main) == (Moment, Moment, Day)


def test_a_wrong_time_zone_is_refused_as_ever():
    async def main():
        datetime.now("Berlin")

    with pytest.raises(TypeError, match="tzinfo"):
        play(main)


def test_code_that_is_warm_follows_and_comes_back():
    def read():
        return [datetime.now(UTC) for _ in range(100)][-1]

    async def main():
        return read()

    for _ in range(3):
        read()
        assert play(main) == datetime.fromtimestamp(EPOCH, UTC)
        assert read().year > 2023


@pytest.mark.parametrize("fails", [False, True])
def test_afterwards_the_methods_are_the_same_objects(fails):
    before = {name: vars(datetime)[name] for name in ("now", "utcnow", "fromtimestamp")}

    async def main():
        assert vars(datetime)["now"] is not before["now"]
        if fails:
            raise ZeroDivisionError

    try:
        play(main)
    except ZeroDivisionError:
        assert fails
    assert all(vars(datetime)[name] is method for name, method in before.items())
    assert abs(datetime.now(UTC).timestamp() - time.time()) < 60


@pytest.mark.parametrize("name", ["now", "utcnow"])
def test_a_method_that_was_kept_acts_as_the_real_one_when_the_world_has_ended(name):
    async def main():
        return vars(datetime)[name]

    kept = play(main).__get__(None, Moment)
    shown = undeprecated(kept)
    assert type(shown) is Moment
    assert abs(shown - undeprecated(getattr(Moment, name))) < timedelta(minutes=1)


def test_utcnow_warns_where_the_real_one_does():
    async def main():
        datetime.utcnow()

    def warned(call):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        return [(one.category, one.filename, str(one.message)[:40]) for one in caught]

    assert warned(datetime.utcnow) == warned(lambda: play(main))


def test_this_python_lets_the_methods_be_replaced():
    assert dates.SIMULATED


def test_a_python_that_does_not_keeps_real_time(monkeypatch):
    monkeypatch.setattr(dates, "SIMULATED", False)

    async def main():
        return datetime.now(UTC), date.today()

    now, today = play(main)
    assert now.timestamp() > EPOCH + 1e6
    assert today == date.fromtimestamp(EPOCH)


@pytest.mark.parametrize(
    "behind", [lambda *_: [], lambda *_: [{"now": None, "utcnow": None}], lambda *_: ["no dict"]]
)
def test_a_python_that_hides_the_methods_is_found_out(behind, monkeypatch):
    monkeypatch.setattr(dates.gc, "get_referents", behind)
    assert not dates._tried()
