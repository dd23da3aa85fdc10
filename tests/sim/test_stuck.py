from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial

import pytest

from asyncflow.errors import Stuck, UsageError
from asyncflow.sim import Simulation, run
from asyncflow.sim.limits import Limits
from tests.sim import stories

HERE = "tests/sim/stories.py"


def stuck_in(main, **options) -> Stuck:
    with pytest.raises(Stuck) as caught:
        Simulation(**options).run(main)
    return caught.value


def line_of(text: str) -> int:
    """Return the line of the story that says this."""
    with open(stories.__file__, encoding="utf-8") as file:
        return next(number for number, line in enumerate(file, 1) if text in line)


# ------------------------------------------------------------------ deadlock


def test_with_nothing_ready_and_no_timer_the_world_is_stuck_and_names_who_waits_where():
    report = stuck_in(stories.waits_in_a_circle())
    assert report.kind == "deadlock"
    assert report.tasks == (
        ("Task-1", f"{HERE}:{line_of('# groups')} in waits_in_a_circle, in TaskGroup.__aexit__"),
        ("worker", f"{HERE}:{line_of('# takes')} in waits_in_a_circle.<locals>.take, in Queue.get"),
        ("joiner", f"{HERE}:{line_of('# joins')} in waits_in_a_circle.<locals>.join, waits for worker"),
    )
    assert str(report).splitlines() == [
        "at 3,600.000000 s nothing can run any more and no timer is set:",
        *(f"  {name}: {where}" for name, where in report.tasks),
    ]


WAITS = {
    "event": ("event", "event, in Event.wait"),
    "deep": ("innermost", "innermost"),
    "in_generator": ("forever", "forever"),
    "by_anext": ("forever", "forever"),
    "in_awaitable": ("innermost", "innermost"),
    "by_hand": ("by_hand", "ByHand.__await__"),
    "old_style": ("old_style", "old_style_wait"),
}


@pytest.mark.parametrize("name", WAITS)
def test_a_wait_is_found_at_the_end_of_the_chain(name):
    """Through coroutines, generators of both kinds, and objects of C that do not tell what they drive."""
    line, where = WAITS[name]
    report = stuck_in(getattr(stories, name)())
    assert report.tasks == (("Task-1", f"{HERE}:{line_of(f'# {line}:')} in {where}"),)


def test_the_report_is_the_same_every_time():
    assert len({str(stuck_in(stories.many(30))) for _ in range(10)}) == 1


def test_a_report_names_the_tasks_in_the_order_in_which_they_were_made_and_the_text_not_all_of_them():
    report = stuck_in(stories.many(30))
    assert [name for name, _ in report.tasks] == ["Task-1", *(f"t{number}" for number in range(30))]
    assert len(str(report).splitlines()) == 22
    assert str(report).splitlines()[-1] == "  and 11 more"


def test_a_task_that_waits_for_a_timer_at_the_end_of_time_is_stuck():
    assert stuck_in(stories.sleeps_for_ever()).kind == "deadlock"


def test_nobody_can_catch_that_the_world_is_stuck():
    async def main():
        try:
            await asyncio.Event().wait()
        except Exception:
            seen.append("caught")

    seen = []
    stuck_in(main())
    assert seen == []


# ------------------------------------------------------------------ livelock


@pytest.fixture
def impatient(monkeypatch):
    """Let a simulation count as stuck soon."""

    def use(**limits):
        monkeypatch.setattr("asyncflow.sim.simulation.Limits", lambda **_: Limits(**limits))

    return use


def test_a_clock_that_stands_still_is_a_livelock_that_names_what_ran_last(impatient):
    impatient(standstill=5_000)
    report = stuck_in(stories.ping_pong())
    assert report.kind == "livelock"
    assert sorted(report.tasks) == [
        ("ping", f"{HERE}:{line_of('# spins')} in spin, in __sleep0"),
        ("pong", f"{HERE}:{line_of('# spins')} in spin, in __sleep0"),
    ]


def test_callbacks_that_call_each_other_for_ever_are_named_by_their_place(impatient):
    impatient(standstill=5_000)
    report = stuck_in(stories.callback_chain())
    assert report.tasks == (("again", f"{HERE}:{line_of('def again')}"),)


def test_a_busy_instant_is_no_livelock(impatient):
    async def main():
        for _ in range(10):
            for _ in range(3_000):
                await asyncio.sleep(0)
            await asyncio.sleep(1)

    impatient(standstill=5_000)
    Simulation().run(main())


def test_a_clock_that_only_blocking_code_moves_is_no_standstill(impatient):
    async def main():
        for _ in range(30_000):
            await asyncio.sleep(0)
            simulation.clock.now += 0.5

    impatient(standstill=5_000)
    simulation = Simulation()
    simulation.run(main())


