from __future__ import annotations

from asyncflow.events import RunSummary
from asyncflow.store import MemoryStore

from .runs import a_kept_run, header


def test_appending_costs_no_more_than_appending_to_a_list() -> None:
    journal = MemoryStore().journal(header())
    assert journal.append.__self__ is journal.events  # type: ignore[attr-defined]  # a bound method has it
    assert journal.append.__name__ == "append"


async def test_only_the_newest_of_the_runs_that_are_over_are_remembered() -> None:
    store = MemoryStore(finished=3)
    for number in range(20):
        await a_kept_run(store, run_id=f"run{number:02}", started=float(number))
    assert [run.header.id for run in await store.runs()] == ["run19", "run18", "run17"]
    assert await store.find("run00") is None
    assert await store.events("run00") == []


async def test_what_is_over_is_forgotten_without_anybody_reading() -> None:
    store = MemoryStore(finished=3)
    for number in range(20):
        await a_kept_run(store, run_id=f"run{number:02}")
        assert len(repr(store)) < 40
    assert repr(store) in {f"<MemoryStore, {few} runs>" for few in range(3, 8)}


async def test_a_run_that_goes_on_is_never_forgotten() -> None:
    store = MemoryStore(finished=1)
    going_on = [store.journal(header(f"on{number}", started=float(number))) for number in range(5)]
    for number in range(5):
        await a_kept_run(store, run_id=f"over{number}", started=100.0 + number)
    assert [run.header.id for run in await store.runs()] == ["over4", "on4", "on3", "on2", "on1", "on0"]
    going_on[0].append((1.0, "run_ended", 0, 0, {"tasks": 0, "attempts": 0, "faults": 0}))
    assert len(await store.runs()) == 5


async def test_only_the_newest_of_the_runs_that_are_kept_elsewhere_are_remembered() -> None:
    store = MemoryStore(finished=2)
    for number in range(4):
        await store.keep(RunSummary(header(f"run{number}", started=float(number)), "Success", home="there"))
    assert [run.header.id for run in await store.runs()] == ["run3", "run2"]
