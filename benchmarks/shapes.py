"""The shapes that are measured, each written twice: as a flow, and as the same program in bare asyncio.

The tasks do nothing, so that only what surrounds them is measured.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from asyncflow import Flow, flow, task


async def noop(value: Any = None) -> Any:
    """Return the argument."""
    return value


async def join(*values: Any) -> int:
    """Return how many arguments there are."""
    return len(values)


@dataclass(frozen=True)
class Shape:
    """One shape of a number of tasks.

    Attributes:
        name: what it is called in the table.
        tasks: how many tasks there are.
        flow: the flow; it takes no parameters.
        bare: the same in bare asyncio.
    """

    name: str
    tasks: int
    flow: Flow[..., Any]
    bare: Callable[[], Awaitable[object]]


Make = Callable[..., Shape]


def fan_out(count: int, **options: Any) -> Shape:
    """Independent tasks, started all at once."""
    step = task(name="noop", **options)(noop)

    @flow
    async def ours() -> None:
        for index in range(count):
            step(index)

    async def bare() -> None:
        await asyncio.gather(*[asyncio.create_task(noop(index)) for index in range(count)])

    return Shape(f"fan-out {count:,}", count, ours, bare)


async def _bare_chain(count: int) -> None:
    value = 0
    for _ in range(count):
        value = await asyncio.create_task(noop(value))


def chain(count: int, **options: Any) -> Shape:
    """A chain by data edges, wired at once; bare asyncio awaits one task after another, which is cheapest."""
    step = task(name="noop", **options)(noop)

    @flow
    async def ours() -> Any:
        value: Any = 0
        for _ in range(count):
            value = step(value)
        return value

    return Shape(f"chain {count:,}", count, ours, lambda: _bare_chain(count))


def awaited_chain(count: int, **options: Any) -> Shape:
    """A chain whose every task is awaited by the flow's body before the next is called."""
    step = task(name="noop", **options)(noop)

    @flow
    async def ours() -> Any:
        value = 0
        for _ in range(count):
            value = await step(value)
        return value

    return Shape(f"awaited chain {count:,}", count, ours, lambda: _bare_chain(count))


def diamond(width: int, **options: Any) -> Shape:
    """One task, then many that need its value, then one that needs all of theirs."""
    step = task(name="noop", **options)(noop)
    last = task(name="join", **options)(join)

    @flow
    async def ours() -> Any:
        first = step(0)
        return last(*[step(first) for _ in range(width)])

    async def bare() -> int:
        first = await asyncio.create_task(noop(0))
        middle = await asyncio.gather(*[asyncio.create_task(noop(first)) for _ in range(width)])
        return await asyncio.create_task(join(*middle))

    return Shape(f"diamond 1-{width:,}-1", width + 2, ours, bare)


def layered(count: int, **options: Any) -> Shape:
    """A graph in layers with three edges a task; in bare asyncio each task waits for those above it."""
    above = _layers(count)
    step = task(name="join", **options)(join)

    @flow
    async def ours() -> None:
        handles: list[Any] = []
        for parents in above:
            handles.append(step(*[handles[parent] for parent in parents]))

    async def node(parents: list[asyncio.Task[int]]) -> int:
        return await join(*[await parent for parent in parents])

    async def bare() -> None:
        tasks: list[asyncio.Task[int]] = []
        for parents in above:
            tasks.append(asyncio.create_task(node([tasks[parent] for parent in parents])))
        await asyncio.gather(*tasks)

    edges = sum(map(len, above))
    return Shape(f"layers {count:,}, {edges:,} edges", count, ours, bare)


def _layers(count: int, width: int = 100, edges_per_task: int = 3) -> list[Sequence[int]]:
    """Return for each task the tasks above it: three times as many edges as tasks, drawn from a fixed seed.

    The first layer has none, so the others get a few more between them.
    """
    chance = random.Random(20)
    width = min(width, max(count // 5, 3))
    above: list[Sequence[int]] = [()] * width
    left = edges_per_task * count
    for number in range(width, count):
        edges = -(-left // (count - number))
        start = (number // width - 1) * width
        edges = min(edges, width)
        above.append(sorted(chance.sample(range(start, start + width), edges)))
        left -= edges
    return above
