"""Total deadlines: one alarm cuts whatever works under a deadline, in any asyncio task that inherited it.

A deadline belongs to the context, so a body, what it calls, and the asyncio tasks that it starts all see it.
The asyncio task that set it is cut when it is over; another one is cut from its first call under a policy on,
since only there somebody stands by who can tell this cancellation from others.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from asyncflow.errors import DeadlineExceeded, UsageError
from asyncflow.guard.deadlines import Alarm, AsyncioTask, queue_for
from asyncflow.policy.seconds import Seconds, seconds, spoken


class Deadline(Alarm):
    """When everything under it has to have ended; one alarm for all of it.

    Args:
        loop: on whose clock.
        at: when, on that clock.
        length: how long it was when it was set, in seconds.
        is_declared: whether many calls have a deadline of that length, so that they share a queue.

    Attributes:
        at: when, on the loop's clock.
        task: one of those that it cuts; None while there is none.
        fired: whether it is over, and they were cancelled.
        length: how long it was when it was set, in seconds.
        loop: the event loop.
    """

    __slots__ = ("_alarms", "_is_declared", "_timer", "length", "loop")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, at: float, length: float, *, is_declared: bool = False
    ) -> None:
        self.task = None
        self.fired = False
        self.loop = loop
        self.at = at
        self.length = length
        self._is_declared = is_declared
        self._alarms: dict[AsyncioTask, Alarm] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def remaining(self) -> float:
        """Seconds that are left; 0.0 when it is over."""
        # A loop may run a timer early, by the resolution of its clock: what has rung is over.
        return 0.0 if self.fired else max(0.0, self.at - self.loop.time())

    def cuts(self, task: AsyncioTask | None) -> bool:
        """Whether an asyncio task will be cancelled when the deadline is over."""
        return task in self._alarms

    def hold(self, task: AsyncioTask) -> None:
        """Let an asyncio task be cancelled when the deadline is over, until it is let go."""
        alarm = Alarm()
        alarm.task = task
        alarm.fired = False
        alarm.requests = task.cancelling()
        self._alarms[task] = alarm
        if self.task is None:
            self.task = task
            self._set()

    def _set(self) -> None:
        """See to it that somebody rings."""
        if self._is_declared:
            self._is_declared = False  # it stays in the queue; held once more, it has a timer of its own
            queue_for(self.loop, self.length).arm(self)
        else:
            self._timer = self.loop.call_at(self.at, self.ring)

    def let_go(self, task: AsyncioTask) -> bool:
        """Return whether a cancellation that the asyncio task ends with is this deadline's own.

        The request for it is taken back from the task's count.
        """
        alarm = self._alarms.pop(task)
        if not self._alarms:
            self.task = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        return alarm.disarm()

    def ring(self) -> None:
        """Cancel all who work under the deadline; it is over."""
        if not self.fired:
            self.fired = True
            for alarm in list(self._alarms.values()):
                alarm.ring()

    def exceeded(self, what: str = "") -> DeadlineExceeded:
        """Return the error that says so.

        Args:
            what: what was going on, for the end of the sentence.
        """
        return DeadlineExceeded(f"the deadline of {spoken(self.length)} was over{what}")

    def __repr__(self) -> str:
        return f"<Deadline of {spoken(self.length)}, {spoken(self.remaining)} left>"


_innermost: ContextVar[Deadline | None] = ContextVar("asyncflow_deadline", default=None)

innermost = _innermost.get
"""Return the deadline that ends first of those around the caller; None when there is none."""


def ends_at() -> float | None:
    """Return when the nearest deadline will cut the caller, on the clock of the running loop.

    None when none will: one that is over has done so, and what cleans up after it has its own limits.
    """
    found = _innermost.get()
    return None if found is None or found.fired else found.at


def remaining(now: float | None = None) -> float | None:
    """Return how many seconds are left until the nearest deadline around the caller.

    It answers in threads that `def` bodies run in, too.

    Args:
        now: the time on the loop's clock, for a caller that knows it already.

    Returns:
        0.0 when it is over, None when there is no deadline.
    """
    found = _innermost.get()
    if found is None:
        return None
    return found.remaining if now is None or found.fired else max(0.0, found.at - now)


def is_foreign(task: AsyncioTask | None) -> bool:
    """Whether a deadline is inherited that does not cut this asyncio task yet."""
    found = _innermost.get()
    return found is not None and not found.cuts(task)


class Stay:
    """One asyncio task's time under a deadline: from `enter` to `leave`.

    Args:
        task: the asyncio task.
        length: seconds that its work may take; None for as long as what it inherited lets it.
        is_declared: whether it is the length of a policy, which many calls share.

    Attributes:
        deadline: what cuts it: its own, or one around it that ends no later. None when there is none.
    """

    __slots__ = ("_before", "_holds", "_task", "deadline")

    def __init__(self, task: AsyncioTask, length: float | None, *, is_declared: bool = False) -> None:
        self._task = task
        self._before = before = _innermost.get()
        self._holds = False
        loop = task.get_loop()
        # In the thread of a `def` body another loop may run, whose tasks this timer could not cancel.
        if before is not None and before.loop is not loop:
            before = Deadline(loop, loop.time() + before.remaining, before.length)
        self.deadline = before
        if length is not None:
            at = loop.time() + length
            # In a tie the outer one wins. One that has cut this task already has nothing more to say: what
            # the task does now is to clean up, and nobody else would end that.
            if before is None or at < before.at or (before.fired and before.cuts(task)):
                self.deadline = Deadline(loop, at, length, is_declared=is_declared)

    def enter(self) -> None:
        """Begin to be cut by the deadline.

        Raises:
            DeadlineExceeded: when an inherited one is over; nothing was begun.
        """
        deadline = self.deadline
        if deadline is not None and not deadline.cuts(self._task):
            if not deadline.remaining:
                raise deadline.exceeded(" before it began")
            deadline.hold(self._task)
            self._holds = True
        _innermost.set(deadline)

    def leave(self) -> bool:
        """End it; return whether a cancellation that it ends with is the deadline's own, and ends here."""
        # Not by a token: what is finalized in another context, such as a generator, could not use it.
        _innermost.set(self._before)
        if not self._holds:
            return False
        assert self.deadline is not None
        self._holds = False
        return self.deadline.let_go(self._task)


class deadline:  # noqa: N801 - it reads like `asyncio.timeout`
    """Give everything in the block of an `async with` so many seconds in all.

    What the block calls inherits the deadline: retries start no wait that does not fit, tasks see it in
    `current().remaining`, anybody in `remaining()`. A deadline inside another one can only be earlier.

    Args:
        length: seconds or a timedelta.

    Raises:
        InvalidPolicy: when `length` is not more than zero.
        DeadlineExceeded: from the block, when it was over; what was going on was cancelled.

    Example:
        >>> async with deadline(2.0):
        ...     user = await fetch_user()
        ...     await send(user)
    """

    __slots__ = ("_length", "_stay")

    def __init__(self, length: Seconds) -> None:
        self._length = seconds(length, "deadline", zero=False)
        self._stay: Stay | None = None

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise UsageError("a deadline needs an asyncio task to cancel; start one with asyncio.run")
        if self._stay is not None:
            raise UsageError(
                "this deadline is in use already; write `async with deadline(...)` for each block"
            )
        stay = Stay(task, self._length)
        stay.enter()
        self._stay = stay
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        stay, self._stay = self._stay, None
        assert stay is not None
        assert stay.deadline is not None
        if stay.leave() and isinstance(error, asyncio.CancelledError):
            raise stay.deadline.exceeded() from error
