"""How long until something runs? Fresh interpreters, from an import to a whole rehearsal."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from statistics import median

from benchmarks.children import Ended, python
from benchmarks.measure import Effort
from benchmarks.rows import Note, Quantity, Row, row

NAME = "start"
QUESTION = "cold start: an import, the first flow in a file, a rehearsal"

_PEAK = "from benchmarks.resident import peak_bytes; print(peak_bytes())"

_FIRST_FLOW = """
import time
import asyncflow

began = time.perf_counter()

@asyncflow.task
async def hello():
    return "hello"

@asyncflow.flow(store="runs.db")
async def first():
    return hello()

run = first.run()
assert run.is_success() and run.store.endswith("runs.db"), run
print(time.perf_counter() - began)
"""


def rows(effort: Effort) -> Iterator[Row | Note]:
    """Measure an import, the first flow after it, and a scenario."""
    yield from _imports(effort.repetitions(7))
    flows = [1000 * float(python("-c", _FIRST_FLOW).said) for _ in range(effort.repetitions(7) + 1)][1:]
    yield row(NAME, "first flow in a file, after the import", flows, "ms", target=300)
    if find_spec("asyncflow.__main__") is None:
        yield Note(NAME, "this tree has no command line, so the row of a scenario is left out")
        return
    ends = [python("-m", "asyncflow", "scenario", "fail_parse") for _ in range(effort.repetitions(5) + 1)][1:]
    yield row(NAME, "python -m asyncflow scenario fail_parse", _milliseconds(ends), "ms", target=1500)


def _imports(repetitions: int) -> Iterator[Row | Note]:
    """Measure whole processes that import asyncflow, asyncio or nothing, in turns."""
    codes = {"asyncflow": "import asyncflow;", "asyncio alone": "import asyncio;", "bare interpreter": ""}
    found: dict[str, list[Ended]] = {name: [] for name in codes}
    for repetition in range(repetitions + 1):
        for name, code in codes.items():
            ended = python("-c", code + _PEAK)
            if repetition:
                found[name].append(ended)
    others = [name for name in codes if name != "asyncflow"]
    beside = {name: Quantity(median(_milliseconds(found[name])), "ms") for name in others}
    took = _milliseconds(found["asyncflow"])
    yield row(NAME, 'python -c "import asyncflow"', took, "ms", target=150, beside=beside)
    if found["asyncflow"][0].said.strip() == "None":
        yield Note(NAME, "this platform does not tell a process its peak memory, so that row is left out")
        return
    beside = {name: Quantity(median(_megabytes(found[name])), "MB") for name in others}
    size = _megabytes(found["asyncflow"])
    yield row(NAME, "resident after import asyncflow", size, "MB", target=30, beside=beside)


def _milliseconds(ended: list[Ended]) -> list[float]:
    return [one.seconds * 1000 for one in ended]


def _megabytes(ended: list[Ended]) -> list[float]:
    return [int(one.said) / 1e6 for one in ended]
