"""Where two parts of the engine meet: caches and maps, limits and caches, pauses and children, and others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asyncflow import Retry, current, flow, signals, task
from asyncflow.caching import duration_only
from asyncflow.policies import Resource
from asyncflow.schedules import IntervalSchedule
from asyncflow.serving import Service
from asyncflow.serving.service import last_fire
from asyncflow.store import MemoryStore, SQLiteStore
from tests.clock import run_virtual
from tests.engine import process_bodies as bodies
from tests.engine.kit import of_kind, play
from tests.engine.kit import states as final
from tests.serving.kit import Notes

DOOR = Resource("door", 1)


async def ended(f: Any, **parameters: Any) -> Any:
    return await (await f.start(**parameters)).wait()


@task
async def gate(*_: Any) -> Any:
    if not current().resumed:
        raise signals.PAUSE("look at it")
    return current().input


@task
async def fails(*_: Any) -> None:
    raise ValueError("no")


@task(uses=DOOR)
async def through(value: int = 1) -> int:
    await asyncio.sleep(1)
    return value


class TestCachesAndMaps:
    def square(self, factor: int = 1, **options: Any) -> Any:
        async def square(x: int) -> int:
            await asyncio.sleep(1)
            return factor * x * x

        return flow(name="f")(lambda xs: task(**{"cache_for": 100, **options})(square).map(xs))

    def test_each_element_looks_for_itself(self) -> None:
        squares = self.square()

        async def story() -> list[Any]:
            return [await ended(squares, xs=[1, 2, 1]), await ended(squares, xs=[2, 1, 3])]

        first, second = run_virtual(story())
        assert [child.state.name for child in first.tasks["square"].children] == [
            *("Success", "Success", "Cached")
        ]
        assert [child.state.name for child in second.tasks["square"].children] == [
            *("Cached", "Cached", "Success")
        ]
        assert (first.result(), second.result()) == ([1, 4, 1], [4, 1, 9])

    def test_the_map_as_a_whole_looks_for_nothing_and_is_not_kept(self) -> None:
        squares = self.square()

        async def story() -> list[Any]:
            return [await ended(squares, xs=[1, 2]) for _ in range(2)]

        first, second = run_virtual(story())
        assert final(second) == {"square": "Success"}
        assert len(second.tasks["square"].children) == 2
        assert "expires" not in first.tasks["square"].state.detail
        assert {detail["family"] for detail in of_kind(first, "cache_missed")} == {f"{__name__}:square"}

    def test_maps_of_two_tasks_with_one_name_do_not_find_each_others_results(self) -> None:
        async def story() -> list[Any]:
            return [(await ended(self.square(factor), xs=[1, 2])).result() for factor in (1, 10)]

        assert run_virtual(story()) == [[1, 4], [10, 40]]

    def test_elements_whose_arguments_do_not_count_share_one_result(self) -> None:
        squares = self.square(cache_key="squares", cache_validator=duration_only)
        assert play(squares, xs=[3, 4]).result() == [9, 9]


class TestCachesAndLimits:
    def test_a_hit_needs_no_slot(self) -> None:
        cached = task(name="cached", cache_for=100, uses=DOOR)(lambda: 1)

        @flow
        async def f() -> Any:
            first = await cached()
            through()
            await asyncio.sleep(0.5)
            return first, await cached(), asyncio.get_running_loop().time()

        run = play(f)
        assert run.tasks["cached#2"].state.name == "Cached"
        assert run.result() == (1, 1, 0.5)

    def test_who_has_the_turn_at_computing_gets_its_slot_back_for_the_next_attempt(self) -> None:
        attempts: list[str] = []

        def making(name: str, **options: Any) -> Any:
            @task(
                name=name,
                cache_for=100,
                cache_key="same",
                cache_validator=duration_only,
                uses=DOOR,
                **options,
            )
            async def body() -> int:
                attempts.append(name)
                await asyncio.sleep(1)
                if attempts == ["first"]:
                    raise ValueError("no")
                return 1

            return body

        run = play(flow(name="f")(lambda: [making("first", retry=Retry(2, delay=1))(), making("second")()]))
        assert attempts == ["first", "first"]
        assert final(run) == {"first": "Success", "second": "Cached"}

    def test_who_is_cancelled_waiting_for_a_slot_leaves_its_turn(self) -> None:
        computed = task(name="computed", cache_for=100, uses=DOOR)(lambda: 1)

        async def story() -> list[Any]:
            long = await flow(name="long")(lambda: through()).start()
            waiting = await flow(name="f")(lambda: computed()).start()
            await asyncio.sleep(0.5)
            waiting.cancel()
            await waiting.wait()
            again = await ended(flow(name="f")(lambda: computed()))
            return [await long.wait(), waiting, again]

        long, waiting, again = run_virtual(story())
        assert (long.state.name, waiting.state.name, again.state.name) == ("Success", "Cancelled", "Success")
        assert waiting.tasks["computed"].attempt == 0


class TestPausesAndChildren:
    def test_a_paused_child_has_no_slot(self) -> None:
        @task(uses=DOOR)
        async def ask(*_: Any) -> Any:
            return await gate.fn()

        @flow
        async def child() -> Any:
            return through(ask(through(2)))

        @flow
        async def parent() -> Any:
            return [child(), child(), through(3)]

        async def story() -> list[Any]:
            run = await ended(parent)
            free = DOOR.limit().free
            return [run, free, await ended_again(parent, run), DOOR.limit().free]

        first, free, second, at_last = run_virtual(story())
        assert final(first) == {"child": "Paused", "child#2": "Paused", "through": "Success"}
        assert (free, at_last) == (1, 1)
        assert second.result() == [5, 5, 3]

    @pytest.mark.parametrize("how", ["fails fast", "is cancelled"])
    @pytest.mark.parametrize("where", ["memory", "file"])
    def test_a_paused_child_is_undone_when_its_parent_ends(self, how: str, where: str, tmp_path: Any) -> None:
        book, child, undone = booking()

        @flow(fail_fast=True)
        async def parent() -> Any:
            first = child()
            await book("in the parent")
            await asyncio.sleep(1)
            return [first, fails() if how == "fails fast" else through(5)]

        async def story() -> Any:
            store = MemoryStore() if where == "memory" else SQLiteStore(tmp_path / "runs.db")
            await store.open()
            run = await parent.with_options(store=store).start()
            if how == "is cancelled":
                await asyncio.sleep(1.5)
                run.cancel()
            await run.wait()
            await store.close()
            return run

        run = run_virtual(story())
        assert run.state.name == ("Failed" if how == "fails fast" else "Cancelled")
        assert run.tasks["child"].state.name == "Cancelled"
        assert sorted(undone) == ["in the child", "in the parent"]

    def test_a_paused_child_that_goes_on_is_undone_once(self) -> None:
        _, child, undone = booking()

        @flow
        async def parent() -> Any:
            return fails(child())

        async def story() -> Any:
            run = await ended(parent)
            assert undone == []
            return await ended_again(parent, run)

        assert run_virtual(story()).state.name == "Failed"
        assert undone == ["in the child"]


def booking() -> tuple[Any, Any, list[str]]:
    """Return a task that can be undone, a flow that pauses after it, and what was undone."""
    undone: list[str] = []

    @task
    async def book(what: str) -> str:
        return what

    @book.on_rollback
    async def cancel(_result: str, what: str) -> None:
        undone.append(what)

    @flow
    async def child() -> Any:
        return gate(book("in the child"))

    return book, child, undone


async def ended_again(f: Any, run: Any) -> Any:
    return await (await f.start_resumed(run, input=5)).wait()


class TestProcessesAndRollback:
    def undone_after(self, how: Any) -> tuple[Any, list[Any]]:
        undone: list[Any] = []
        charge = bodies.changes.with_options(rollback=lambda result, values: undone.append((result, values)))

        @flow
        async def order() -> Any:
            return fails(charge([1]))

        return how(order), undone

    def test_what_a_process_did_is_undone_with_its_result_and_its_arguments_as_they_were(self) -> None:
        run, undone = self.undone_after(play)
        assert undone == [([1, 4], [1])]
        assert run.tasks["changes"].rolled_back

    @pytest.mark.process
    def test_the_same_with_a_real_process(self) -> None:
        run, undone = self.undone_after(lambda order: order.run())
        assert undone == [([1, 4], [1])]
        assert run.tasks["changes"].rolled_back

    def test_a_process_that_failed_has_nothing_to_undo(self) -> None:
        undone: list[Any] = []
        raises = bodies.raises.with_options(rollback=lambda *given: undone.append(given))
        run = play(flow(name="f")(lambda: raises("value")))
        assert final(run) == {"raises": "Failed"}
        assert undone == []


class TestPausesAndSchedules:
    def test_a_paused_run_keeps_no_fire_from_its_run_and_is_resumed_while_others_go_on(self) -> None:
        begun: list[float] = []

        @flow(schedule=IntervalSchedule(60, runs=3))
        async def asks() -> Any:
            begun.append(asyncio.get_running_loop().time())
            return gate(through())

        async def story() -> Any:
            store, notes = MemoryStore(), Notes()
            await store.open()
            async with asyncio.TaskGroup() as group:
                group.create_task(Service([asks], store, teller=notes).follow())
                await asyncio.sleep(110)
                (newest, *_) = await store.runs()
                done = await (await asks.start_resumed(newest.header.id, store=store, input=5)).wait()
            states = [summary.state for summary in await store.runs()]
            return notes, done, states, await last_fire(store, asks.name), newest.header.started

        notes, done, states, fire, started = run_virtual(story())
        ends = [line.partition(" of ")[0] for line in notes.news]
        assert ends == ["Paused", "Paused", "exhausted", "Paused"]
        assert done.result() == 5
        assert states == ["Paused", "Success", "Paused"]
        assert fire.timestamp() == started + 60
        assert len(begun) == 4

    def test_a_paused_run_is_not_waited_for_when_a_service_is_stopped(self) -> None:
        asks = flow(name="asks", schedule=IntervalSchedule(60))(lambda: gate())

        async def story() -> tuple[int, float]:
            store = MemoryStore()
            await store.open()
            service = Service([asks], store, teller=Notes())
            async with asyncio.TaskGroup() as group:
                group.create_task(service.follow())
                await asyncio.sleep(110)
                going, before = service.going, asyncio.get_running_loop().time()
                service.stop(grace=30)
            return going, asyncio.get_running_loop().time() - before

        assert run_virtual(story()) == (0, 0.0)
