"""Several scheduled flows in one service, on one store, from one process to the next."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from asyncflow import flow
from asyncflow.errors import InvalidSchedule
from asyncflow.flow import Flow
from asyncflow.schedules import DatesSchedule, IntervalSchedule, Schedule
from asyncflow.serving import Service
from asyncflow.serving.service import last_fire
from asyncflow.sim.clock import EPOCH
from asyncflow.sim.simulation import Simulation
from asyncflow.store import MemoryStore
from tests.clock import run_virtual
from tests.serving.kit import Notes

MINUTE = timedelta(minutes=1)


def named(name: str, schedule: Schedule, error: BaseException | None = None) -> Flow[..., Any]:
    @flow(name=name, schedule=schedule)
    async def body() -> None:
        if error is not None:
            raise error

    return body


async def served(flows: list[Flow[..., Any]], notes: Notes) -> None:
    store = MemoryStore()
    await store.open()
    await Service(flows, store, teller=notes).follow()


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
def test_a_flow_that_fails_does_not_touch_the_others(error: BaseException):
    notes = Notes()
    flows = [
        named("bad", IntervalSchedule(MINUTE, runs=3), error),
        named("good", IntervalSchedule(MINUTE, runs=3)),
    ]
    run_virtual(served(flows, notes))
    assert [(run.flow.name, run.is_success()) for run in notes.runs].count(("good", True)) == 3
    assert [(run.flow.name, run.is_success()) for run in notes.runs].count(("bad", False)) == 3


def test_a_flow_whose_schedule_has_ended_is_told_of_and_the_others_go_on():
    notes = Notes()
    over = named("over", DatesSchedule([datetime(2020, 1, 1, tzinfo=UTC)]))
    run_virtual(served([over, named("etl", IntervalSchedule(MINUTE, runs=1))], notes))
    assert notes.news == ["exhausted", "exhausted", "Success of 22:14:00"]


def test_where_all_schedules_have_ended_there_is_nothing_to_do():
    over = named("over", DatesSchedule([datetime(2020, 1, 1, tzinfo=UTC)]))
    with pytest.raises(InvalidSchedule, match="no more scheduled runs of 'over'"):
        run_virtual(served([over], Notes()))


def test_stopping_reaches_every_flow():
    notes = Notes()

    async def story() -> None:
        store = MemoryStore()
        service = Service([named(name, IntervalSchedule(MINUTE)) for name in "abc"], store, teller=notes)
        async with asyncio.TaskGroup() as group:
            group.create_task(service.follow())
            await asyncio.sleep(130)
            assert service.going == 0
            service.stop()

    run_virtual(story())
    assert len(notes.runs) == 6


def test_a_service_that_was_stopped_before_it_began_does_nothing():
    notes = Notes()

    async def story() -> None:
        service = Service([named("etl", IntervalSchedule(MINUTE))], MemoryStore(), teller=notes)
        service.stop()
        await service.follow()

    run_virtual(story())
    assert notes.lines == []


@pytest.mark.parametrize(
    ("rules", "news"),
    [
        ({}, ["Success of 22:24:00"]),
        (
            {"missed": "once"},
            [
                "left out 8 until 22:23:00: their time was missed",
                "Success of 22:23:00",
                "Success of 22:24:00",
            ],
        ),
        (
            {"missed": "all", "overlap": "queue"},
            [f"Success of 22:{minute}:00" for minute in range(15, 25)],
        ),
    ],
    ids=["skip", "once", "all"],
)
def test_fires_that_came_while_no_process_was_there_are_missed_ones(rules: dict[str, Any], news: list[str]):
    """The store tells for which fire the newest run was made."""
    end = datetime.fromtimestamp(EPOCH + 11 * 60, UTC)
    etl = named("etl", IntervalSchedule(MINUTE, end=end, **rules))
    store = MemoryStore()

    async def process(notes: Notes, seconds: float, *, begins: float = 0.0) -> None:
        await asyncio.sleep(begins)
        await store.open()
        service = Service([etl], store, teller=notes)
        async with asyncio.TaskGroup() as group:
            group.create_task(service.follow())
            await asyncio.sleep(seconds)
            service.stop()

    first, second = Notes(), Notes()
    run_virtual(process(first, 50))
    run_virtual(process(second, 50, begins=600.0))
    assert [line for line in first.news if "Success" in line] == ["Success of 22:14:00"]
    assert [line for line in second.news if line != "exhausted"] == news


def test_runs_that_no_schedule_made_are_passed_over():
    async def story() -> datetime | None:
        store = MemoryStore()
        await store.open()
        assert await last_fire(store, "etl") is None
        etl = named("etl", IntervalSchedule(MINUTE, runs=1)).with_options(store=store)
        await Service([etl], store, teller=Notes()).follow()
        for _ in range(3):
            await (await etl.start())
        return await last_fire(store, "etl")

    assert run_virtual(story()) == datetime.fromtimestamp(EPOCH + 40, UTC)


def test_a_simulated_world_has_the_same_fires_and_the_same_trace_every_time():
    def simulated() -> tuple[list[str], str]:
        notes = Notes()
        simulation = Simulation(seed=7)
        simulation.run(served([named("etl", IntervalSchedule(MINUTE, runs=3))], notes))
        return [*notes.lines, *(run.name for run in notes.runs)], simulation.trace.digest()

    first = simulated()
    assert [line for line in first[0] if "Success" in line] == [
        f"Success of 22:{minute}:00" for minute in (14, 15, 16)
    ]
    assert simulated() == first
