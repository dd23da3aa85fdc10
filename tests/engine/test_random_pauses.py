"""Whatever pauses, and wherever: once resumed, a run ends as if it had never paused."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asyncflow import Retry, current, flow, signals, task
from asyncflow.engine import FlowRun
from asyncflow.sim import Simulation
from asyncflow.store import MemoryStore, SQLiteStore
from asyncflow.triggers import all_finished, all_successful


class Step(NamedTuple):
    """One call of a random flow."""

    kind: str
    upstream: tuple[int, ...]
    seconds: int
    awaited: bool
    pauses: bool
    forgiving: bool


KINDS = ("value", "value", "none", "skip", "fail", "retry", "raise", "loop")

steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(KINDS),
        st.lists(st.integers(0, 6), max_size=3).map(tuple),
        st.integers(0, 3),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=7,
)


def flow_of(plan: list[Step], *, pausing: bool) -> Any:  # noqa: C901 - a body of many kinds
    """Return the flow of a plan, with or without its pauses."""

    def body_of(place: int, step: Step) -> Any:
        @task(
            name=f"step {place % 3}",
            retry=Retry(2, delay=1) if step.kind == "retry" else None,
            trigger=all_finished if step.forgiving else all_successful,
        )
        async def body(*values: Any) -> Any:
            here = current()
            await asyncio.sleep(step.seconds)
            if pausing and step.pauses and not here.resumed:
                raise signals.PAUSE(str(place))
            if step.kind == "skip":
                raise signals.SKIP("nothing to do")
            if step.kind == "fail":
                raise signals.FAIL("on purpose")
            if step.kind == "raise" or (step.kind == "retry" and len(values) > 1):
                raise ValueError(place)
            if step.kind == "loop" and here.loop_count < 3:
                raise signals.LOOP(result=(here.loop_result, place))
            if step.kind == "none":
                return None
            return (place, [repr(value) for value in values], here.loop_result)

        return body

    @flow
    async def random_flow() -> Any:
        handles: list[Any] = []
        for place, step in enumerate(plan):
            above = [handles[up % place] for up in step.upstream] if place else []
            handles.append(body_of(place, step)(*above))
            if step.awaited:
                try:
                    await handles[-1]
                except Exception as error:
                    handles.append(body_of(place, step._replace(kind="value"))(type(error).__name__))
        return handles[-1]

    return random_flow


async def to_its_end(plan: list[Step], store: Any) -> tuple[FlowRun, int]:
    """Run a plan with its pauses, resuming it until it is final; return the run and how often it was."""
    await store.open()
    random_flow = flow_of(plan, pausing=True)
    run = await (await random_flow.with_options(store=store).start()).wait()
    resumes = 0
    while run.is_paused():
        resumes += 1
        assert resumes <= 2 * len(plan)
        run = await (await random_flow.start_resumed(run.id, store=store)).wait()
    await store.close()
    return run, resumes


def outcome(run: FlowRun) -> dict[str, Any]:
    """Return what a run came to, without what a pause may change: attempts, times, texts of errors."""
    return {
        "flow": (run.state.name, repr(run.state.result) if run.is_success() else None),
        **{
            task_run.key: (
                task_run.state.name,
                task_run.state.result if task_run.state.is_success() else None,
                type(task_run.state.result).__name__,
            )
            for task_run in run.tasks
        },
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps, st.sampled_from(["memory", "file"]))
def test_a_run_that_pauses_ends_as_one_that_never_does(plan: list[Step], kind: str) -> None:
    async def plain() -> FlowRun:
        run = await (await flow_of(plan, pausing=False).start()).wait()
        assert isinstance(run, FlowRun)
        return run

    expected = outcome(Simulation(seed=7).run(plain()))
    with tempfile.TemporaryDirectory() as folder:
        store = MemoryStore() if kind == "memory" else SQLiteStore(Path(folder) / "runs.db")
        run, resumes = Simulation(seed=7).run(to_its_end(plan, store))
    assert outcome(run) == expected
    assert bool(resumes) == any(
        event.kind == "state_changed" and event.task and event.detail.is_paused() for event in run.events
    )
