"""Short ways to run a flow in virtual time and to read what happened."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from asyncflow import ambient
from asyncflow.engine import FlowRun
from asyncflow.flow import Flow
from tests.clock import run_virtual


class InlineThreads:
    """Stands in for the pool of threads: a `def` body runs at once, on the loop."""

    abandoned = 0

    async def run(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *_: Any
    ) -> tuple[Any, BaseException | None]:
        try:
            return fn(*args, **kwargs), None
        except BaseException as error:
            return None, error


def virtually(story: Coroutine[Any, Any, Any], *, seed: int | None = 7) -> Any:
    """Run a coroutine in virtual time, with `def` bodies on the loop."""

    async def inline() -> Any:
        ambient.world().threads = InlineThreads()
        return await story

    return run_virtual(inline(), seed=seed)


def play(flow: Flow[..., Any], /, *, seed: int | None = 7, **parameters: Any) -> FlowRun:
    """Run a flow to its end in virtual time and return the run."""

    async def story() -> FlowRun:
        run = await flow.start(**parameters)
        await run.wait()
        assert isinstance(run, FlowRun)
        return run

    run: FlowRun = virtually(story(), seed=seed)
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
