"""How much memory does a task take? A fresh process, `python -m benchmarks.memory`, tells each number."""

from __future__ import annotations

import asyncio
import gc
import sys
import tracemalloc
from collections.abc import Iterator
from statistics import median

from asyncflow.store import MemoryStore
from benchmarks import shapes
from benchmarks.children import python
from benchmarks.measure import Effort
from benchmarks.resident import peak_bytes
from benchmarks.rows import Note, Quantity, Row, row

NAME = "memory"
QUESTION = "bytes per task: at the peak of a large run, and kept after it"
TARGET = 4.0


def rows(effort: Effort) -> Iterator[Row | Note]:
    """Measure the peak of a fan-out, and what a finished run holds."""
    many, some = effort.tasks(100_000), effort.tasks(10_000)
    repetitions = effort.repetitions(3)
    if peak_bytes() is None:
        yield Note(NAME, "this platform does not tell a process its peak memory, so that row is left out")
    else:
        peaks = _per_task("flow-peak", many, repetitions)
        bare = Quantity(median(_per_task("bare-peak", many, repetitions)), "kB")
        yield row(NAME, f"peak, fan-out {many:,}", peaks, "kB", target=TARGET, beside={"bare": bare})
    kept = _per_task("flow-kept", some, repetitions)
    bare = Quantity(median(_per_task("bare-kept", some, repetitions)), "kB")
    yield row(NAME, f"kept after the run, fan-out {some:,}", kept, "kB", beside={"bare, its tasks": bare})


def _per_task(what: str, tasks: int, repetitions: int) -> list[float]:
    """Return the kB per task over a process that runs next to nothing, several times."""
    return [(_child(what, tasks) - _child(what, 1)) / (tasks - 1) / 1000 for _ in range(repetitions)]


def _child(what: str, tasks: int) -> int:
    return int(python("-m", "benchmarks.memory", what, str(tasks)).said)


async def _flow(tasks: int) -> object:
    run = await shapes.fan_out(tasks).flow.with_options(store=MemoryStore()).start()
    await run.wait()
    return run


async def _bare(tasks: int) -> object:
    started = [asyncio.create_task(shapes.noop(index)) for index in range(tasks)]
    await asyncio.gather(*started)
    return started


async def _measure(what: str, tasks: int) -> int | None:
    """Return the peak of the process, or what is still allocated when the run is over, in bytes."""
    kind, _, when = what.partition("-")
    run = _flow if kind == "flow" else _bare
    if when == "peak":
        await run(tasks)
        return peak_bytes()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    held = await run(tasks)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    del held
    return after - before


if __name__ == "__main__":
    print(asyncio.run(_measure(sys.argv[1], int(sys.argv[2]))))
