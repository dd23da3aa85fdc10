"""What does a hit in the cache cost? Hits awaited one after the other, beside a call that computes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asyncflow import Task, flow, task
from benchmarks.measure import Effort, Go, costs, plain
from benchmarks.rows import Row, per_task, row

NAME = "caching"
QUESTION = "CPU time of one hit in memory, from the call to the value"

ROWS = [{"id": number, "title": "a title", "price": 1.5, "sold": None} for number in range(10)]


async def number(size: int = 10) -> int:
    """Give a number."""
    return size


async def ten_rows(size: int = 10) -> list[dict[str, Any]]:
    """Give what an API might answer."""
    return ROWS[:size]


def rows(effort: Effort) -> Iterator[Row]:
    """Measure hits of both tasks beside the same calls without a cache."""
    calls = effort.tasks(5_000)
    for body, says in ((number, "a number"), (ten_rows, "ten rows of four values")):
        works = {"hit": _awaited(task(cache_for=3600)(body), calls), "computed": _awaited(task(body), calls)}
        found = costs({name: plain(go) for name, go in works.items()}, effort.repetitions(9))
        values = [one.cpu / calls * 1e6 for one in found["hit"]]
        beside = {"without a cache": per_task(found["computed"], calls)}
        yield row(NAME, f"hit, {says}", values, "us", target=20, beside=beside)


def _awaited(called: Task[..., Any], calls: int) -> Go:
    """Return a run whose body awaits one call after the other; the first one may have to compute."""

    @flow
    async def ours() -> None:
        for _ in range(calls):
            await called()

    async def go() -> None:
        await ours()

    return go
