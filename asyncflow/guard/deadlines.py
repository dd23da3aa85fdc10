"""Attempt timeouts: a first-in-first-out queue per event loop and duration, one timer for all calls.

Calls that share a duration end in the order in which they began. So arming is an append, disarming a store,
and the loop's own heap of timers, whose upkeep is most of the cost of `asyncio.timeout`, holds one entry
instead of one per call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from asyncflow.ambient import process_world

_STOCK_TIME = asyncio.BaseEventLoop.time
"""As it was when this was imported: a loop whose time was replaced since then has a clock of its own."""

# How long the queue may get before finished alarms are swept out from behind a head that still runs. Twice
# what the last sweep left, so that each alarm is looked at a constant number of times.
_SWEEP_AT = 256


PATIENCE = 5.0
"""Seconds that a call gets to end after it was cancelled, before somebody is told that it does not."""

AsyncioTask = asyncio.Task[Any]


class Alarm:
    """The deadline of one call.

    Attributes:
        task: the asyncio task to cancel; None once the call has ended.
        at: when, on the loop's clock.
        fired: whether the task was cancelled for it.
        requests: the task's count of cancellation requests when the call began.
    """

    __slots__ = ("at", "fired", "requests", "task")

    at: float
    fired: bool
    requests: int
    task: AsyncioTask | None

    def ring(self) -> None:
        """Cancel the task; the alarm is due and its call has not ended."""
        assert self.task is not None, "only the alarm of a call that runs is rung"
        self.fired = True
        self.task.cancel()
        if _unheeded is not None:
            queue_for(self.task.get_loop(), PATIENCE).arm(_Reminder(self))

    def disarm(self) -> bool:
        """End the call, and return whether a cancellation that it ended with is the alarm's own.

        The cancellation that the alarm asked for is taken back from the task's count. If more were asked
        for since the call began, one is somebody else's, and it wins.
        """
        task, self.task = self.task, None
        return self.fired and task is not None and task.uncancel() <= self.requests


class _Reminder(Alarm):
    """Asks, some time after an alarm, whether its call goes on nevertheless."""

    __slots__ = ("_alarm",)

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm

    @property
    def task(self) -> AsyncioTask | None:  # type: ignore[override]  # a call that has ended needs no reminder
        return self._alarm.task

    def ring(self) -> None:
        if _unheeded is not None and self.task is not None:
            _unheeded(self.task)


_unheeded: Callable[[AsyncioTask], None] | None = None


def when_unheeded(told: Callable[[AsyncioTask], None]) -> None:
    """Let somebody know of each call that goes on for PATIENCE seconds after its timeout."""
    global _unheeded
    _unheeded = told


class DeadlineQueue:
    """All calls on one event loop that share a duration; get it from `queue_for`."""

    __slots__ = ("__weakref__", "_alarms", "_due", "_now", "_sweep_at", "_timer", "duration", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, duration: float) -> None:
        self.loop = loop
        self.duration = duration
        # The stock loop's clock is the process's; asking it without the loop takes half the time.
        is_stock = type(loop).time is _STOCK_TIME
        self._now = process_world().monotonic if is_stock else loop.time
        self._alarms: deque[Alarm] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._sweep_at = _SWEEP_AT

    def end(self) -> float:
        """Return when a call that begins now will be over, on the loop's clock."""
        return self._now() + self.duration

    def arm(self, alarm: Alarm) -> None:
        """Let the alarm's task be cancelled when the duration is over, unless it is disarmed before."""
        alarm.at = self._now() + self.duration
        alarms = self._alarms
        alarms.append(alarm)
        if self._timer is None:
            self._wake_at(alarm.at)
        if len(alarms) > self._sweep_at:
            self._sweep()

    def _wake_at(self, due: float) -> None:
        self._due = due
        self._timer = self.loop.call_at(due, self._fire)

    def _fire(self) -> None:
        """Cancel what is due, and sleep until the first call that still runs."""
        # A loop may run a timer early, by the resolution of its clock: what the timer was set for is due.
        now = max(self._due, self._now())
        try:
            while self._alarms and (self._alarms[0].task is None or self._alarms[0].at <= now):
                alarm = self._alarms.popleft()
                if alarm.task is not None:
                    alarm.ring()
        finally:
            # Not before: what rings may arm an alarm of this very queue, and two timers would run ahead of
            # each other.
            self._timer = None
            if self._alarms:
                self._wake_at(self._alarms[0].at)

    def _sweep(self) -> None:
        """Drop the alarms of finished calls that wait behind a long one."""
        self._alarms = deque([alarm for alarm in self._alarms if alarm.task is not None])
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._alarms))

    def __repr__(self) -> str:
        running = sum(alarm.task is not None for alarm in self._alarms)
        return (
            f"<DeadlineQueue {self.duration:g} s, {running} running, {len(self._alarms) - running} finished>"
        )


# Weak, so that a queue lives as long as somebody uses it, and its loop no longer than that. A live queue
# holds its loop: the loop's id is not given to another one meanwhile.
_queues: WeakValueDictionary[tuple[int, float], DeadlineQueue] = WeakValueDictionary()


def queue_for(loop: asyncio.AbstractEventLoop, duration: float) -> DeadlineQueue:
    """Return the queue of calls on `loop` that may take `duration` seconds."""
    queue = _queues.get((id(loop), duration))
    if queue is None:
        queue = _queues[id(loop), duration] = DeadlineQueue(loop, duration)
    return queue
