"""What does a retry cost? Tasks that fail twice, with 1 ms of backoff, against the same loop by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from asyncflow import Retry, constant, flow, task
from benchmarks.against_bare import compare
from benchmarks.measure import Effort
from benchmarks.rows import Row
from benchmarks.shapes import Shape

NAME = "retries"
QUESTION = "CPU time of tasks that fail twice, over a bare retry loop"
TARGET = 3.0

ATTEMPTS = 3
BACKOFF = 0.001


def rows(effort: Effort) -> Iterator[Row]:
    """Measure one fan-out."""
    shape = _failing_twice(effort.tasks(10_000))
    yield compare(NAME, shape, effort, repetitions=9, target=TARGET)


def _failing_twice(count: int) -> Shape:
    tries = [0] * count

    async def flaky(index: int) -> int:
        tries[index] += 1
        if tries[index] % ATTEMPTS:
            raise ConnectionError(index)
        return index

    step = task(retry=Retry(ATTEMPTS, delay=constant(BACKOFF)))(flaky)

    @flow
    async def ours() -> None:
        for index in range(count):
            step(index)

    async def patient(index: int) -> int:
        for _ in range(1, ATTEMPTS):
            try:
                return await flaky(index)
            except ConnectionError:
                await asyncio.sleep(BACKOFF)
        return await flaky(index)

    async def bare() -> None:
        await asyncio.gather(*[asyncio.create_task(patient(index)) for index in range(count)])

    return Shape(f"{count:,} tasks, {ATTEMPTS} attempts each", count, ours, bare)
