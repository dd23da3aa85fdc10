"""Pauses and loops meet the other words of flows: maps, rollback, limits, caches and processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asyncflow import Retry, ambient, current, flow, signals, task, triggers, unmapped
from asyncflow.engine import FlowRun
from asyncflow.flow import Flow
from asyncflow.policy.slots import Resource
from asyncflow.sim import Simulation
from asyncflow.store import MemoryStore, SQLiteStore

from .kit import play, states


@pytest.fixture(params=["memory", "file"])
def in_turn(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., list[FlowRun]]:
    """Run a flow, then resume it with each input; gives the run after each part."""

    def story_of(of: Flow[..., Any], *inputs: Any) -> list[FlowRun]:
        kept = MemoryStore()

        async def story() -> list[FlowRun]:
            runs: list[FlowRun] = []
            for given in (None, *inputs):
                store: Any = kept if request.param == "memory" else SQLiteStore(tmp_path / "runs.db")
                await store.open()
                if runs:
                    going = await of.start_resumed(runs[0].id, input=given, store=store)
                else:
                    going = await of.with_options(store=store).start()
                runs.append(await going.wait())
                await store.close()
            return runs

        done: list[FlowRun] = Simulation(seed=7).run(story())
        return done

    return story_of


@task
async def approve() -> Any:
    if not current().resumed:
        raise signals.PAUSE("needs a signature")
    return current().input


def test_an_element_of_a_map_that_pauses_fails_and_says_what_to_do():
    @task
    async def ask(number: int) -> int:
        if number == 1:
            raise signals.PAUSE("which one?")
        return number

    @flow
    async def f():
        return ask.map(range(3))

    run = play(f)
    assert states(run) == {"ask": "Failed"}
    assert [child.state.name for child in run.tasks["ask"].children] == ["Success", "Failed", "Success"]
    assert "pause in a task of its own" in run.tasks["ask"].children[1].state.message


def test_loops_work_in_elements():
    @task(retry=Retry(2))
    async def climb(number: int) -> int:
        if current().loop_count <= number:
            raise signals.LOOP("up", result=current().loop_count)
        return (current().loop_result or 0) * 10

    @flow
    async def f():
        return climb.map(range(4))

    assert play(f).result() == [0, 10, 20, 30]


def test_a_map_with_manual_only_pauses_as_a_whole(in_turn):
    ran: list[int] = []

    @task(trigger=triggers.manual_only)
    async def send(number: int) -> int:
        ran.append(number)
        return number

    @flow
    async def f():
        return send.map(range(3))

    first, then = in_turn(f, None)
    assert first.is_paused()
    assert then.result() == [0, 1, 2]
    assert ran == [0, 1, 2]


@pytest.mark.parametrize("count", [3, 1200])
def test_a_map_that_follows_one_from_before_the_pause_sees_its_elements(in_turn, count):
    ran: list[int] = []

    @task
    async def read(number: int) -> Any:
        ran.append(number)
        if number == 1:
            raise signals.SKIP("empty")
        return number if number != 2 else None

    @task(skip_on_upstream_skip=False)
    async def add(number: Any, more: int) -> Any:
        return (number, more)

    @flow
    async def f():
        return add.map(read.map(range(count)), unmapped(approve()))

    first, then = in_turn(f, 5)
    assert (first.state.name, states(first)["read"], states(first)["add"]) == ("Paused", "Success", "Pending")
    assert then.result() == [(0, 5), (None, 5), (None, 5), *[(number, 5) for number in range(3, count)]]
    assert ran == list(range(count))
    assert len({event.task for event in then.events if event.kind == "task_called"}) == len(
        [event for event in then.events if event.kind == "task_called"]
    )


def test_a_map_whose_input_is_held_up_does_not_keep_the_run_from_its_rest(in_turn):
    @task
    async def read(number: int) -> int:
        return number

    @task
    async def add(one: int, other: int) -> int:
        return one + other

    @flow
    async def f():
        early = read.map(range(3))
        late = read.map(approve())
        return add.map(early, late)

    first, then = in_turn(f, [10, 20, 30])
    assert first.is_paused()
    assert then.result() == [10, 21, 32]


def test_what_was_done_before_the_pause_is_undone_after_it(in_turn):
    lines: list[str] = []

    @task
    async def book(trip: str) -> str:
        return f"booking of {trip}"

    @book.on_rollback
    async def cancel(booking: str, trip: str) -> None:
        lines.append(f"cancel {booking} ({trip})")

    @task
    async def ship(_booking: str, _signature: Any) -> None:
        raise ValueError("no lorry")

    @flow
    async def f():
        return ship(book("Rome"), approve())

    first, then = in_turn(f, "Ada")
    assert first.is_paused()
    assert then.is_failed()
    assert lines == ["cancel booking of Rome (Rome)"]


def test_a_paused_run_holds_no_slots():
    database = Resource("database", 1)

    @task(uses=database)
    async def ask() -> Any:
        await asyncio.sleep(1)
        if not current().resumed:
            raise signals.PAUSE("who?")
        return current().input

    @flow
    async def f():
        return [ask(), ask()]

    async def story() -> tuple[FlowRun, int]:
        run = await (await f.start()).wait()
        return run, database.limit(ambient.world()).taken

    run, taken = Simulation(seed=7).run(story())
    assert states(run) == {"ask": "Paused", "ask#2": "Paused"}
    assert taken == 0


def test_a_cached_task_that_pauses_keeps_what_it_came_to_after_the_resume(in_turn):
    ran: list[Any] = []

    @task(cache_for=60)
    async def ask(what: str) -> Any:
        ran.append(what)
        if not current().resumed:
            raise signals.PAUSE("who?")
        return current().input

    @flow
    async def f():
        return ask("who")

    _, then = in_turn(f, "Ada")
    assert then.result() == "Ada"
    assert "Kept until" in then.tasks["ask"].state.message
    assert ran == ["who", "who"]


@task(process=True)
def climb() -> int:
    here = current()
    if here.loop_count < 3:
        raise signals.LOOP("up", result=(here.loop_result or 0) + 10)
    return int(here.loop_result)


def test_loops_work_in_processes():
    @flow
    async def f():
        return climb()

    assert f.run().result() == 20
