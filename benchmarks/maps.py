"""What does a map cost per element, in time and in memory, against bare asyncio with the same window?"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

from asyncflow import flow, task
from asyncflow.store import MemoryStore
from benchmarks.measure import Effort, Go, Work, calm, costs, plain
from benchmarks.rows import Quantity, Row, per_task, ratios, row
from benchmarks.shapes import noop

NAME = "maps"
QUESTION = "a mapped no-op per element: CPU time over bare asyncio with the same window, bytes while it waits"
TIME_TARGET = 2.0
MEMORY_TARGET = 200.0

_step = task(name="noop")(noop)


def rows(effort: Effort) -> Iterator[Row]:
    """Measure the time of wide and narrow windows, and the memory of elements that wait or have ended."""
    many = effort.tasks(100_000)
    for window in (1_000, 10):
        yield _time(f"map {many:,}, window {window:,}", many, window, effort, _mapped)
    yield _time(f"map after map {many:,}, window 1,000", many, 1_000, effort, _chained)
    yield _memory("waiting for the window", _waiting, many, effort)
    yield _memory("waiting, its forerunner has ended", _waiting_behind, many, effort)
    yield _memory("ended, without a value", _ended, many, effort)


def _mapped(count: int, window: int) -> Any:
    return _step.map(range(count), max_running=window)


def _chained(count: int, window: int) -> Any:
    return _step.map(_mapped(count, window), max_running=window)


async def bare_window(count: int, window: int) -> list[Any]:
    """Run no-ops in asyncio tasks, never more than `window` at once, and return their values in order."""
    permits = asyncio.Semaphore(window)
    values: list[Any] = [None] * count

    async def element(index: int) -> None:
        try:
            values[index] = await noop(index)
        finally:
            permits.release()

    async with asyncio.TaskGroup() as group:
        for index in range(count):
            await permits.acquire()
            group.create_task(element(index))
    return values


def _time(name: str, count: int, window: int, effort: Effort, mapping: Callable[[int, int], Any]) -> Row:
    """Return the ratio of a map's time to bare asyncio's; of two maps, to two rounds of it."""
    rounds = 2 if mapping is _chained else 1

    async def bare() -> None:
        for _ in range(rounds):
            await bare_window(count, window)

    works = {"bare": plain(bare, 1), "calm": calm(plain(bare, 1)), "ours": _flow(count, window, mapping)}
    found = costs(works, effort.repetitions(5))
    beside = {
        "same collector": Quantity(median(ratios(found["ours"], found["calm"])), "x"),
        "asyncflow": per_task(found["ours"], rounds * count),
        "bare": per_task(found["bare"], rounds * count),
    }
    return row(NAME, name, ratios(found["ours"], found["bare"]), "x", target=TIME_TARGET, beside=beside)


def _flow(count: int, window: int, mapping: Callable[[int, int], Any]) -> Work:
    @flow
    async def ours() -> Any:
        return mapping(count, window)

    @asynccontextmanager
    async def work() -> AsyncIterator[Go]:
        results: list[Any] = []

        async def go() -> None:
            run = await ours.with_options(store=MemoryStore()).start()
            await run.wait()
            results.append(run.result())

        yield go
        if [len(values) for values in results] != [count]:
            raise RuntimeError(f"a map of {count} elements gave {[len(values) for values in results]} values")

    return work


def _memory(name: str, measure: Callable[[int], Any], count: int, effort: Effort) -> Row:
    """Return the bytes per element beyond its value."""
    found = []
    for _ in range(effort.repetitions(3)):
        small, large = (asyncio.run(measure(size)) for size in (2_000, 2_000 + count))
        found.append(max(0.0, (large - small) / count))
    return row(NAME, name, found, "B", target=MEMORY_TARGET)


async def _waiting(count: int) -> int:
    """Return the bytes that are allocated while one element runs and all others wait."""
    return await _held([None] * count, lambda blocked, values: blocked.map(values, max_running=1))


async def _waiting_behind(count: int) -> int:
    """Return the bytes that are allocated while all but one wait although what they follow has ended."""
    return await _held([None] * count, lambda blocked, values: blocked.map(_step.map(values), max_running=1))


async def _held(values: list[None], mapping: Callable[[Any, list[None]], Any]) -> int:
    stop = asyncio.Event()
    begun = asyncio.Event()

    @task
    async def blocked(_value: None) -> None:
        begun.set()
        await stop.wait()

    @flow
    async def ours() -> None:
        mapping(blocked, values)

    gc.collect()
    tracemalloc.start()
    try:
        run = await ours.with_options(store=MemoryStore()).start()
        await begun.wait()
        for followed in run.tasks[-1].links:
            await followed
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        run.cancel()
        await run.wait()
        return held
    finally:
        tracemalloc.stop()


async def _ended(count: int) -> int:
    """Return the bytes that a finished run holds whose elements gave None."""
    values = [None] * count

    @flow
    async def ours() -> Any:
        return _step.map(values)

    gc.collect()
    tracemalloc.start()
    try:
        run = await ours.with_options(store=MemoryStore()).start()
        await run.wait()
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        assert len(run.result()) == count
        return held
    finally:
        tracemalloc.stop()
