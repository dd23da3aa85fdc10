"""Finds attempts that go on although they were cancelled: a body may swallow that, or clean up for long.

They are named, with the line where they wait, and waited for: what a flow run owns, it owns to the end. Who
does not want to wait presses Ctrl-C twice.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from asyncflow.engine.blocking import named, scope_of
from asyncflow.guard.deadlines import PATIENCE, when_unheeded
from asyncflow.human import duration
from asyncflow.places import links, users_place

if TYPE_CHECKING:
    from asyncflow.engine.calling import Calling
    from asyncflow.engine.task_run import TaskRun

_log = logging.getLogger("asyncflow")


class Unheeded:
    """What a flow run has cancelled and still waits for.

    Args:
        run: the flow run.
    """

    def __init__(self, run: Calling) -> None:
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[TaskRun | None, tuple[float, float]] = {}
        self._named: dict[str, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, task_run: TaskRun | None) -> None:
        """Take note of a cancellation.

        Args:
            task_run: what was cancelled; None for the flow's own body.
        """
        now = self._loop.time()
        self._waiting.setdefault(task_run, (now, now + PATIENCE))
        if self._timer is None:
            self._timer = self._loop.call_at(now + PATIENCE, self._look)

    def sentence(self) -> str:
        """Return what is to be said at the run's end, behind a space; empty when there is nothing."""
        return "".join(
            f" {one} went on for more than {duration(PATIENCE)} after that." for one in self._named
        )

    def stop(self) -> None:
        """End the watch."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        """Name what has gone on for too long; each again after twice the time."""
        now = self._loop.time()
        for task_run, (since, due) in list(self._waiting.items()):
            going = self._going(task_run)
            if going is None:
                del self._waiting[task_run]
            elif due <= now:
                self._waiting[task_run] = (since, since + 2 * (due - since))
                self._report(task_run, going, now - since)
        self._timer = None
        if self._waiting:
            next_due = min(due for _, due in self._waiting.values())
            self._timer = self._loop.call_at(next_due, self._look)

    def _going(self, task_run: TaskRun | None) -> asyncio.Task[Any] | None:
        """Return the asyncio task of what has not ended."""
        if task_run is None:
            return self._run.body_task()
        return None if task_run.state.final else task_run.asyncio_task()

    def _report(self, task_run: TaskRun | None, task: asyncio.Task[Any], seconds: float) -> None:
        where = _place_of(task)
        found = self._run if task_run is None else task_run
        name = "The flow's body" if task_run is None else f"Task {task_run.key!r}"
        if name not in self._named:
            self._named[name] = None
            tell(found, where, seconds, "cancelled")
        _warn(found, where, f"goes on {duration(seconds)} after it was cancelled")


def tell(found: Any, where: str, seconds: float, why: str) -> None:
    """Record that a cancellation was swallowed."""
    run = getattr(found, "run", found)
    number, attempt = (0, 0) if found is run else (found.number, found.attempt)
    run.note("cancel_swallowed", number, attempt, {"seconds": seconds, "where": where, "why": why})


def _after_timeout(task: asyncio.Task[Any]) -> None:
    """Report an attempt that goes on after its timeout."""
    where, found = _place_of(task), scope_of(task)
    if hasattr(getattr(found, "run", None), "note"):
        tell(found, where, PATIENCE, "timeout")
    _warn(found, where, f"goes on {duration(PATIENCE)} after its time was over")


def _warn(found: Any, where: str, what: str) -> None:
    _log.warning(
        "%s %s; it waits at %s. Let CancelledError through, or catch it only to clean up",
        named(found),
        what,
        where,
    )


def _place_of(task: asyncio.Task[Any]) -> str:
    frames = [frame for _, frame in links(task.get_coro()) if frame is not None]
    return users_place(frames) or "a place that is not known"


when_unheeded(_after_timeout)
