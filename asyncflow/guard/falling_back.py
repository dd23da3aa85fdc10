"""Carrying out a fallback: what it gives, and what the call then came to."""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

from asyncflow.ambient import world
from asyncflow.errors import NotAcceptable, full_text_of
from asyncflow.guard.plan import TRAVELLERS
from asyncflow.outcomes import (
    ENOUGH,
    Decision,
    Enough,
    Outcome,
    Raised,
    Returned,
    Signalled,
    StoodIn,
    error_of,
)
from asyncflow.policy.fallback import Fallback
from asyncflow.policy.seconds import spoken
from asyncflow.ports import AttemptObserver
from asyncflow.signals import Signal, sole_signal


class Call(NamedTuple):
    """What is called.

    Attributes:
        fn: the function, or what says which one it is.
        args: its arguments by position.
        kwargs: its arguments by name.
    """

    fn: object
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def key(self) -> Hashable | None:
        """Return what tells this call from others; None when an argument won't be hashed."""
        try:
            key = self.fn, self.args, frozenset(self.kwargs.items())
            hash(key)
        except Exception:  # noqa: BLE001 - an argument's `__hash__` may raise anything
            return None
        return key


class _Given(NamedTuple):
    """What a fallback gives: the value, where it is from, and for a cached result its age in seconds."""

    value: Any
    to: str
    age: float | None = None

    def named(self) -> str:
        """Return it in words for people."""
        return f"the {self.to}" if self.age is None else f"the result of {spoken(self.age)} ago"


async def stood_in(
    fallback: Fallback, call: Call, outcome: Outcome, decision: Decision, observer: AttemptObserver | None
) -> tuple[Outcome, Decision]:
    """Return what a call came to with a fallback around it.

    Args:
        fallback: the policy.
        call: what was called.
        outcome: what that came to.
        decision: what the policies made of it.
        observer: who hears that the call fell back.

    Raises:
        CancelledError, KeyboardInterrupt, SystemExit: as the fallback's function does.
    """
    error = _failure(outcome, decision)
    if error is None:
        _keep(fallback, call, outcome)
        return outcome, decision
    try:
        given = await _given(fallback, call, error) if fallback.covers(error) else None
    except TRAVELLERS:
        raise
    except BaseException as problem:  # noqa: BLE001 - a user's function may raise anything
        if problem is error:
            return outcome, decision
        return _failed(problem, error, observer)
    if given is None:
        return outcome, decision
    text = full_text_of(error)
    _tell(observer, {"to": given.to, "error": text, "age": given.age, "failed": None})
    detail = {"fallback": given.to, "age": given.age, "error": text}
    return StoodIn(given.value, "by fallback", f"Fell back to {given.named()} after {text}", detail), ENOUGH


def _failure(outcome: Outcome, decision: Decision) -> BaseException | None:
    """Return what a call failed with, or None when it has an answer."""
    error = error_of(outcome)
    if error is None and isinstance(outcome, Returned) and decision.reason:
        return NotAcceptable(f"the result was not acceptable: {decision.reason}", outcome.value)
    return error


def _keep(fallback: Fallback, call: Call, outcome: Outcome) -> None:
    """Remember a good result, for a call like this one that fails later."""
    if fallback.cached and isinstance(outcome, Returned):
        key = call.key()
        if key is not None:
            fallback.results().keep(key, outcome.value, world().monotonic())


async def _given(fallback: Fallback, call: Call, error: BaseException) -> _Given | None:
    """Return what the fallback gives, or None when it has nothing."""
    if fallback.cached and (key := call.key()) is not None:
        now = world().monotonic()
        kept = fallback.results().find(key, now)
        if kept is not None:
            return _Given(kept.value, "cached", now - kept.at)
    if fallback.has_value:
        return _Given(fallback.value, "value")
    if fallback.function is None:
        return None
    value = fallback.function(error)
    return _Given(await value if inspect.isawaitable(value) else value, "function")


def _failed(
    problem: BaseException, error: BaseException, observer: AttemptObserver | None
) -> tuple[Outcome, Decision]:
    """Return what becomes of a call whose fallback failed: its error, caused by the call's own."""
    problem.__traceback__ = problem.__traceback__ and problem.__traceback__.tb_next
    if problem.__cause__ is None:
        problem.__cause__ = error
    text, failed = full_text_of(error), full_text_of(problem)
    signal = sole_signal(problem)
    if isinstance(signal, Signal) and not signal.fails:
        return Signalled(signal), Enough(f"the fallback raised {type(signal).__name__} after {text}")
    _tell(observer, {"to": "function", "error": text, "age": None, "failed": failed})
    decision = Enough(f"the fallback failed with {failed}, after {text}")
    return Signalled(signal) if isinstance(signal, Signal) else Raised(problem), decision


def _tell(observer: AttemptObserver | None, detail: dict[str, Any]) -> None:
    if observer is not None:
        observer.note("fell_back", detail)
