"""Gives a map of a run that is resumed the elements that its journal tells of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from asyncflow.engine.elements import Counts, Outcomes
from asyncflow.engine.past import PastTask
from asyncflow.states import Failed, State, Success

if TYPE_CHECKING:
    from collections.abc import Mapping


def recalled(past: PastTask, outcomes: Outcomes, counts: Counts) -> bool:
    """Put the ends of a map's elements where they were; return whether its inputs were consumed to their end.

    Elements without events of their own succeeded if the map did: their values are in its result. Where it
    failed nobody knows what became of them.
    """
    told: Mapping[str, Any] | None = past.state.detail.get("elements")
    total = sum(told["states"].values()) if told is not None else len(past.elements)
    result = past.state.result
    values = iter(result if isinstance(result, list) else ())
    for index in range(total):
        outcomes.open(index)
        element = past.elements.get(index)
        state, attempt = (element.state, element.attempt) if element else (Success(), 1)
        state = _with_value(state, values, is_told=element is not None)
        if type(state) is Success and attempt == 1 and not state.detail:
            outcomes.put_value(index, state.result)
            counts.plain += 1
        else:
            outcomes.put(index, state, attempt)
            counts.add(state, attempt)
    return told is not None


def _with_value(state: State, values: Iterator[Any], *, is_told: bool) -> State:
    """Return an element's state with its value of those that the map's result holds, in order."""
    if not state.is_success() or state.is_skipped():
        return state
    detail = {name: said for name, said in state.detail.items() if name != "unkept"}
    for value in values:
        return type(state)(state.message, value, detail)
    return state if is_told and detail == state.detail else Failed("What became of it was not kept.")
