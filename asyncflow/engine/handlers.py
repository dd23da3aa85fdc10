"""Calls state handlers in order and isolates what goes wrong in them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from asyncflow.errors import HandlerFailed
from asyncflow.states import Retrying, State, Success


async def consult(
    obj: Any,
    handlers: Sequence[Callable[[Any, Any, Any], Any]],
    on_failure: Callable[[Any, Any], Any] | None,
    old: State,
    new: State,
) -> State:
    """Return the state that the handlers leave: each sees what the one before it returned.

    Args:
        obj: the task run or flow run whose state changes.
        handlers: functions `(obj, old, new)`, sync or async.
        on_failure: a function `(obj, new)` that is asked last, for a final failure.
        old: the state now.
        new: the proposed state.

    Raises:
        Signal: what a handler raised; it ends the round.
        HandlerFailed: when a handler raised anything else, or returned what is no state.
    """
    for handler in handlers:
        new = await _ask(handler, new, obj, old, new)
    if on_failure is not None and new.is_failed():
        new = await _ask(on_failure, new, obj, new)
    return new


async def _ask(handler: Callable[..., Any], proposed: State, *args: Any) -> State:
    try:
        answer = handler(*args)
        if inspect.isawaitable(answer):
            answer = await answer
    except Exception as error:
        raise HandlerFailed(f"state handler {_name(handler)} raised {_text(error)}") from error
    if answer is None or answer is proposed:
        return proposed
    if not isinstance(answer, State):
        raise HandlerFailed(
            f"state handler {_name(handler)} returned {answer!r}; return a State, or None to change nothing"
        )
    if not (answer.is_final() or isinstance(answer, Retrying)):
        raise HandlerFailed(
            f"state handler {_name(handler)} returned {answer!r}; "
            "a handler may put a final state or Retrying in the place of the new one"
        )
    if isinstance(answer, Success) and not answer.detail:
        return type(answer)(answer.message, answer.result, {"how": "by handler"})
    return answer


def _name(handler: Callable[..., Any]) -> str:
    return repr(getattr(handler, "__qualname__", None) or type(handler).__qualname__)


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
