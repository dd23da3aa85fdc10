"""Threads that attempts left behind: reported then, when they end, and when the run ends before them."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from asyncflow import ambient
from asyncflow.human import plural

if TYPE_CHECKING:
    from asyncflow.engine.calling import Calling
    from asyncflow.engine.task_run import TaskRun

_log = logging.getLogger("asyncflow")


class Threaded(Protocol):
    """Who hears of a thread that is left behind."""

    def left(self, threads: int) -> None:
        """Hear that nobody waits for the thread any more, and how many such threads there are now."""

    def back(self, threads: int) -> None:
        """Hear that it has ended at last, and how many such threads there are still."""


class Leftover:
    """What is to be said of one attempt's thread, should the attempt end before it.

    Args:
        task_run: whose attempt it is.
    """

    __slots__ = ("_attempt", "_since", "_task_run")

    def __init__(self, task_run: TaskRun) -> None:
        self._task_run = task_run
        self._attempt = 0
        self._since = 0.0

    def left(self, threads: int) -> None:
        """Report that the attempt has ended and its thread goes on.

        Args:
            threads: how many such threads there are now.
        """
        self._attempt = self._task_run.attempt
        self._since = self._task_run.run.record.offset()
        self._task_run.note("thread_abandoned", {"threads": threads})

    def back(self, threads: int) -> None:
        """Report that the thread has ended the body at last; a run that is over has no place for it."""
        run = self._task_run.run
        detail = {"threads": threads, "seconds": run.record.offset() - self._since}
        run.note("thread_returned", self._task_run.number, self._attempt, detail)


def warn(run: Calling) -> None:
    """Log which of a run's threads are still at work, now that it ends without them."""
    pool = ambient.world().threads
    if not getattr(pool, "abandoned", 0):
        return
    keys: dict[int, str] = {}  # those of a map's elements, too
    threads: Counter[tuple[int, int]] = Counter()  # an attempt and its hedges may each leave one
    for event in run.events:
        if event.kind == "task_called":
            keys[event.task] = event.detail["key"]
        elif event.kind == "thread_abandoned":
            threads[event.task, event.attempt] += 1
        elif event.kind == "thread_returned":
            threads[event.task, event.attempt] -= 1
    left = +threads
    if left:
        which = ", ".join(f"{keys[task]} (attempt {attempt})" for task, attempt in left)
        _log.warning(
            "flow run %s of %r ends before %s of it, still at work until the process ends: %s",
            run.name,
            run.flow.name,
            plural(left.total(), "thread"),
            which,
        )
