"""A body that blocks the event loop is found and named, in both worlds."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from asyncflow import flow, task
from asyncflow.engine import blocking
from asyncflow.engine.watchdog import Watchdog
from asyncflow.sim import run as simulated
from tests.engine.kit import of_kind


def deep_in(seconds):
    time.sleep(seconds)


@task
async def blocks(seconds):
    deep_in(seconds)
    return "done"


@task
async def starts_others(seconds):
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(0))
        group.create_task(blocks.fn(seconds))


def in_sim(declared):
    async def story():
        return await (await declared.start()).wait()

    return simulated(story())


def blocked(run):
    """Return task and detail of each time that the loop was blocked."""
    return [(event.task, event.attempt, event.detail) for event in run.events if event.kind == "loop_blocked"]


@pytest.fixture
def soon(monkeypatch):
    """A loop counts as blocked after 50 real ms."""
    monkeypatch.setenv("ASYNCFLOW_BLOCKED_AFTER", "0.05")


@pytest.mark.parametrize("body", [blocks, starts_others], ids=lambda body: body.name)
def test_the_task_is_named_with_its_stack_in_a_simulated_world(body):
    run = in_sim(flow(name="f")(lambda: [blocks(0.5), body(30)]))
    ((number, attempt, detail),) = blocked(run)
    assert (number, attempt) == (2, 1)
    assert detail["seconds"] == 30.0
    assert detail["where"].endswith(" in deep_in")
    assert detail["where"].startswith("tests/engine/test_blocking.py:")
    assert [place.rpartition(" ")[2] for place in detail["stack"]][-2:] == ["blocks", "deep_in"]


@pytest.mark.real_time("how long the loop stands still is told by a real clock")
@pytest.mark.parametrize("body", [blocks, starts_others], ids=lambda body: body.name)
def test_the_task_is_named_with_its_stack_in_the_real_world(body, soon, caplog):
    run = flow(name="f")(lambda: body(0.4)).run()
    ((number, attempt, detail),) = blocked(run)
    assert (number, attempt) == (1, 1)
    assert 0.05 <= detail["seconds"] < 5
    assert detail["where"].endswith(" in deep_in")
    assert [place.rpartition(" ")[2] for place in detail["stack"]][-2:] == ["blocks", "deep_in"]
    (said,) = [record.getMessage() for record in caplog.records if "has been blocked" in record.getMessage()]
    assert (
        f"by task {body.name!r}, attempt 1, of flow run {run.name}, at tests/engine/test_blocking.py:" in said
    )
    assert "  tests/engine/test_blocking.py:" in said.splitlines()[-1]


@pytest.mark.real_time("how long the loop stands still is told by a real clock")
@pytest.mark.parametrize("world", ["real", "simulated"])
def test_a_flows_own_body_is_named_too(world, soon):
    @flow
    async def f():
        time.sleep(0.3)

    run = f.run() if world == "real" else in_sim(f)
    ((number, attempt, detail),) = blocked(run)
    assert (number, attempt) == (0, 0)
    assert detail["where"].endswith("f")


def test_sleeps_of_one_turn_add_up_and_are_told_once():
    @task
    async def naps():
        for _ in range(4):
            time.sleep(0.4)
        await asyncio.sleep(0)
        for _ in range(2):
            time.sleep(0.4)

    run = in_sim(flow(name="f")(lambda: naps()))
    assert [detail["seconds"] for _, _, detail in blocked(run)] == [pytest.approx(1.6)]


def test_each_blocking_is_told():
    @task
    async def twice():
        time.sleep(2)
        await asyncio.sleep(1)
        time.sleep(3)

    run = in_sim(flow(name="f")(lambda: twice()))
    assert [detail["seconds"] for _, _, detail in blocked(run)] == [2, 3]


@pytest.mark.real_time("how long the loop stands still is told by a real clock")
def test_bodies_in_threads_block_nothing(soon):
    @task
    def sleeps():
        time.sleep(0.3)

    declared = flow(name="f")(lambda: sleeps())
    assert blocked(declared.run()) == blocked(in_sim(declared)) == []


@pytest.mark.real_time("how long the loop stands still is told by a real clock")
def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setenv("ASYNCFLOW_BLOCKED_AFTER", "0")
    assert blocked(in_sim(flow(name="f")(lambda: blocks(30)))) == []


def test_a_setting_that_is_no_number_is_the_usual_one(monkeypatch):
    monkeypatch.setenv("ASYNCFLOW_BLOCKED_AFTER", "soon")
    assert len(blocked(in_sim(flow(name="f")(lambda: blocks(1))))) == 1
    assert blocked(in_sim(flow(name="f")(lambda: blocks(0.99)))) == []


@pytest.mark.real_time("how long the loop stands still is told by a real clock")
def test_there_is_one_thread_for_all_runs_and_nothing_to_watch_between_them(soon):
    declared = flow(name="f")(lambda: blocks(0))
    declared.run()
    before = watchers()
    for _ in range(3):
        declared.run()
    assert watchers() == before
    assert blocking._of_process._watched == {}


def watchers():
    """Return the threads that watch loops; other tests may have left some of their own."""
    return [thread.ident for thread in threading.enumerate() if thread.name == "asyncflow-blocked-loops"]


@pytest.mark.real_time("how long the loop stands still is told by a real clock")
def test_a_task_that_belongs_to_no_run_is_logged_all_the_same():
    noticed, told = [], []

    async def story():
        watchdog.watch(0.02, lambda *what: told.append(what))
        deep_in(0.2)
        await asyncio.sleep(0.05)
        watchdog.unwatch()

    watchdog = Watchdog(lambda *what: noticed.append(what))
    asyncio.run(story())
    assert [place[0].rpartition(" ")[2] for _, _, place in noticed] == ["deep_in"]
    assert len(told) == 1
    assert blocking.named(None) == "code outside of any flow run"


@pytest.mark.real_time("how long the loop stands still is told by a real clock")
def test_a_loop_that_is_idle_is_not_blocked(soon):
    @flow
    async def f():
        await asyncio.sleep(0.3)

    assert of_kind(f.run(), "loop_blocked") == []
