"""What the journal keeps beside the JSON form of an event, so that a run can be resumed: values and failures.

It stands under `kept` in the event's detail, and views never see it; `unkept` says why there is nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from asyncflow.events import Event, RunStarted
from asyncflow.signals import LOOP
from asyncflow.states import BY_NAME, State
from asyncflow.store.failures import keep_failure, restore_failure
from asyncflow.store.values import Unkept, keep, restore

KEPT, UNKEPT = "kept", "unkept"
_SMALL = 1 << 62


def with_state(state: State) -> dict[str, Any]:
    """Return a state's JSON form with what a resume needs of its result; a None needs nothing."""
    data = state.to_json()
    result = state.result
    if result is None:
        return data
    if type(result) is bool or (type(result) is int and -_SMALL < result < _SMALL):
        data[KEPT] = {"value": result}  # as `keep` would say it, in a third of the time
        return data
    if isinstance(result, LOOP):
        result = result.result
    elif isinstance(result, BaseException):
        if state.final:
            data[KEPT] = {"failure": keep_failure(result)}
        return data
    try:
        data[KEPT] = {"value": keep(result)}
    except Unkept as why:
        data[UNKEPT] = str(why)
    return data


def with_arguments(started: RunStarted) -> dict[str, Any]:
    """Return the JSON form of a run's start with its parameters."""
    kept: dict[str, Any] = {}
    unkept: dict[str, str] = {}
    for name, value in started.arguments.items():
        try:
            kept[name] = keep(value)
        except Unkept as why:
            unkept[name] = str(why)
    return {**started.said, KEPT: kept, **({UNKEPT: unkept} if unkept else {})}


def without(detail: Any) -> None:
    """Take out of an event's detail what views don't get."""
    if isinstance(detail, dict):
        detail.pop(KEPT, None)


def revived(events: Iterable[Event]) -> list[Event]:
    """Return events with states that carry their results, as the engine made them."""
    return [
        event._replace(detail=_REVIVERS[event.kind](event.detail)) if event.kind in _REVIVERS else event
        for event in events
    ]


def _state_from(data: Mapping[str, Any]) -> State:
    detail = dict(data.get("detail") or {})
    kept = data.get(KEPT) or {}
    gone: list[str] = []
    result: Any = None
    if "failure" in kept:
        result = restore_failure(kept["failure"])
    elif "value" in kept:
        result = restore(kept["value"], gone.append)
    if data.get("error", {}).get("type") == LOOP.__name__:
        result = LOOP(data["error"].get("text", ""), result)
    if gone:
        detail["changed"] = f"{', '.join(gone)} can't be imported; the value came back without its class"
    if UNKEPT in data:
        detail[UNKEPT] = data[UNKEPT]
    return BY_NAME[data["state"]](data.get("message", ""), result, detail or None)


def _started_from(data: dict[str, Any]) -> RunStarted:
    arguments = {name: restore(value) for name, value in (data.get(KEPT) or {}).items()}
    return RunStarted({name: value for name, value in data.items() if name != KEPT}, arguments)


_REVIVERS = {"state_changed": _state_from, "run_started": _started_from}
