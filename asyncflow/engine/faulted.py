"""Lets planned faults strike: the innermost thing around a body, inside the attempt's timeout."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from asyncflow.faults import TaskFault
from asyncflow.handles import innermost

if TYPE_CHECKING:
    from asyncflow.engine.task_run import TaskRun


def faulted(task_run: TaskRun, body: Callable[..., Any]) -> Callable[..., Any]:
    """Return a coroutine function that asks the run's fault source at each attempt and does what it says.

    Faults before the body strike in the order of the plan, then the body runs, then those after it strike.
    The source is told of those whose turn never came.

    Args:
        task_run: whose attempts they are.
        body: what an attempt calls otherwise.
    """
    source = task_run.run.faults
    assert source is not None

    async def attempt(*args: Any, **kwargs: Any) -> Any:
        here = _here(task_run)
        struck = source.strike(task_run.task.name, abs(task_run.place), here.attempt, index=task_run.index)
        ahead: deque[TaskFault] = deque(sorted(struck, key=lambda fault: fault.when == "after"))
        try:
            while ahead and ahead[0].when == "before":
                await _strike(here, ahead.popleft())
            value = await body(*args, **kwargs)
            while ahead:
                value = await _strike(here, ahead.popleft(), value)
            return value
        finally:
            for fault in ahead:
                source.missed(fault)

    return attempt


def _here(task_run: TaskRun) -> TaskRun:
    """Return the task run, or its hedge that makes the attempt, which has another number."""
    return cast("TaskRun", innermost()) if task_run.task.policy.hedge is not None else task_run


async def _strike(task_run: TaskRun, fault: TaskFault, value: Any = None) -> Any:
    """Record a fault and do what it does; return the value that the attempt goes on with."""
    task_run.note("fault_injected", {"id": fault.id, "at": fault.at, "do": fault.do})
    match fault.do:
        case "raise" | "signal":
            raise fault.exception()
        case "delay":
            await asyncio.sleep(fault.delay or 0.0)
        case "hang":
            await asyncio.get_running_loop().create_future()
        case "cancel":
            await _cancel_me()
        case "wrong-result":
            return fault.value
    return value


async def _cancel_me() -> None:
    """Cancel the attempt as anybody would from outside, and wait for that to arrive."""
    me = asyncio.current_task()
    assert me is not None
    me.cancel()
    await asyncio.sleep(0)
