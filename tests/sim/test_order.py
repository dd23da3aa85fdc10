"""Random programs of sleeps, queues, groups, failures and cancellations: who does what, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.sim import Simulation
from asyncflow.sim.tasks import SimTask
from tests.clock import run_virtual

Worker = list[tuple]


class Planned(Exception):
    """A failure that a program asks for."""


class Play:
    """One performance of a program.

    Args:
        apart: whether each timer has a fraction of a second of its own, so that no two are due at once.

    Attributes:
        log: when, who, what.
    """

    def __init__(self, *, apart: bool) -> None:
        self.log: list[tuple[float, str, str]] = []
        self._apart = apart
        self._timers = count(1)
        self._tasks: list[asyncio.Task] = []

    async def main(self, worker: Worker) -> None:
        self._queues = [asyncio.Queue(1) for _ in range(3)]
        whole = asyncio.get_running_loop().create_task(self._work(worker, "0"))
        self._tasks.append(whole)
        await asyncio.wait([whole])
        self._tell("0", "cancelled" if whole.cancelled() else repr(whole.exception()))

    async def _work(self, worker: Worker, name: str) -> None:
        try:
            for op, what in worker:
                self._tell(name, op)
                await getattr(self, f"_{op}")(what, name)
        finally:
            self._tell(name, "end")

    def _tell(self, name: str, what: str) -> None:
        self.log.append((asyncio.get_running_loop().time(), name, what))

    def _seconds(self, whole: int) -> float:
        return whole + 2.0 ** -next(self._timers) if self._apart else float(whole)

    async def _sleep(self, seconds: int, _name: str) -> None:
        await asyncio.sleep(self._seconds(seconds))

    async def _turns(self, number: int, _name: str) -> None:
        for _ in range(number):
            await asyncio.sleep(0)

    async def _put(self, queue: int, name: str) -> None:
        await self._in_time(self._queues[queue].put(name), name)

    async def _get(self, queue: int, name: str) -> None:
        self._tell(name, f"got {await self._in_time(self._queues[queue].get(), name)}")

    async def _in_time(self, waiting, name: str):
        try:
            async with asyncio.timeout(self._seconds(2)):
                return await waiting
        except TimeoutError:
            self._tell(name, "timeout")

    async def _cancel(self, whom: int, _name: str) -> None:
        self._tasks[whom % len(self._tasks)].cancel()

    async def _fail(self, _what: int, name: str) -> None:
        raise Planned(name)

    async def _group(self, workers: list[Worker], name: str) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for number, worker in enumerate(workers):
                    self._tasks.append(group.create_task(self._work(worker, f"{name}.{number}")))
        except* Planned as failures:
            self._tell(name, f"{len(failures.exceptions)} failed")

    async def _first_of(self, workers: list[Worker], name: str) -> None:
        tasks = []
        for number, worker in enumerate(workers):
            tasks.append(asyncio.get_running_loop().create_task(self._work(worker, f"{name}.{number}")))
        self._tasks.extend(tasks)
        try:
            done, _pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self._tell(name, f"first were {[tasks.index(task) for task in done]}")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


simple = st.one_of(
    st.tuples(st.just("sleep"), st.integers(0, 3)),
    st.tuples(st.just("turns"), st.integers(1, 3)),
    st.tuples(st.sampled_from(["put", "get"]), st.integers(0, 2)),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("fail"), st.just(0)),
)
workers = st.recursive(
    st.lists(simple, max_size=4),
    lambda inner: st.lists(
        simple | st.tuples(st.sampled_from(["group", "first_of"]), st.lists(inner, min_size=1, max_size=5)),
        max_size=4,
    ),
    max_leaves=12,
)


def simulated(worker: Worker) -> list[tuple[float, str, str]]:
    play = Play(apart=False)
    Simulation().run(play.main(worker))
    return play.log


async def with_sets_in_order(main: Coroutine) -> None:
    """Run with tasks whose sets iterate alike on every loop."""
    numbers = count()
    asyncio.get_running_loop().set_task_factory(
        lambda loop, coro, **options: SimTask(coro, next(numbers), loop=loop, **options)
    )
    await main


def on_one_loop_and_the_other(worker: Worker) -> Iterator[list[tuple[float, str, str]]]:
    for on_this_loop in (Simulation().run, run_virtual):
        play = Play(apart=True)
        on_this_loop(with_sets_in_order(play.main(worker)))
        yield play.log


@given(worker=workers)
@settings(max_examples=150)
def test_a_program_does_the_same_in_the_same_order_every_time(worker):
    assert simulated(worker) == simulated(worker)


@given(worker=workers)
@settings(max_examples=150)
def test_a_program_does_what_it_does_on_the_stock_loop_in_the_same_order(worker):
    """With no two timers at one instant, whose order asyncio leaves to its heap."""
    here, there = on_one_loop_and_the_other(worker)
    assert here == there


GROUP_OF_MANY = [("group", [[("sleep", 5)] for _ in range(30)] + [[("sleep", 1), ("fail", 0)]])]
FIRST_OF_MANY = [("first_of", [[("sleep", 1)] for _ in range(30)])]


@pytest.mark.parametrize("worker", [GROUP_OF_MANY, FIRST_OF_MANY])
def test_many_at_one_instant_do_the_same_wherever_they_lie_in_memory(worker):
    first = simulated(worker)
    for number in range(20):
        ballast = [object() for _ in range(number * 37)]  # so that tasks lie elsewhere
        assert simulated(worker) == first
        del ballast
