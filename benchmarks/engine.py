"""What does the engine cost per task? No-op tasks in five shapes, kept in memory, against bare asyncio."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import shapes
from benchmarks.against_bare import compare
from benchmarks.measure import Effort
from benchmarks.rows import Row
from benchmarks.shapes import Make

NAME = "engine"
QUESTION = "CPU time of no-op tasks kept in memory, over bare asyncio"
TARGET = 2.0

PLAN: tuple[tuple[Make, int, int], ...] = (
    (shapes.fan_out, 1_000, 15),
    (shapes.fan_out, 10_000, 15),
    (shapes.fan_out, 100_000, 5),
    (shapes.chain, 1_000, 15),
    (shapes.chain, 10_000, 15),
    (shapes.awaited_chain, 1_000, 15),
    (shapes.awaited_chain, 10_000, 15),
    (shapes.diamond, 1_000, 15),
    (shapes.diamond, 10_000, 15),
    (shapes.layered, 10_000, 15),
)
"""Shape, tasks, repetitions."""


def rows(effort: Effort) -> Iterator[Row]:
    """Measure every shape."""
    for make, count, repetitions in PLAN:
        yield compare(NAME, make(effort.tasks(count)), effort, repetitions=repetitions, target=TARGET)
