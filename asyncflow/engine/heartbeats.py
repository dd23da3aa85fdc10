"""Heartbeats: a body says now and then that it is alive and how far it is; one that does not is given up.

A beat is two stores into attributes, from whatever thread the body runs in. The loop looks only when the
attempt's time for the next beat is over. A beat that comes later than that does not count any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from asyncflow.errors import HeartbeatMissed
from asyncflow.guard.deadlines import Alarm
from asyncflow.human import duration

if TYPE_CHECKING:
    from asyncflow.engine.task_run import TaskRun
    from asyncflow.engine.wiring import Wired


class Heart(Alarm):
    """What is known of one attempt's beats.

    Args:
        task_run: whose attempt it is; its asyncio task is cancelled when a beat is missed.
        limit: seconds from one beat to the next at most, and from the attempt's start to the first.
    """

    __slots__ = ("_attempt", "_beats", "_began", "_last", "_limit", "_loop", "_over", "_task_run", "_timer")

    def __init__(self, task_run: TaskRun, limit: float) -> None:
        task = asyncio.current_task()
        assert task is not None, "an attempt is made by an asyncio task"
        self.task = task
        self.requests = task.cancelling()
        self.fired = False
        self._task_run = task_run
        self._attempt = task_run.attempt
        self._limit = limit
        self._loop = task.get_loop()
        self._began = self._last = self._loop.time()
        self._beats = 0
        self._over = False
        self._set_timer()

    def beat(self, detail: Any) -> None:
        """Take a beat; one of an attempt that has ended, in a thread left behind, says nothing of the next.

        Args:
            detail: how far the body is.
        """
        now = self._loop.time()
        if self._over or now > self._last + self._limit:
            return
        self._last = now
        self._beats += 1
        self._task_run.run.beats[self._task_run.number] = detail

    def stop(self) -> bool:
        """End the watch; return whether the cancellation that ended the attempt was for a missed beat."""
        self._over = True
        self._timer.cancel()
        return self.disarm()

    def missed(self) -> HeartbeatMissed:
        """Record that a beat was missed and return the error that says so."""
        last = self._last - self._began if self._beats else None
        detail = self._task_run.heartbeat_detail
        self._task_run.note(
            "heartbeat_missed",
            {"limit": self._limit, "last": last, "beats": self._beats, "detail": detail},
        )
        when = "it never beat" if last is None else f"it last beat {duration(last)} after its start"
        said = f" and said {_short(detail)}" if self._beats and detail is not None else ""
        attempt, limit = self._attempt, duration(self._limit)
        return HeartbeatMissed(
            f"attempt {attempt} had no heartbeat for {limit} and was given up; {when}{said}"
        )

    def _set_timer(self) -> None:
        self.at = self._last + self._limit
        self._timer = self._loop.call_at(self.at, self._look)

    def _look(self) -> None:
        """Cancel the attempt unless it has beaten since the timer was set."""
        if self._last + self._limit > self.at:
            self._set_timer()
        elif self.task is not None:
            self.ring()


_heart: ContextVar[Heart | None] = ContextVar("asyncflow_heart", default=None)


def beat(task_run: Wired, detail: Any) -> None:
    """Take a beat of a task run's body; without a limit only its detail is kept."""
    heart = _heart.get()
    if heart is None:
        task_run.run.beats[task_run.number] = detail
    else:
        heart.beat(detail)


def beating(task_run: TaskRun, limit: float, body: Callable[..., Any]) -> Callable[..., Any]:
    """Return a coroutine function that gives a body up when it has not beaten for too long.

    Args:
        task_run: whose body it is.
        limit: seconds from one beat to the next at most.
        body: what an attempt calls otherwise.
    """

    async def attempt(*args: Any, **kwargs: Any) -> Any:
        heart = Heart(task_run, limit)
        _heart.set(heart)
        try:
            return await body(*args, **kwargs)
        except asyncio.CancelledError as cancelled:
            if heart.stop():
                raise heart.missed() from cancelled
            raise
        finally:
            heart.stop()
            _heart.set(None)
            del heart  # its task's frames hold it: no cycle

    return attempt


def _short(detail: Any, limit: int = 80) -> str:
    try:
        text = repr(detail)
    except Exception as problem:  # noqa: BLE001 - the detail is the user's
        text = f"<{type(detail).__name__}: repr() raised {type(problem).__name__}>"
    return text if len(text) <= limit else text[: limit - 3] + "..."
