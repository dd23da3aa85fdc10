"""How cost is taken: CPU time, things to compare interleaved in one process, several repetitions."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from asyncflow.engine import collector

Go = Callable[[], Awaitable[object]]
Work = Callable[[], AbstractAsyncContextManager[Go]]
"""What is measured: a context that prepares and cleans up, and gives what to await in between."""


@dataclass(frozen=True)
class Effort:
    """How much is run.

    Attributes:
        divisor: by how much every number of tasks or calls is divided.
        most: the most repetitions.
        with_peers: whether other libraries are measured, too.
    """

    divisor: int
    most: int
    with_peers: bool = False

    def tasks(self, count: int) -> int:
        """Return how many tasks or calls to make where a full run makes `count`."""
        return max(count // self.divisor, 10)

    def repetitions(self, count: int) -> int:
        """Return how often to repeat what a full run repeats `count` times."""
        return min(count, self.most)


FULL = Effort(divisor=1, most=1_000)
QUICK = Effort(divisor=50, most=2)


class Cost(NamedTuple):
    """Seconds that one repetition took.

    Attributes:
        cpu: of all threads of the process.
        loop_thread: of the thread that runs the event loop.
    """

    cpu: float
    loop_thread: float


async def interleaved(works: Mapping[str, Work], repetitions: int) -> dict[str, list[Cost]]:
    """Return the costs of several works by name, taken in turns so that a slow phase of the machine hits all.

    The order is turned round from one repetition to the next. A first round warms up and is not counted.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in works}
    for repetition in range(repetitions + 1):
        for name in works if repetition % 2 else reversed(list(works)):
            cost = await _cost_of(works[name])
            if repetition:
                costs[name].append(cost)
    return costs


async def _cost_of(work: Work) -> Cost:
    """Return what one repetition costs; the collector has nothing old to do when it starts.

    The work gets an asyncio task of its own, so that what it awaits is not awaited through this module.
    """
    async with work() as go:
        gc.collect()
        cpu, loop_thread = time.process_time(), time.thread_time()
        await asyncio.create_task(_in_task(go))
        return Cost(time.process_time() - cpu, time.thread_time() - loop_thread)


async def _in_task(go: Go) -> None:
    await go()


def costs(works: Mapping[str, Work], repetitions: int) -> dict[str, list[Cost]]:
    """Do the same on an event loop of its own."""
    return asyncio.run(interleaved(works, repetitions))


def plain(go: Go, times: int = 1) -> Work:
    """Return work that needs no preparation and is done several times in one repetition."""

    async def go_often() -> None:
        for _ in range(times):
            await go()

    @asynccontextmanager
    async def work() -> AsyncIterator[Go]:
        yield go_often

    return work


def calm(work: Work) -> Work:
    """Return work under the collector's thresholds that asyncflow sets while a large run is going."""

    @asynccontextmanager
    async def calmed() -> AsyncIterator[Go]:
        raised = collector.enter()
        try:
            async with work() as go:
                yield go
        finally:
            if raised:
                collector.leave()

    return calmed
