"""Runs a shape as a flow and in bare asyncio, in turns, and makes a row of the ratio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from asyncflow.engine import FlowRun
from asyncflow.ports import Store
from asyncflow.store import MemoryStore, SQLiteStore
from benchmarks.measure import Effort, Go, Work, calm, costs, plain
from benchmarks.rows import Quantity, Row, per_task, ratios, row
from benchmarks.shapes import Shape

_TASKS_PER_REPETITION = 10_000
"""Small shapes are run so often that a repetition takes long enough to be measured."""


def compare(
    case: str, shape: Shape, effort: Effort, *, repetitions: int, target: float, in_file: bool = False
) -> Row:
    """Return the ratio of a shape's flow to bare asyncio.

    Bare asyncio is measured twice: as anybody runs it, which the target is about, and with the collector's
    thresholds that asyncflow sets during a large run, which is shown beside it.

    Args:
        case: the case's name.
        shape: what is run.
        effort: how much is run.
        repetitions: how often a full run repeats it.
        target: what the ratio shall not exceed.
        in_file: whether the flow is kept in a SQLite file instead of in memory.
    """
    times = max(effort.tasks(_TASKS_PER_REPETITION) // shape.tasks, 1)
    bare = plain(shape.bare, times)
    ours = _in_file(shape, times) if in_file else _in_memory(shape, times)
    found = costs({"bare": bare, "calm": calm(bare), "ours": ours}, effort.repetitions(repetitions))
    beside = {
        "same collector": Quantity(median(ratios(found["ours"], found["calm"])), "x"),
        "asyncflow": per_task(found["ours"], shape.tasks * times),
        "bare": per_task(found["bare"], shape.tasks * times),
    }
    if in_file:
        on_loop = [
            ours.loop_thread / bare.cpu for ours, bare in zip(found["ours"], found["bare"], strict=True)
        ]
        beside["loop's thread"] = Quantity(median(on_loop), "x")
    return row(case, shape.name, ratios(found["ours"], found["bare"]), "x", target=target, beside=beside)


def _in_memory(shape: Shape, times: int) -> Work:
    """Return a shape's flow as work, kept in a fresh memory store."""

    @asynccontextmanager
    async def work() -> AsyncIterator[Go]:
        runs: list[FlowRun] = []
        yield _runs(shape, MemoryStore(), times, runs)
        _check(shape, runs)

    return work


def _in_file(shape: Shape, times: int) -> Work:
    """Return a shape's flow as work, kept in a fresh file that is open already.

    A run is final when its last event is committed, so all writing is part of the work.
    """

    @asynccontextmanager
    async def work() -> AsyncIterator[Go]:
        with TemporaryDirectory() as folder:
            store = SQLiteStore(Path(folder) / "runs.db")
            await store.open()
            runs: list[FlowRun] = []
            try:
                yield _runs(shape, store, times, runs)
                _check(shape, runs)
                for run in runs:
                    kept = await store.find(run.id)
                    if kept is None or (kept.state, kept.tasks) != ("Success", shape.tasks):
                        raise RuntimeError(f"{run!r} was kept as {kept!r}")
            finally:
                await store.close()

    return work


def _runs(shape: Shape, store: Store, times: int, runs: list[FlowRun]) -> Go:
    flow = shape.flow.with_options(store=store)

    async def go() -> None:
        for _ in range(times):
            run = await flow.start()
            await run.wait()
            assert isinstance(run, FlowRun)
            runs.append(run)

    return go


def _check(shape: Shape, runs: list[FlowRun]) -> None:
    """Raise unless all tasks succeeded and every change of state is an event."""
    for run in runs:
        changes = sum(event.kind == "state_changed" for event in run.events)
        if not run.is_success() or len(run.tasks) != shape.tasks or changes < 2 * shape.tasks:
            raise RuntimeError(
                f"{shape.name}: {run!r} with {changes} changes of state is not the whole shape"
            )
