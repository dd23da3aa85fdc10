"""What an attempt's end makes of a task run: outcome and decision in, the proposed state out. Pure."""

from __future__ import annotations

from typing import Any

from asyncflow.errors import full_text_of
from asyncflow.outcomes import (
    Again,
    Decision,
    Enough,
    Outcome,
    Raised,
    Refused,
    Returned,
    Signalled,
    StoodIn,
    TimedOut,
    error_of,
)
from asyncflow.signals import LOOP, RETRY
from asyncflow.states import Failed, Retrying, State, Success
from asyncflow.states import TimedOut as TimedOutState


def proposal(outcome: Outcome, decision: Decision, attempt: int, note: str) -> State:
    """Return the state that a task run goes to unless its handlers say otherwise.

    Args:
        outcome: what the attempt came to.
        decision: what the policy makes of it.
        attempt: the attempt's number.
        note: says where an error happened; it is added to the error.
    """
    if type(decision) is Again:
        return _retrying(outcome, decision)
    assert isinstance(decision, Enough)
    detail = {"reason": decision.reason, **(decision.detail or {})} if decision.reason else None
    match outcome:
        case Returned(value) if decision.reason:
            return Failed(f"The result was not acceptable: {decision.reason}.", value, detail)
        case Returned():
            return _returned(outcome, attempt)
        case Signalled(LOOP() | RETRY() as signal):
            return Failed(f"{signal!r} was not followed by an attempt: {decision.reason}.", signal, detail)
        case Signalled(signal):
            return signal.to_state()
        case TimedOut(error):
            return TimedOutState(str(error), noted(error, note), detail)
        case Refused(rejection):
            return Failed(str(rejection), rejection, {**(detail or {}), "called": False})
        case Raised(raised):
            return failed(raised, note, detail)


def _returned(outcome: Returned, attempt: int) -> Success:
    if isinstance(outcome, StoodIn):
        return Success(f"{outcome.reason}.", outcome.value, {"how": outcome.how, **(outcome.detail or {})})
    return succeeded(outcome.value, attempt)


def succeeded(value: Any, attempt: int) -> Success:
    """Return Success with a value, saying how many attempts it took."""
    return Success("", value, None if attempt == 1 else {"how": "after retry"})


def failed(error: BaseException, note: str, detail: dict[str, Any] | None = None) -> Failed:
    """Return Failed with an error, on which `note` says where it happened."""
    return Failed(full_text_of(error), noted(error, note), detail)


def noted(error: BaseException, note: str) -> BaseException:
    """Return the error with a note on it, once."""
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)
    return error


def _retrying(outcome: Outcome, decision: Again) -> Retrying:
    detail = {"delay": decision.delay, "reason": decision.reason, **(decision.detail or {})}
    if isinstance(outcome, Refused):
        detail["called"] = False
    return Retrying(decision.reason, error_of(outcome), detail)
