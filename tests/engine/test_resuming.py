"""Resume: the body runs again on recorded outcomes, and what was paused goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asyncflow import Retry, current, flow, signals, task, triggers
from asyncflow.engine import FlowRun
from asyncflow.errors import Diverged, NotFound, StoredFailure, StoreError, UsageError
from asyncflow.flow import Flow
from asyncflow.sim import Simulation
from asyncflow.store import MemoryStore, SQLiteStore

from .kit import moves, of_kind
from .kit import states as final_states

ran: list[str] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    ran.clear()


@pytest.fixture(params=["memory", "file"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Any]:
    """Each of the stores in turn; a file is opened by a store of its own each time."""
    if request.param == "memory":
        kept = MemoryStore()
        return lambda: kept
    return lambda: SQLiteStore(tmp_path / "runs.db")


def in_turn(
    make_store: Callable[[], Any], of: Flow[..., Any], *inputs: Any, **parameters: Any
) -> list[FlowRun]:
    """Run a flow, then resume it with each input; return the run after each part."""

    async def story() -> list[FlowRun]:
        store = make_store()
        await store.open()
        runs = [await (await of.with_options(store=store).start(**parameters)).wait()]
        for given in inputs:
            await store.close()
            store = make_store()
            await store.open()
            runs.append(await (await of.start_resumed(runs[0].id, input=given, store=store)).wait())
        await store.close()
        return runs

    runs: list[FlowRun] = Simulation(seed=7).run(story())
    return runs


@task
async def extract() -> dict[str, Any]:
    ran.append("extract")
    return {"rows": (1, 2), "seen": {3}}


@task
async def broken() -> None:
    ran.append("broken")
    raise KeyError("company")


@task
async def approve(_rows: Any = None) -> Any:
    ran.append("approve")
    if not current().resumed:
        raise signals.PAUSE("needs a signature")
    return current().input


@task
async def load(rows: Any, approved: Any) -> Any:
    ran.append("load")
    return rows, approved


@flow
async def signed(size: Any = 1) -> Any:
    rows, bad = extract(), broken()
    approved = approve(rows)
    try:
        await bad
    except KeyError as error:
        ran.append(f"handled {error}")
    return await load(rows, approved), size


def test_a_resumed_run_ends_as_if_it_had_never_paused(make_store: Callable[[], Any]) -> None:
    paused, done = in_turn(make_store, signed, {"by": "Ada"}, size=(1, {2}))
    assert paused.is_paused()
    assert ran == [
        "extract",
        "broken",
        "handled 'company'",
        "approve",
        "handled 'company'",
        "approve",
        "load",
    ] or (sorted(ran) == sorted(["extract", "broken", *["handled 'company'", "approve"] * 2, "load"]))
    assert done.result() == (({"rows": (1, 2), "seen": {3}}, {"by": "Ada"}), (1, {2}))
    assert (done.id, done.name) == (paused.id, paused.name)


def test_the_events_go_on_in_the_same_journal(make_store: Callable[[], Any]) -> None:
    _, done = in_turn(make_store, signed, "yes")
    assert moves(done) == ["Running", "Paused", "Running", "Success"]
    assert moves(done, "approve") == ["Running", "Paused", "Running", "Success"]
    assert moves(done, "extract") == ["Running", "Success"]
    assert [(event.task, event.attempt) for event in done.events if event.task == 3][-1] == (3, 2)
    assert len(of_kind(done, "task_called")) == len(done.tasks) == 4
    assert of_kind(done, "run_resumed") == [{"tasks": ["approve"], "input": "'yes'"}]
    offsets = [event.offset for event in done.events]
    assert offsets == sorted(offsets)
    assert of_kind(done, "run_ended") == [{"tasks": 4, "attempts": 5, "faults": 0}]


def test_a_failure_comes_back_as_its_own_class(make_store: Callable[[], Any]) -> None:
    _, done = in_turn(make_store, signed, "yes")
    error = done.tasks["broken"].state.result
    assert isinstance(error, KeyError)
    assert str(error) == "'company'"
    assert any("in task 'broken', attempt 1" in note for note in error.__notes__)
    if isinstance(error, StoredFailure):
        assert error.type_name == "KeyError"
        assert "in broken" in error.traceback_text


def test_manual_only_runs_when_resumed(make_store: Callable[[], Any]) -> None:
    @task(trigger=triggers.manual_only)
    async def by_hand(*_: Any) -> Any:
        ran.append("by hand")
        return current().input

    @flow
    async def guarded() -> Any:
        return [by_hand(), by_hand(extract())]

    paused, done = in_turn(make_store, guarded, 5)
    assert final_states(paused) == {"by_hand": "Paused", "extract": "Success", "by_hand#2": "Paused"}
    assert done.result() == [5, 5]
    assert sorted(ran) == ["by hand", "by hand", "extract"]
    assert moves(done, "by_hand") == ["Paused", "Running", "Success"]


def test_a_child_run_goes_on_with_its_parent(make_store: Callable[[], Any]) -> None:
    @flow
    async def parent() -> Any:
        value, _ = await signed(3)
        return value

    paused, done = in_turn(make_store, parent, "yes")
    assert paused.tasks["signed"].state.is_paused()
    assert done.result()[1] == "yes"
    assert ran.count("extract") == 1
    child = paused.tasks["signed"].state.detail["run"]
    assert child != paused.id


def test_a_run_pauses_and_is_resumed_as_often_as_it_likes(make_store: Callable[[], Any]) -> None:
    @task
    async def ask() -> Any:
        here = current()
        if here.attempt < 3:
            raise signals.PAUSE(f"question {here.attempt}")
        return here.input

    @flow
    async def asking() -> Any:
        return await ask(), await approve()

    runs = in_turn(make_store, asking, "a", "b", "c")
    assert [run.state.name for run in runs] == ["Paused", "Paused", "Paused", "Success"]
    assert runs[-1].result() == ("b", "c")


def test_only_those_that_are_named_go_on(make_store: Callable[[], Any]) -> None:
    @flow
    async def two() -> Any:
        return [approve.with_options(name="first")(), approve.with_options(name="second")()]

    async def story() -> Any:
        store = make_store()
        await store.open()
        run = await (await two.with_options(store=store).start()).wait()
        half = await (await two.start_resumed(run.id, input=1, tasks=["second"], store=store)).wait()
        states = final_states(half)
        with pytest.raises(UsageError, match=r"no task run 'fist' is paused.*'first'"):
            await two.start_resumed(run.id, tasks=["fist"], store=store)
        done = await (await two.start_resumed(run.id, input=2, store=store)).wait()
        await store.close()
        return states, done.result()

    states, result = Simulation().run(story())
    assert states == {"first": "Paused", "second": "Success"}
    assert result == [2, 1]


def test_a_pause_counts_nothing_against_the_policy(make_store: Callable[[], Any]) -> None:
    @task(retry=Retry(3, delay=60))
    async def stubborn() -> int:
        here = current()
        ran.append(f"{here.attempt}")
        if here.attempt in (1, 3, 4):
            raise ConnectionError
        if not here.resumed:
            raise signals.PAUSE
        return here.attempt

    @flow
    async def one() -> Any:
        return await stubborn()

    *_, done = in_turn(make_store, one, None)
    assert ran == ["1", "2", "3", "4"]
    assert done.state.is_failed()


def test_a_loop_goes_on_from_its_last_result(make_store: Callable[[], Any]) -> None:
    @task
    async def pages() -> Any:
        here = current()
        if here.loop_count == 2 and not here.resumed:
            raise signals.PAUSE
        if here.loop_count < 4:
            raise signals.LOOP(result=(*(here.loop_result or ()), here.loop_count))
        return here.loop_result

    @flow
    async def paged() -> Any:
        return await pages()

    assert in_turn(make_store, paged, None)[-1].result() == (1, 2, 3)


def test_handlers_are_not_asked_about_recorded_outcomes(make_store: Callable[[], Any]) -> None:
    seen: list[str] = []

    def note(run: Any, old: Any, new: Any) -> None:
        seen.append(f"{run.name} {old} > {new}")

    @flow
    async def noted() -> Any:
        extract.with_options(state_handlers=[note])()
        return await approve.with_options(state_handlers=[note])()

    async_runs = in_turn(make_store, noted, None)
    assert async_runs[-1].state.is_success()
    assert seen.count("extract Running > Success") == 1
    assert seen[-2:] == ["approve Paused > Running", "approve Running > Success"]


def test_a_flows_own_pause_sees_resumed_and_input(make_store: Callable[[], Any]) -> None:
    @flow
    async def later() -> Any:
        await extract()
        if not current().resumed:
            raise signals.PAUSE("not before noon")
        return current().input

    assert in_turn(make_store, later, "noon")[-1].result() == "noon"
    assert ran == ["extract"]


def test_calls_of_other_asyncio_tasks_are_found_by_key_or_run_again(make_store: Callable[[], Any]) -> None:
    async def beside(key: str | None) -> Any:
        return await extract.with_options(key=key)()

    @flow
    async def many() -> Any:
        async with asyncio.TaskGroup() as group:
            group.create_task(beside("kept"))
            group.create_task(beside(None))
        return await approve()

    *_, done = in_turn(make_store, many, "yes")
    assert done.result() == "yes"
    assert ran.count("extract") == 3
    keys = [called["key"] for called in of_kind(done, "task_called")]
    assert sorted(keys) == ["approve", "extract?1", "extract?1", "extract@kept"] or sorted(keys) == [
        "approve",
        "extract?2",
        "extract?2",
        "extract@kept",
    ]


def test_a_value_that_cant_be_kept_fails_nothing_and_its_task_runs_again(tmp_path: Path) -> None:
    @task
    async def opened() -> Any:
        ran.append("opened")
        return object()

    @flow
    async def handing_on() -> Any:
        thing = await opened()
        return await load(approve(), 1), type(thing).__name__

    *_, done = in_turn(lambda: SQLiteStore(tmp_path / "runs.db"), handing_on, "yes")
    assert done.result() == (("yes", 1), "object")
    assert ran.count("opened") == 2
    ran.clear()
    kept = MemoryStore()
    assert in_turn(lambda: kept, handing_on, "yes")[-1].result() == (
        ("yes", 1),
        "object",
    )
    assert ran.count("opened") == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("another call", r"call 2 of its body was 'approve', and is 'load' now"),
        ("a call less", r"call 2 of its body was 'approve', and the body is at its end now"),
        ("another order", r"call 1 of its body was 'extract', and is 'approve' now"),
    ],
)
def test_a_body_that_does_not_follow_the_journal_leaves_the_run_paused(
    make_store: Callable[[], Any], change: str, says: str
) -> None:
    version = ["first"]

    @flow
    async def changing() -> Any:
        if version[0] == "another order":
            return [approve(), extract()]
        rows = await extract()
        if version[0] == "another call":
            load(rows, 1)
        if version[0] == "a call less":
            return rows
        return await approve()

    async def story() -> Any:
        store = make_store()
        await store.open()
        run = await (await changing.with_options(store=store).start()).wait()
        version[0] = change
        again = await changing.start_resumed(run.id, store=store)
        with pytest.raises(Diverged, match=says):
            await again.wait()
        assert (await store.find(run.id)).state == "Paused"
        version[0] = "first"
        done = await (await changing.start_resumed(run.id, input="yes", store=store)).wait()
        await store.close()
        return done

    done = Simulation().run(story())
    assert done.result() == "yes"
    assert ran.count("extract") == 1


def test_a_run_is_resumed_once(make_store: Callable[[], Any]) -> None:
    async def story() -> None:
        store = make_store()
        await store.open()
        run = await (await signed.with_options(store=store).start()).wait()
        first = await signed.start_resumed(run.id, store=store)
        with pytest.raises(StoreError, match="is not paused"):
            await signed.start_resumed(run.id, store=store)
        await first.wait()
        with pytest.raises(StoreError, match="is not paused"):
            await signed.start_resumed(run.id, store=store)
        with pytest.raises(UsageError, match=r"is one of the flow 'signed', not of 'other'"):
            await signed.with_options(name="other").start_resumed(run.id, store=store)
        with pytest.raises(NotFound, match="no run 'nobody'"):
            await signed.start_resumed("nobody", store=store)
        await store.close()

    Simulation().run(story())


def test_a_cancelled_replay_keeps_what_the_journal_has(make_store: Callable[[], Any]) -> None:
    async def story() -> Any:
        store = make_store()
        await store.open()
        run = await (await signed.with_options(store=store).start()).wait()
        again = await signed.start_resumed(run.id, store=store)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        again.cancel("enough")
        await again.wait()
        await store.close()
        return again

    cancelled = Simulation().run(story())
    assert cancelled.state.is_cancelled()
    assert cancelled.tasks["extract"].state.is_success()
    assert moves(cancelled, "extract") == ["Running", "Success"]
    assert moves(cancelled, "approve")[-1] == "Cancelled"


def test_in_one_process_the_run_itself_is_resumed() -> None:
    def in_a_script() -> Any:
        run = signed.run(size=object)
        return signed.resume(run, input="yes").result()

    assert in_a_script() == (({"rows": (1, 2), "seen": {3}}, "yes"), object)


def test_a_parameter_that_was_not_kept_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    run = signed.with_options(store=path).run(size=object())
    with pytest.raises(UsageError, match=r"parameter 'size'.*was not kept, since it is or holds an object"):
        signed.resume(run.id, store=path)
    assert signed.resume(run.id, store=path, parameters={"size": 3}, input=1).result()[1] == 3


def test_threads_are_resumed_too(make_store: Callable[[], Any]) -> None:

    @task
    def by_hand() -> Any:
        if not current().resumed:
            raise signals.PAUSE
        return current().input

    @flow
    def wired() -> Any:
        first = extract()
        last = by_hand()
        last.set_upstream(first)
        return last

    *_, done = in_turn(make_store, wired, 3)
    assert done.result() == 3
    assert len(of_kind(done, "edge_added")) == 1


def test_the_body_sees_outcomes_come_in_the_order_that_they_had(make_store: Callable[[], Any]) -> None:
    @task
    async def nap(seconds: int) -> int:
        ran.append(f"nap {seconds}")
        await asyncio.sleep(seconds)
        return seconds

    @flow
    async def racing() -> Any:
        left = {asyncio.ensure_future(_value_of(nap(seconds))) for seconds in (3, 1, 2)}
        won = []
        while left:
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            won.append(sorted(one.result() for one in done))
            await nap.with_options(name=f"after {won[-1][-1]}")(0)
        return won, await approve()

    *_, done = in_turn(make_store, racing, "yes")
    assert done.result() == ([[1], [2], [3]], "yes")
    assert len(ran) == 6 + 2


async def _value_of(handle: Any) -> Any:
    return await handle
