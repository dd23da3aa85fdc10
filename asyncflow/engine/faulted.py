"""Lets planned faults strike: the innermost thing around a body, inside the attempt's timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from asyncflow.faults import TaskFault

if TYPE_CHECKING:
    from asyncflow.engine.task_run import TaskRun


def faulted(task_run: TaskRun, body: Callable[..., Any]) -> Callable[..., Any]:
    """Return a coroutine function that asks the run's fault source at each attempt and does what it says.

    Args:
        task_run: whose attempts they are.
        body: what an attempt calls otherwise.
    """
    source = task_run.run.faults

    async def attempt(*args: Any, **kwargs: Any) -> Any:
        assert source is not None
        struck: Sequence[TaskFault] = source.strike(task_run.task.name, abs(task_run.place), task_run.attempt)
        pending = list(struck)
        try:
            for fault in [fault for fault in struck if fault.when == "before"]:
                _announce(task_run, pending.pop(pending.index(fault)))
                await _strike(fault)
            value = await body(*args, **kwargs)
            for fault in list(pending):
                _announce(task_run, pending.pop(0))
                value = await _strike(fault, value)
            return value
        finally:
            for fault in pending:
                source.missed(fault)

    return attempt


def _announce(task_run: TaskRun, fault: TaskFault) -> None:
    task_run.note("fault_injected", {"id": fault.id, "at": fault.at, "do": fault.do})


async def _strike(fault: TaskFault, value: Any = None) -> Any:
    """Do what a fault does; return the value that the attempt goes on with."""
    match fault.do:
        case "raise" | "signal":
            raise fault.exception()
        case "delay":
            await asyncio.sleep(fault.delay or 0.0)
        case "hang":
            await asyncio.get_running_loop().create_future()
        case "cancel":
            me = asyncio.current_task()
            assert me is not None
            me.cancel()
            await asyncio.sleep(0)
        case "wrong-result":
            return fault.value
    return value