# ------------------------------------------------------------------ overtime


def test_a_program_may_not_go_on_beyond_its_limit():
    report = stuck_in(stories.beats(60.0), limit=3_600)
    assert report.kind == "overtime"
    assert "the next timer is set to 3,660.000000 s, beyond the limit of 3,600.000000 s" in str(report)
    assert [name for name, _ in report.tasks] == ["Task-1", "heart"]


def test_a_limit_can_be_reached_exactly():
    async def main():
        await asyncio.sleep(3_600)
        return asyncio.get_running_loop().time()

    assert run(main(), limit=3_600) == 3_600.0


def test_without_a_limit_a_program_has_a_year():
    report = stuck_in(stories.beats(86_400.0))
    assert report.kind == "overtime"
    assert "365" not in str(report)
    assert "31,536,000.000000 s" in str(report)


def test_steps_are_limited_too():
    report = stuck_in(stories.beats(0.001), steps=10_000)
    assert report.kind == "overtime"
    assert "the limit of 10,000 steps" in str(report)
    assert report.tasks[0][0] == "heart"


# ------------------------------------------------------------------ what happens to the tasks


def test_tasks_of_a_stuck_program_are_cancelled_and_may_clean_up_in_virtual_time():
    async def main():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(60)
            seen.append(asyncio.get_running_loop().time())

    seen = []
    stuck_in(main())
    assert seen == [60.0]


async def swallows():
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


async def swallows_and_sleeps():
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(1e9)


async def spins_when_it_is_cancelled():
    try:
        await asyncio.Event().wait()
    finally:
        while True:
            await asyncio.sleep(0)


async def goes_on_with_another():
    loop = asyncio.get_running_loop()
    loop.those_who_went_on = [asyncio.current_task()]
    try:
        await asyncio.Event().wait()
    finally:
        loop.those_who_went_on.append(loop.create_task(goes_on_with_another()))


@pytest.mark.parametrize(
    "stubborn", [swallows, swallows_and_sleeps, spins_when_it_is_cancelled, goes_on_with_another]
)
@pytest.mark.parametrize("ending", ["stuck", "value", "error"])
def test_a_task_that_will_not_end_does_not_hang_the_process(stubborn, ending, caplog):
    """`asyncio.run` would wait for it for ever."""

    async def main():
        task = asyncio.get_running_loop().create_task(stubborn(), name="stubborn")
        await asyncio.sleep(1)
        if ending == "error":
            raise KeyError("the program's own")
        if ending == "stuck":
            await asyncio.Event().wait()
        return task

    began = time.monotonic()
    if ending == "error":
        with pytest.raises(KeyError) as caught:
            run(main())
        assert "not everything in it ends when it is cancelled" in str(caught.value.__notes__)
    else:
        report = stuck_in(main(), limit=1_000_000)
        assert report.kind == (
            "overtime" if ending == "value" or stubborn is swallows_and_sleeps else "deadlock"
        )
    assert time.monotonic() - began < 10
    assert "Task was destroyed" not in caplog.text


@pytest.mark.parametrize("error", [ValueError, SystemExit, asyncio.CancelledError, Stuck])
def test_clean_up_code_can_not_hide_that_the_world_is_stuck(error, caplog):
    async def main():
        try:
            await asyncio.Event().wait()
        finally:
            raise error("from the clean-up")

    assert "nothing can run" in str(stuck_in(main()))


def test_clean_up_code_of_a_task_that_is_given_up_still_runs_in_this_world():
    async def stubborn():
        try:
            await swallows()
        finally:
            seen.append(asyncio.get_event_loop_policy() and simulation.clock.now)

    async def main():
        task = asyncio.get_running_loop().create_task(stubborn())
        await asyncio.sleep(7)
        assert not task.done()

    seen, simulation = [], Simulation()
    with pytest.raises(Stuck, match="not everything in it ends when it is cancelled"):
        simulation.run(main())
    assert seen == [7.0]


def test_partial_callbacks_and_methods_are_named_by_what_they_call(impatient):
    class Wheel:
        def turn(self, _how):
            asyncio.get_running_loop().call_soon(partial(self.turn, "on"))

    async def main():
        Wheel().turn("on")
        await asyncio.Event().wait()

    impatient(standstill=2_000)
    ((name, where),) = stuck_in(main()).tasks
    assert name.endswith("Wheel.turn")
    assert where.startswith("tests/sim/test_stuck.py:")


@pytest.mark.parametrize("options", [{"limit": 0}, {"limit": -1}, {"steps": 0}])
def test_a_limit_is_above_zero(options):
    with pytest.raises(UsageError, match="must be above 0"):
        Simulation(**options)
