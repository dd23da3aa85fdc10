"""A hedge of a task run: the same call once more, beside the attempts of the task run itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncflow.guard import scopes
from asyncflow.handles import scope
from asyncflow.outcomes import Decision, Outcome
from asyncflow.policy.slots import Request

if TYPE_CHECKING:
    from asyncflow.engine.task_run import TaskRun
    from asyncflow.engine.wiring import Wired


class HedgeRun:
    """Follows the attempts of one hedge, and is what `current()` gives in their bodies.

    It has an attempt of its own and passes for the task run in everything else. A hedge moves no states: the
    task run is in that of its own attempts until one of them all has the answer.

    Args:
        task_run: whose hedge it is.
        number: which one, from 1.
        request: the slots that it has until it ends; None when it needs none.

    Attributes:
        hedge: which hedge it is, from 1.
        attempt: its attempt's number. The first attempt of the first hedge is number 2, that of the second
            number 3: it is what a second or third try would be.
    """

    def __init__(self, task_run: TaskRun, number: int, request: Request | None = None) -> None:
        self._task_run = task_run
        self._request = request
        self._started = 0.0
        self.hedge = number
        self.attempt = number + 1

    # Whoever asks what it is means the task run.
    __class__ = property(lambda self: type(self._task_run))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task_run, name)

    # ------------------------------------------------------------------ as the observer of attempts

    def attempt_started(self, attempt: int) -> None:
        """Take the place of the task run in this asyncio task."""
        self.attempt = self.hedge + attempt
        self._started = self._task_run.run.record.offset()
        scope.set(self)

    def attempt_ended(self, attempt: int, outcome: Outcome, decision: Decision) -> Decision:
        """Leave the decision as it is: no handler is asked about a hedge."""
        del attempt, outcome
        return decision

    def note(self, kind: str, detail: dict[str, Any]) -> None:
        """Record what is not an attempt, and that it happened in a hedge."""
        self._task_run.note(kind, {**detail, "hedge": self.hedge})

    def hedged(self, number: int) -> None:
        """Have no hedge: a hedge is not hedged."""

    def left(self) -> None:
        """Give the slots back."""
        if self._request is not None:
            self._task_run.run.limits.give_back(self._request)

    # ------------------------------------------------------------------ as what the body may ask

    @property
    def subject(self) -> object:
        """What is called."""
        return self._task_run.subject

    @property
    def remaining(self) -> float | None:
        """Seconds until the running attempt times out, or the deadline is over; None without either."""
        return remaining_of(self._task_run, self._started)

    def about(self) -> dict[str, Any]:
        """Return what the body may ask of `current()`, for one that is called in another process."""
        own = {"attempt": self.attempt, "hedge": self.hedge, "log": self.log_context()}
        return {**self._task_run.about(), **own, "remaining": self.remaining}

    def log_context(self) -> dict[str, Any]:
        """Return where a log line of the body belongs."""
        return {**self._task_run.log_context(), "attempt": self.attempt}


def remaining_of(task_run: Wired, started: float | None) -> float | None:
    """Return the seconds that are left for an attempt; None when nothing limits it.

    Args:
        task_run: whose attempt it is.
        started: when it began, in seconds into the run; None before.
    """
    left, timeout = scopes.remaining(), task_run.task.policy.plan.timeout
    if timeout is None:
        return left
    own = timeout if started is None else max(0.0, started + timeout - task_run.run.record.offset())
    return own if left is None else min(own, left)
