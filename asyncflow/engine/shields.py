"""Shields: what a cancellation of the flow does not reach, or not at once, since it keeps resources whole.

The model is Python's `try` and `finally`: what was set up is cleaned up before a cancelled run is final.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from asyncflow.control.resources import Cleanup, Setup
from asyncflow.states import Running

if TYPE_CHECKING:
    from asyncflow.engine.task_run import TaskRun


class Shields:
    """Cancels the task runs of one flow run, and gives those that are shielded the time that they need."""

    __slots__ = ("_timers",)

    def __init__(self) -> None:
        self._timers: dict[TaskRun, asyncio.TimerHandle] = {}

    def cancel(self, task_runs: Iterable[TaskRun]) -> None:
        """Cancel task runs, save cleanups; setups that are running have a grace to come to their ends.

        A setup that was cut short may have opened what nobody would close, in a thread above all. A cleanup
        that nobody needs is skipped by its trigger.
        """
        for task_run in task_runs:
            if isinstance(task_run.task, Setup) and isinstance(task_run.state, Running):
                self._give_grace(task_run, task_run.task.grace)
            elif not isinstance(task_run.task, Cleanup):
                task_run.cancel()

    def _give_grace(self, task_run: TaskRun, seconds: float) -> None:
        if task_run not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[task_run] = loop.call_later(seconds, task_run.cancel)

    def close(self) -> None:
        """Stop the timers of setups, which are final now."""
        for timer in self._timers.values():
            timer.cancel()
