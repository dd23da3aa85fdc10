"""What is on its way to one end of a connection, and what has arrived there and was not read yet."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any

from asyncflow.sim.clock import Clock
from asyncflow.wire.pipe import Step


class Inbox:
    """The steps of one direction, executed in their order when their time has come and somebody reads.

    One timer serves all of them: of two timers for one instant, a loop may call either first.

    Args:
        loop: where the timer is set.
        clock: the world's clock.
        execute: called with each step.
        reads: whether steps are executed now.
        context: where they are.
    """

    __slots__ = ("_clock", "_context", "_execute", "_loop", "_reads", "_steps", "_timer")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        execute: Callable[[Step], Any],
        reads: Callable[[], bool],
        context: Context,
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._execute = execute
        self._reads = reads
        self._context = context
        self._steps: deque[Step] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def expect(self, steps: list[Step]) -> None:
        """Take steps that happen after those that are expected already."""
        self._steps.extend(steps)
        if self._timer is None:
            self.wake()

    def wake(self) -> None:
        """Go on, now that somebody reads again."""
        if self._timer is None and self._steps and self._reads():
            self._timer = self._loop.call_at(self._steps[0].when, self._run, context=self._context)

    def forget(self) -> None:
        """Expect nothing any more."""
        self._steps.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def has_unread(self) -> bool:
        """Return whether data has arrived that nobody has read."""
        return bool(self._steps) and self._steps[0].when <= self._clock.now and self._steps[0].kind == "data"

    def has_reset(self) -> bool:
        """Return whether a reset has arrived that nobody has noticed."""
        return any(step.kind == "reset" and step.when <= self._clock.now for step in self._steps)

    def _run(self) -> None:
        steps = self._steps
        while steps and steps[0].when <= self._clock.now and self._reads():
            self._execute(steps.popleft())
        self._timer = None
        self.wake()
