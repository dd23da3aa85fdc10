"""The smallest tasks, and short ways to run a flow in virtual time and to read what happened."""

from __future__ import annotations

import asyncio
from typing import Any

from asyncflow import task
from asyncflow.engine import FlowRun
from asyncflow.flow import Flow
from tests.clock import run_virtual


@task
async def give(value=1):
    return value


@task
async def double(value):
    return 2 * value


@task
async def nap(seconds, value=None):
    await asyncio.sleep(seconds)
    return value


@task
async def fail(error=None):
    raise error or ValueError("no")


def play(flow: Flow[..., Any], /, *, seed: int = 7, **parameters: Any) -> FlowRun:
    """Run a flow to its end in virtual time and return the run."""

    async def story() -> FlowRun:
        run = await flow.start(**parameters)
        await run.wait()
        assert isinstance(run, FlowRun)
        return run

    run = run_virtual(story(), seed=seed)
    assert run.is_final(), "a run that was waited for is final"
    return run


def states(run: FlowRun) -> dict[str, str]:
    """Return the final states by key."""
    return {task_run.key: task_run.state.name for task_run in run.tasks}


def moves(run: FlowRun, key: str | None = None) -> list[str]:
    """Return the names of the states that a task run went through; the flow run's without a key."""
    number = 0 if key is None else run.tasks[key].number
    return [
        event.detail.name for event in run.events if event.kind == "state_changed" and event.task == number
    ]


def of_kind(run: FlowRun, kind: str) -> list[Any]:
    """Return the details of all events of one kind."""
    return [event.detail for event in run.events if event.kind == kind]
