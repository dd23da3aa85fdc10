"""Signals: raised in a task's body, a trigger or a handler, they set the run's state.

They derive from BaseException, so that `except Exception` in user code does not eat them. The bare class
may be raised: `raise signals.SUCCESS`.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, ClassVar

from asyncflow.errors import UsageError
from asyncflow.states import (
    Failed,
    Paused,
    Skipped,
    State,
    Success,
    TriggerFailed,
    ValidationFailed,
)

__all__ = [
    "ENDRUN",
    "FAIL",
    "LOOP",
    "PAUSE",
    "RETRY",
    "SKIP",
    "SUCCESS",
    "TRIGGERFAIL",
    "VALIDATIONFAIL",
    "Signal",
]


class Signal(BaseException):
    """The common part of all signals; raise one of its subclasses.

    Args:
        message: one sentence for people, kept in the state.
        result: the value that tasks downstream receive; None when not given, never the signal.
    """

    fails: ClassVar[bool] = False
    """Whether the signal counts as a failed attempt, which a retry policy may repeat."""

    def __init__(self, message: str = "", result: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.result = result

    def to_state(self) -> State:
        """Return the state that this signal asks for; the body is not run again at once."""
        raise AssertionError(f"{type(self).__name__} does not name a final state")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r})"


class SUCCESS(Signal):
    """End the task run as Success with `result`, without doing the rest of the body."""

    def to_state(self) -> State:
        """Return Success, marked as made by a signal."""
        return Success(self.message or "SUCCESS was raised.", self.result, {"how": "by signal"})


class FAIL(Signal):
    """Fail the attempt on purpose; a retry policy may repeat it."""

    fails = True

    def to_state(self) -> State:
        """Return Failed with the signal as its result."""
        return Failed(self.message or "FAIL was raised.", self)


class SKIP(Signal):
    """End the task run as Skipped; tasks downstream are skipped too unless they say otherwise."""

    def to_state(self) -> State:
        """Return Skipped."""
        return Skipped(self.message or "SKIP was raised.", self.result)


class RETRY(Signal):
    """Run the body again, however many attempts the policy allows.

    Args:
        message: one sentence for people.
        delay: seconds to wait before the next attempt; at once when neither `delay` nor `at` is given.
        at: when to start the next attempt, in seconds of UTC epoch time.
    """

    def __init__(self, message: str = "", *, delay: float | None = None, at: float | None = None) -> None:
        super().__init__(message)
        if delay is not None and at is not None:
            raise UsageError("RETRY takes delay= (seconds from now) or at= (UTC epoch seconds), not both")
        if delay is not None and not 0 <= delay < float("inf"):
            raise UsageError(f"RETRY's delay={delay!r} must be a number of seconds, 0 or more")
        if at is not None and not isfinite(at):
            raise UsageError(f"RETRY's at={at!r} must be a time in UTC epoch seconds")
        self.delay = delay
        self.at = at

    def wait(self, wall: float) -> float:
        """Return the seconds to wait from the wall-clock time `wall`."""
        if self.at is not None:
            return max(0.0, self.at - wall)
        return self.delay or 0.0


class LOOP(Signal):
    """Run the body again at once, as the next iteration: `current().loop_result` is then `result`.

    Each iteration has the attempts of the retry policy to itself, and an attempt that fails is repeated from
    the last loop result.

    Args:
        message: one sentence for people.
        result: what the next iteration goes on from.
    """


class PAUSE(Signal):
    """Let the task run wait until the flow run is resumed; what does not depend on it goes on.

    The body is run again then, from its beginning: `current().resumed` is true and `current().input` is what
    was given to `resume`.
    """

    def to_state(self) -> State:
        """Return Paused."""
        return Paused(self.message)


class TRIGGERFAIL(Signal):
    """Say that a trigger refused; raised in a body it is an ordinary failure."""

    fails = True

    def to_state(self) -> State:
        """Return TriggerFailed with the signal as its result."""
        return TriggerFailed(self.message or "TRIGGERFAIL was raised.", self)


class VALIDATIONFAIL(Signal):
    """Say that arguments or result did not validate."""

    fails = True

    def to_state(self) -> State:
        """Return ValidationFailed with the signal as its result."""
        return ValidationFailed(self.message or "VALIDATIONFAIL was raised.", self)


class ENDRUN(Signal):
    """End the run with exactly `state`; it is never retried.

    Args:
        state: a final state, such as `Success(result=3)`.
    """

    def __init__(self, state: State) -> None:
        if not isinstance(state, State) or not state.is_final() or state.is_crashed():
            raise UsageError(
                f"ENDRUN({state!r}) needs a final state, such as states.Failed('why'); "
                "only recovery after a crash assigns Crashed"
            )
        super().__init__(state.message, state.result)
        self.state = state

    def __reduce__(self) -> tuple[type[ENDRUN], tuple[State]]:
        """Say how it is made again; what an exception does by itself would make it of its message."""
        return type(self), (self.state,)

    def to_state(self) -> State:
        """Return the state that was given."""
        return self.state


def sole_signal(error: BaseException) -> BaseException:
    """Return the signal that an exception group wraps alone, else `error` itself.

    A TaskGroup in a body wraps whatever its children raise. A group of one signal means that signal; a
    group that holds a signal and errors is a failure that names them all.
    """
    inner = error
    while isinstance(inner, BaseExceptionGroup) and len(inner.exceptions) == 1:
        inner = inner.exceptions[0]
    return inner if isinstance(inner, Signal) else error
