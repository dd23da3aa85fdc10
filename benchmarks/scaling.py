"""Does a task cost more in a large run than in a small one?"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from asyncflow.store import MemoryStore
from benchmarks import shapes
from benchmarks.measure import Cost, Effort, Go, costs, plain
from benchmarks.rows import Quantity, Row, row
from benchmarks.shapes import Shape

NAME = "scaling"
QUESTION = "CPU time per task at 100,000 tasks, over that at 1,000"
TARGET = 3.0


def rows(effort: Effort) -> Iterator[Row]:
    """Measure a fan-out."""
    small, large = shapes.fan_out(effort.tasks(1_000)), shapes.fan_out(effort.tasks(100_000))
    times = effort.tasks(20_000) // small.tasks
    found = costs(
        {
            "small": plain(_run(small), times),
            "large": plain(_run(large)),
            "bare small": plain(small.bare, times),
            "bare large": plain(large.bare),
        },
        effort.repetitions(5),
    )
    tasks = small.tasks * times, large.tasks
    yield row(
        NAME,
        f"fan-out {large.tasks:,} over {small.tasks:,}",
        _growth(found["small"], found["large"], *tasks),
        "x",
        target=TARGET,
        beside={"bare": Quantity(median(_growth(found["bare small"], found["bare large"], *tasks)), "x")},
    )


def _run(shape: Shape) -> Go:
    async def go() -> None:
        run = await shape.flow.with_options(store=MemoryStore()).start()
        await run.wait()

    return go


def _growth(small: list[Cost], large: list[Cost], small_tasks: int, large_tasks: int) -> list[float]:
    return [
        (much.cpu / large_tasks) / (little.cpu / small_tasks)
        for little, much in zip(small, large, strict=True)
    ]
