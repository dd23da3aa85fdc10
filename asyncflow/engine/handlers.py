"""Calls state handlers in order and isolates what goes wrong in them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from asyncflow.errors import HandlerFailed, full_text_of
from asyncflow.guard.plan import TRAVELLERS
from asyncflow.signals import Signal, sole_signal
from asyncflow.states import Retrying, State, Success


async def consult(
    obj: Any,
    handlers: Sequence[Callable[[Any, Any, Any], Any]],
    on_failure: Callable[[Any, Any], Any] | None,
    old: State,
    new: State,
    *,
    retries: bool = True,
) -> State:
    """Return the state that the handlers leave: each sees what the one before it returned.

    Args:
        obj: the task run or flow run whose state changes.
        handlers: functions `(obj, old, new)`, sync or async.
        on_failure: a function `(obj, new)` that is asked last, for a final failure.
        old: the state now.
        new: the proposed state.
        retries: whether a handler may answer Retrying, as those of tasks may and those of flows may not.

    Raises:
        Signal: what a handler raised; it ends the round.
        HandlerFailed: when a handler raised anything else, or returned what is no state.
    """
    for handler in handlers:
        new = _checked(handler, new, await _ask(handler, obj, old, new), retries=retries)
    if on_failure is not None and new.is_failed():
        new = _checked(on_failure, new, await _ask(on_failure, obj, new), retries=retries)
    return new


async def _ask(handler: Callable[..., Any], *args: Any) -> Any:
    try:
        answer = handler(*args)
        return await answer if inspect.isawaitable(answer) else answer
    except TRAVELLERS:
        raise
    except BaseException as error:
        signal = sole_signal(error)
        if isinstance(signal, Signal):
            raise signal from None
        raise HandlerFailed(f"state handler {_name(handler)} raised {full_text_of(error)}") from error


def _checked(handler: Callable[..., Any], proposed: State, answer: Any, *, retries: bool) -> State:
    """Return the state that an answer leaves, or raise HandlerFailed for one that can't stand."""
    if answer is None or answer is proposed:
        return proposed
    if not isinstance(answer, State):
        raise HandlerFailed(
            f"state handler {_name(handler)} returned {answer!r}; return a State, or None to change nothing"
        )
    # Only recovery assigns Crashed.
    if not (answer.is_final() and not answer.is_crashed()) and not (retries and isinstance(answer, Retrying)):
        allowed = "a final state or Retrying" if retries else "a final state"
        raise HandlerFailed(
            f"state handler {_name(handler)} returned {answer!r}; "
            f"a handler may put {allowed} in the place of the new one"
        )
    if isinstance(answer, Success) and not answer.detail:
        return type(answer)(answer.message, answer.result, {"how": "by handler"})
    return answer


def _name(handler: Callable[..., Any]) -> str:
    return repr(getattr(handler, "__qualname__", None) or type(handler).__qualname__)
