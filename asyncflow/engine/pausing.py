"""When a run rests: only paused task runs are left, and nothing but resuming them would go on.

A run that never pauses knows nothing of this. From its first pause on it looks, after each event and each
await, whether something can still happen. When nothing can, the body is closed: it is cancelled where it
waits, and what it then awaits ends the same way.
"""

from __future__ import annotations

import asyncio
from itertools import chain
from typing import TYPE_CHECKING, Any

from asyncflow.signals import PAUSE
from asyncflow.states import Paused

if TYPE_CHECKING:
    from asyncflow.engine.flow_run import FlowRun
    from asyncflow.engine.task_run import TaskRun

_TURNS = 16
"""Turns of the loop in which nothing may happen: a value that is there takes a few to reach the body, through
gather, wait and task groups."""


class Pauses:
    """Watches over one run from its first pause on, and closes the body when only paused ones remain.

    Args:
        run: the flow run.

    Attributes:
        is_closed: whether the run rests; its body, if it was not at its end, has been cancelled.
    """

    def __init__(self, run: FlowRun) -> None:
        self.is_closed = False
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._emit, self._new_future = run.emit, run.create_future
        run.emit, run.create_future = self._emitted, self._awaited
        self._is_looking = False
        self._turns = 0
        self._witness = 0

    def look(self) -> None:
        """See, when the loop has come to rest, whether the run has too."""
        self._turns = _TURNS
        if not self._is_looking and not self.is_closed:
            self._is_looking = True
            self._loop.call_soon(self._look)

    def _emitted(self, kind: Any, task: int, attempt: int, detail: Any) -> None:
        self._emit(kind, task, attempt, detail)
        self.look()

    def _awaited(self) -> asyncio.Future[Any]:
        if self.is_closed:
            raise asyncio.CancelledError("the flow's body is closed: only paused task runs remain")
        self.look()
        return self._new_future()

    def _look(self) -> None:
        self._is_looking = not self.is_closed and self._rests()
        if not self._is_looking:
            return
        self._turns -= 1
        if self._turns:
            self._loop.call_soon(self._look)
        elif self._run.goes_on():
            self._is_looking = False
            self.look()
        else:
            self.is_closed = True
            self._run.close()

    def _rests(self) -> bool:
        """Whether nothing is in flight, and the body is at its end or waits for a task run."""
        task_runs = self._run.tasks
        # The one that was in flight the last time most likely still is.
        for place in chain(range(self._witness, len(task_runs)), range(self._witness)):
            if task_runs[place].is_in_flight():
                self._witness = place
                return False
        return self._run.body_waits()


class ChildPaused(PAUSE):
    """Pauses the task run of a child flow that has paused.

    Args:
        message: what the child run waits for.
        run_id: the child run's id, by which it is found again.
    """

    def __init__(self, message: str, run_id: str) -> None:
        super().__init__(message)
        self.run_id = run_id

    def to_state(self) -> Paused:
        """Return Paused, which says the child run."""
        return Paused(self.message, None, {"run": self.run_id})


def paused_state(task_runs: list[TaskRun]) -> Paused:
    """Return the state of a run in which only these task runs, and what depends on them, remain."""
    first, *others = task_runs
    who = f"Task {first.key!r} waits" if not others else f"Tasks {first.key!r} and {len(others)} more wait"
    said = f": {first.state.message}" if first.state.message != Paused.default_message else ""
    return Paused(f"{who} to be resumed{said}", None, {"paused": [t.key for t in task_runs]})
