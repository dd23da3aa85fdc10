"""What one attempt came to, as a value: never an exception on the loose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asyncflow.errors import AttemptTimedOut, DeadlineExceeded, Rejected
from asyncflow.signals import Signal


@dataclass(frozen=True, slots=True, init=False)
class Returned:
    """The body returned `value`."""

    value: Any

    def __init__(self, value: Any) -> None:
        # Every call makes one of these; the generated method takes twice as long.
        _set_value(self, value)


_set_value = Returned.__dict__["value"].__set__


@dataclass(frozen=True, slots=True)
class StoodIn(Returned):
    """A value that is not that of the call's own attempts, but of what stood in for them.

    Attributes:
        how: by which road it came: `by fallback` or `by hedge`.
        reason: one sentence for people.
        detail: the numbers behind it, ready for JSON.
    """

    value: Any
    how: str = ""
    reason: str = ""
    detail: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Raised:
    """The body raised `error`, which is its own and not ours."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class TimedOut:
    """Our timer fired and the attempt was cancelled for it; `error` is what a caller sees."""

    error: AttemptTimedOut | DeadlineExceeded


@dataclass(frozen=True, slots=True)
class Refused:
    """A policy refused the attempt and the body was not called; `error` says which and for how long."""

    error: Rejected


@dataclass(frozen=True, slots=True)
class Signalled:
    """The body raised a signal."""

    signal: Signal


Outcome = Returned | Raised | TimedOut | Refused | Signalled
"""Cancellation is missing on purpose: it is neutral everywhere and travels as CancelledError."""


def error_of(outcome: Outcome) -> BaseException | None:
    """Return the exception that an outcome stands for, or None for a value."""
    match outcome:
        case Returned():
            return None
        case Signalled(signal):
            return signal
        case Raised(error) | TimedOut(error) | Refused(error):
            return error


@dataclass(frozen=True, slots=True)
class Again:
    """A decision: try again after `delay` seconds.

    Attributes:
        delay: seconds to wait.
        reason: one sentence for people.
        detail: the numbers behind it (attempt, max_attempts, bound and draw of the delay), ready for JSON.
        afresh: whether the policy counts the attempts from one again.
    """

    delay: float
    reason: str
    detail: dict[str, Any] | None = None
    afresh: bool = False


@dataclass(frozen=True, slots=True)
class Enough:
    """A decision: this attempt was the last.

    Attributes:
        reason: one sentence for people; empty after a plain success.
        detail: the numbers behind it, ready for JSON.
    """

    reason: str = ""
    detail: dict[str, Any] | None = None


Decision = Again | Enough

ENOUGH = Enough()
"""The decision after a plain success; shared, since it says nothing."""
