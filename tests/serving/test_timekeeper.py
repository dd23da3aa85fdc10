"""What becomes of a schedule's fires: runs, overlap, missed ones, stopping; all in virtual time."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow import Flow, Parameter, ambient, flow, signals, task
from asyncflow.engine import FlowRun, RunOptions
from asyncflow.errors import InvalidFlow, InvalidSchedule, ParameterError, UsageError
from asyncflow.schedules import (
    CronSchedule,
    DatesSchedule,
    IntervalClock,
    IntervalSchedule,
    Schedule,
    filters,
)
from asyncflow.serving import Timekeeper
from asyncflow.sim.clock import EPOCH
from asyncflow.store import MemoryStore
from tests.clock import run_virtual
from tests.engine.kit import of_kind
from tests.serving.kit import Notes, clock, follow

MINUTE = timedelta(minutes=1)
BEGIN = datetime.fromtimestamp(EPOCH, UTC)


def lasting(seconds: float, schedule: Schedule, seen: list[str] | None = None) -> Flow[..., Any]:
    """Return a flow whose runs take so long, and which notes when they start."""

    @flow(name="etl", schedule=schedule)
    async def etl() -> None:
        if seen is not None:
            seen.append(clock())
        await asyncio.sleep(seconds)

    return etl


# ---------------------------------------------------------------------------- the usual course


def test_three_fires_of_a_minute_are_three_runs_at_their_minutes_in_no_time():
    began = time.monotonic()
    seen: list[str] = []
    keeper, notes = follow(lasting(5, IntervalSchedule(interval=MINUTE, runs=3), seen))
    assert seen == ["22:14:00", "22:15:00", "22:16:00"]
    assert notes.lines == [
        "wait 22:14:00",
        "wait 22:15:00",
        "Success of 22:14:00",
        "wait 22:16:00",
        "Success of 22:15:00",
        "exhausted",
        "Success of 22:16:00",
    ]
    assert keeper.last is notes.runs[-1]
    assert time.monotonic() - began < 1


def test_the_record_says_for_which_fire_a_run_was_made():
    _, notes = follow(lasting(0, IntervalSchedule(MINUTE, runs=2)))
    assert [of_kind(run, "run_started")[0]["scheduled"] for run in notes.runs] == [EPOCH + 40, EPOCH + 100]


def test_a_child_run_was_not_made_by_the_schedule():
    @flow
    async def child() -> None: ...

    @flow(schedule=IntervalSchedule(MINUTE, runs=1))
    async def parent() -> None:
        ambient.world().listeners.append(lambda header, seq, event: events.append((header, event)))
        await child()

    events: list[Any] = []
    follow(parent)
    begun = [event.detail for header, event in events if event.kind == "run_started" and header.parent]
    assert [detail["scheduled"] for detail in begun] == [None]


def test_a_failing_run_is_survived():
    outcomes = iter([ValueError("no"), None, signals.FAIL("as well"), None])

    @flow(schedule=IntervalSchedule(MINUTE, runs=4))
    async def etl() -> None:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome

    _, notes = follow(etl)
    assert [line.split()[0] for line in notes.news if " of " in line] == [
        "Failed",
        "Success",
        "Failed",
        "Success",
    ]


def test_the_log_says_what_is_waited_for_and_which_run_failed(caplog: pytest.LogCaptureFixture):
    @flow(name="etl", schedule=IntervalSchedule(MINUTE, runs=1))
    async def etl() -> None:
        raise ValueError("no")

    with caplog.at_level(logging.INFO, "asyncflow"):
        run_virtual(etl.follow())
    assert [record.getMessage() for record in caplog.records][:2] == [
        "Waiting for next scheduled run at 2023-11-14T22:14:00+00:00 (etl)",
        "Flow 'etl' has no more scheduled runs.",
    ]
    assert "ended Failed" in caplog.records[-1].getMessage()


def test_parameters_of_a_clock_are_merged_under_those_that_are_given():
    seen: list[tuple[str, int, str]] = []
    clocks = [
        IntervalClock(MINUTE, parameters={"size": 1, "of": "the clock"}),
        IntervalClock(2 * MINUTE, parameters={"size": 2, "of": "the clock"}),
    ]

    @flow(schedule=Schedule(clocks, runs=4))
    async def etl(size: int, of: str) -> None:
        seen.append((clock(), size, of))

    follow(etl, of="the caller")
    assert seen == [
        ("22:14:00", 1, "the caller"),
        ("22:14:00", 2, "the caller"),
        ("22:15:00", 1, "the caller"),
        ("22:16:00", 1, "the caller"),
    ]


def test_fires_of_one_instant_go_on_side_by_side():
    clocks = [IntervalClock(MINUTE, parameters={"n": n}) for n in range(3)]
    going: list[int] = []

    @flow(schedule=Schedule(clocks, runs=6))
    async def etl(n: int) -> None:
        going.append(n)
        await asyncio.sleep(10)
        assert sorted(going[-3:]) == [0, 1, 2]

    _, notes = follow(etl)
    assert [run.state.name for run in notes.runs] == ["Success"] * 6


# ---------------------------------------------------------------------------- overlap


@pytest.mark.parametrize(
    ("rules", "starts", "news"),
    [
        (
            {},
            ["22:14:00", "22:16:00"],
            [
                "left out 1 until 22:15:00: a run is still going on",
                "Success of 22:14:00",
                "left out 1 until 22:17:00: a run is still going on",
                "exhausted",
                "Success of 22:16:00",
            ],
        ),
        (
            {"overlap": "queue"},
            ["22:14:00", "22:15:30", "22:17:00", "22:18:30"],
            [
                "Success of 22:14:00",
                "exhausted",
                "Success of 22:15:00",
                "Success of 22:16:00",
                "Success of 22:17:00",
            ],
        ),
        (
            {"overlap": "cancel"},
            ["22:14:00", "22:15:00", "22:16:00", "22:17:00"],
            [
                "Cancelled of 22:14:00",
                "Cancelled of 22:15:00",
                "exhausted",
                "Cancelled of 22:16:00",
                "Success of 22:17:00",
            ],
        ),
    ],
    ids=lambda value: str(value.get("overlap", "skip")) if isinstance(value, dict) else "",
)
def test_a_fire_that_comes_while_a_run_goes_on(rules: dict[str, Any], starts: list[str], news: list[str]):
    seen: list[str] = []
    _, notes = follow(lasting(90, IntervalSchedule(MINUTE, runs=4, **rules), seen))
    assert seen == starts
    assert notes.news == news


def test_a_full_queue_leaves_fires_out():
    _, notes = follow(lasting(300, IntervalSchedule(MINUTE, runs=5, overlap="queue", queue=2)))
    assert notes.news[:2] == [
        "left out 1 until 22:17:00: 2 are waiting already",
        "left out 1 until 22:18:00: 2 are waiting already",
    ]
    assert [line for line in notes.news if "Success" in line] == [
        f"Success of 22:{minute}:00" for minute in (14, 15, 16)
    ]


def test_a_cancelled_run_says_for_what():
    _, notes = follow(lasting(90, IntervalSchedule(MINUTE, runs=2, overlap="cancel")))
    assert notes.runs[0].state.message == "The next scheduled run was due at 2023-11-14T22:15:00+00:00."


def test_with_cancel_the_newest_fire_wins_over_those_that_wait():
    @flow(schedule=IntervalSchedule(MINUTE, runs=4, overlap="cancel"))
    async def stubborn() -> None:
        end = asyncio.get_running_loop().time() + 150
        while (left := end - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.sleep(left)
            except asyncio.CancelledError:
                continue

    _, notes = follow(stubborn)
    assert "left out 1 until 22:15:00: the next one has come" in notes.news


def test_a_run_that_is_still_being_prepared_is_cancelled_too():
    class Slow(MemoryStore):
        async def open(self) -> None:
            await asyncio.sleep(90)

    seen: list[str] = []
    slow = lasting(200, IntervalSchedule(MINUTE, runs=2, overlap="cancel"), seen)
    _, notes = follow(slow.with_options(store=Slow()))
    assert [run.state.name for run in notes.runs] == ["Cancelled", "Success"]
    assert seen == ["22:17:00"]


def test_fires_that_come_faster_than_they_are_dealt_with_leave_runs_their_turn():
    early: list[str] = []

    class Busy(Notes):
        def waiting(self, flow: str, at: datetime) -> None:
            late[0] += 0.001

        def exhausted(self, flow: str) -> None:
            early.extend(self.lines)

    late = [0.0]

    async def story() -> None:
        world = ambient.world()
        on_time = world.wall
        world.wall = lambda: on_time() + late[0]
        await Timekeeper(lasting(0, IntervalSchedule(0.001, runs=50)), {}, teller=Busy()).follow()

    run_virtual(story())
    assert any(line.startswith("Success") for line in early)


# ---------------------------------------------------------------------------- missed fires


def after_a_nap(rules: dict[str, Any], minutes: float) -> tuple[list[str], list[str]]:
    """Follow a schedule of minutes on a computer that sleeps at first, and return starts and news."""
    seen: list[str] = []
    notes = Notes()
    etl = lasting(1, IntervalSchedule(MINUTE, end=BEGIN + timedelta(minutes=9), **rules), seen)
    asleep = 0.0

    class Sleepy(Notes):
        def waiting(self, flow: str, at: datetime) -> None:
            nonlocal asleep
            asleep = minutes * 60

    async def story() -> None:
        world = ambient.world()
        awake = world.wall
        world.wall = lambda: awake() + asleep
        sleepy = Sleepy()
        await Timekeeper(etl, {}, teller=sleepy).follow()
        notes.lines = sleepy.lines

    run_virtual(story())
    return seen, notes.news


@pytest.mark.parametrize(
    ("rules", "starts", "left_out"),
    [
        ({}, ["22:18:20"], "left out 4 until 22:18:00: their time was missed"),
        ({"missed": "once"}, ["22:18:20"], "left out 4 until 22:18:00: their time was missed"),
        (
            {"missed": "once", "overlap": "queue"},
            ["22:18:20"],
            "left out 4 until 22:18:00: their time was missed",
        ),
        (
            {"missed": "all", "overlap": "queue"},
            ["22:18:20", "22:18:21", "22:18:22", "22:18:23", "22:18:24"],
            None,
        ),
        (
            {"missed": "all", "overlap": "queue", "queue": 2},
            ["22:18:20", "22:18:21"],
            "left out 3 until 22:18:00: their time was missed",
        ),
    ],
    ids=["skip", "once", "once, with a queue", "all", "all that fit"],
)
def test_fires_that_were_slept_through(rules: dict[str, Any], starts: list[str], left_out: str | None):
    seen, news = after_a_nap(rules, 5)
    assert seen[: len(starts)] == starts
    assert [line for line in news if line.startswith("left out")] == ([left_out] if left_out else [])
    assert seen[len(starts)] == "22:19:00"


@pytest.mark.parametrize(
    ("missed", "late", "count"),
    [("skip", 59, 1), ("skip", 61, 0), ("once", 61, 1), ("once", 3600, 1)],
)
def test_a_last_fire_is_missed_when_it_is_noticed_more_than_a_minute_late(missed, late: int, count: int):
    fire = BEGIN - timedelta(seconds=late)
    schedule = DatesSchedule([fire], missed=missed)
    notes = Notes()
    keeper = lambda: Timekeeper(  # noqa: E731
        lasting(1, schedule), {}, teller=notes, since=fire - timedelta(seconds=1)
    )

    async def story() -> None:
        await keeper().follow()

    run_virtual(story())
    assert len(notes.runs) == count


@given(
    every=st.integers(1, 200),
    lasts=st.lists(st.integers(0, 400), min_size=1, max_size=5),
    rules=st.sampled_from(
        [
            {},
            {"overlap": "queue", "queue": 1},
            {"overlap": "queue", "queue": 3, "missed": "all"},
            {"overlap": "cancel", "missed": "once"},
        ]
    ),
    fires=st.integers(1, 12),
)
@settings(deadline=None)
def test_every_fire_is_run_or_told_to_be_left_out(every: int, lasts: list[int], rules: Any, fires: int):
    begun: list[float] = []
    ended: list[float] = []

    @flow(schedule=IntervalSchedule(every, runs=fires, **rules))
    async def etl() -> None:
        assert len(begun) == len(ended), "runs do not overlap"
        begun.append(asyncio.get_running_loop().time())
        try:
            await asyncio.sleep(lasts[len(begun) % len(lasts)])
        finally:
            ended.append(asyncio.get_running_loop().time())

    _, notes = follow(etl)
    left_out = sum(int(line.split()[2]) for line in notes.news if line.startswith("left out"))
    assert len(notes.runs) + left_out == fires
    assert all(run.state.name in ("Success", "Cancelled") for run in notes.runs)


# ---------------------------------------------------------------------------- stopping


def stopping(at: float, grace: float | None):
    async def stop(keeper: Timekeeper) -> None:
        await asyncio.sleep(at)
        keeper.stop(grace)
        keeper.stop(0)  # once is enough

    return stop


def test_stopped_while_it_waits_it_ends_at_once():
    keeper, notes = follow(lasting(1, IntervalSchedule(3600)), stopping(10, 30))
    assert notes.lines == ["wait 23:00:00"]
    assert keeper.last is None


def test_a_run_that_ends_in_its_grace_is_let_be():
    _, notes = follow(lasting(50, IntervalSchedule(MINUTE)), stopping(45, 60))
    assert notes.news == ["Success of 22:14:00"]


def test_a_run_that_takes_longer_is_cancelled_and_says_why():
    _, notes = follow(lasting(500, IntervalSchedule(MINUTE)), stopping(45, 30))
    assert notes.news == ["Cancelled of 22:14:00"]
    assert notes.runs[0].state.message == "It was stopped, and did not end within 30 s."
    assert notes.runs[0].events[-1].offset == pytest.approx(35)


def test_what_waits_for_its_turn_is_not_begun_any_more():
    _, notes = follow(lasting(500, IntervalSchedule(MINUTE, overlap="queue")), stopping(200, None))
    assert notes.news == ["left out 2 until 22:16:00: no more runs are started", "Success of 22:14:00"]


def test_cancelling_who_follows_cancels_the_runs_and_waits_for_their_ends():
    begun: list[FlowRun] = []

    async def story() -> None:
        keeper = Timekeeper(lasting(500, IntervalSchedule(MINUTE)), {}, begun=begun.append)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100):
                await keeper.follow()
        assert keeper.going == 0

    run_virtual(story())
    assert [(run.state.name, run.state.message) for run in begun] == [("Cancelled", "Interrupted.")]


def test_sys_exit_in_a_body_ends_it_as_it_ends_a_script():
    @flow(schedule=IntervalSchedule(MINUTE))
    async def leaving() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit, match="3"):
        run_virtual(leaving.follow())


# ---------------------------------------------------------------------------- flows with schedules


def test_the_tutorials_way_to_write_it():
    seen: list[str] = []

    @task
    async def extract(size: int) -> None:
        seen.append(f"{clock()} {size}")

    with Flow("etl", IntervalSchedule(interval=MINUTE, runs=2)) as recorded:
        extract(Parameter("size", default=3))
    run = run_virtual(recorded.follow())
    assert seen == ["22:14:00 3", "22:15:00 3"]
    assert run.is_success()


def test_start_runs_once_and_now():
    seen: list[str] = []

    async def story() -> None:
        run = await lasting(1, IntervalSchedule(MINUTE), seen).start()
        await run.wait()

    run_virtual(story())
    assert seen == ["22:13:20"]


def test_run_may_leave_the_schedule_aside():
    assert lasting(0, IntervalSchedule(3600)).run(run_on_schedule=False).is_success()


@pytest.mark.real_time("the clock of this computer is what it is about")
def test_run_follows_the_schedule_on_the_clock_of_this_computer():
    run = lasting(0, IntervalSchedule(0.02, runs=3)).run()
    assert run.is_success()


def test_a_copy_of_a_flow_may_have_another_schedule():
    plain = lasting(0, IntervalSchedule(60))
    assert plain.with_options(schedule=None).schedule is None
    assert lasting(0, CronSchedule("@daily")).with_options(fail_fast=True).schedule is not None


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: Flow("etl", MINUTE), InvalidFlow, "IntervalSchedule"),
        (lambda: flow(schedule="@daily")(lambda: None), InvalidFlow, "not a schedule"),
        (lambda: follow(Flow("etl")), InvalidSchedule, "has no schedule"),
        (
            lambda: follow(Flow("etl", DatesSchedule([BEGIN]))),
            InvalidSchedule,
            "Flow has no more scheduled runs",
        ),
        (
            lambda: follow(Flow("etl", IntervalSchedule(60, not_filters=[lambda at: True]))),
            InvalidSchedule,
            "passes the filters",
        ),
        (lambda: follow(Flow("etl", IntervalSchedule(60)), size=3), ParameterError, "size"),
        (
            lambda: follow(Flow("etl", IntervalSchedule(60, parameters={"sise": 3}))),
            ParameterError,
            "sise",
        ),
        (
            lambda: run_virtual(awaited(lambda: Flow("etl", IntervalSchedule(60)).run())),
            UsageError,
            "running event loop",
        ),
    ],
)
def test_what_can_not_be_followed_says_so(make, error: type[Exception], told: str):
    with pytest.raises((error, ExceptionGroup)) as caught:
        make()
    raised = caught.value.exceptions[0] if isinstance(caught.value, ExceptionGroup) else caught.value
    assert isinstance(raised, error)
    assert told in str(raised)


async def awaited(call) -> Any:
    return call()


def test_filters_hold_when_a_schedule_is_followed():
    seen: list[str] = []
    schedule = IntervalSchedule(timedelta(minutes=30), runs=2, filters=[filters.is_day_of_week("wednesday")])
    follow(lasting(0, schedule, seen))
    assert seen == ["00:00:00", "00:30:00"]


def test_it_may_be_told_for_how_many_fires_to_follow_and_with_which_options():
    made: list[RunOptions] = []

    def options() -> RunOptions:
        made.append(RunOptions(scenario="storm"))
        return made[-1]

    async def story() -> Timekeeper:
        keeper = Timekeeper(lasting(0, IntervalSchedule(MINUTE)), {}, options=options, fires=2)
        await keeper.follow()
        return keeper

    keeper = run_virtual(story())
    assert len(made) == 2
    assert keeper.last is not None
    assert keeper.last.header.scenario == "storm"
    assert keeper.last.options.scheduled == EPOCH + 100
