"""What does the simulated world cost? The same program on its loop and on the stock one, in turns."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable, Coroutine, Iterator
from statistics import median
from typing import Any

from asyncflow import sim
from benchmarks import sim_etl
from benchmarks.measure import Cost, Effort
from benchmarks.rows import Note, Quantity, Row, ratios, row
from benchmarks.sim_cost import cost_of

NAME = "sim"
QUESTION = "CPU time of a program in the simulated world over the stock event loop"
TARGET = 1.0
KEPT_TARGET = 0.1

Program = Callable[[int], Coroutine[Any, Any, None]]


async def call_soon(callbacks: int) -> None:
    """Let each callback ask for the next one."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    left = callbacks

    def call() -> None:
        nonlocal left
        left -= 1
        if left:
            loop.call_soon(call)
        else:
            over.set_result(None)

    loop.call_soon(call)
    await over


async def sleep_zero(turns: int) -> None:
    """Give way again and again."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def queue(items: int) -> None:
    """Pass items from one task to another."""
    passed: asyncio.Queue[int] = asyncio.Queue(1)

    async def produce() -> None:
        for number in range(items):
            await passed.put(number)

    async with asyncio.TaskGroup() as group:
        group.create_task(produce())
        for _ in range(items):
            await passed.get()


async def tasks(number: int) -> None:
    """Start tasks in groups of ten."""
    for _ in range(number // 10):
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(asyncio.sleep(0))


async def nothing(_: int) -> None:
    """Be over at once."""


PROGRAMS: tuple[tuple[str, Program, float | None], ...] = (
    ("call_soon, one after the other", call_soon, TARGET),
    ("sleep(0)", sleep_zero, TARGET),
    ("items through a queue", queue, None),
    ("tasks in groups of ten", tasks, None),
)


def rows(effort: Effort) -> Iterator[Row | Note]:
    """Measure each program on both loops, what a world costs, and what is left of many."""
    count, repetitions = effort.tasks(20_000), effort.repetitions(15)
    for name, program, target in PROGRAMS:
        stock, simulated = _in_turns(program, count, repetitions)
        beside = {"stock": _each(stock, count), "simulated": _each(simulated, count)}
        yield row(NAME, name, ratios(simulated, stock), "x", target=target, beside=beside)
    stock, simulated = _in_turns(nothing, 1, effort.repetitions(100))
    beside = {"stock": _each(stock, 1)}
    yield row(NAME, "a world with nothing in it", [cost.cpu * 1e6 for cost in simulated], "us", beside=beside)
    worlds = effort.tasks(2_000)
    kept = _kept(worlds, effort.repetitions(5))
    yield row(NAME, f"kept per world, {worlds:,} at a time", kept, "kB", target=KEPT_TARGET)
    yield from sim_etl.rows(effort)


def _in_turns(program: Program, size: int, repetitions: int) -> tuple[list[Cost], list[Cost]]:
    """Return the costs on the stock loop and in the simulated world; a first round is not counted."""
    stock: list[Cost] = []
    simulated: list[Cost] = []
    for repetition in range(repetitions + 1):
        both = [(asyncio.run, stock), (sim.run, simulated)]
        for run, found in both if repetition % 2 else reversed(both):
            cost = cost_of(lambda run=run: run(program(size)))  # type: ignore[misc]
            if repetition:
                found.append(cost)
    return stock, simulated


def _each(costs: list[Cost], count: int) -> Quantity:
    return Quantity(median(cost.cpu for cost in costs) / count * 1e6, "us")


def _kept(worlds: int, repetitions: int) -> list[float]:
    """Return the kB that each of many worlds leaves behind, one after the other in this process.

    The interpreter's own tables grow now and then by a megabyte at once; the median has nothing of that.
    """
    _live_through(min(worlds, 200))  # what is made once is made by the first ones
    kept: list[float] = []
    tracemalloc.start()
    try:
        for _ in range(repetitions):
            gc.collect()
            before, _peak = tracemalloc.get_traced_memory()
            _live_through(worlds)
            gc.collect()
            after, _peak = tracemalloc.get_traced_memory()
            kept.append((after - before) / worlds / 1000)
    finally:
        tracemalloc.stop()
    return kept


def _live_through(worlds: int) -> None:
    for seed in range(worlds):
        sim.run(queue(5), seed=seed)
