"""What goes wrong beside the states of tasks: each kind of event in one sentence, for log and views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from asyncflow.human import duration


def _abandoned(detail: Mapping[str, Any]) -> str:
    return f"a thread was given up, its body does not end; abandoned now: {detail.get('threads')}"


def _returned(detail: Mapping[str, Any]) -> str:
    after, left = length_of(detail), detail.get("threads")
    return f"the thread that was given up has ended its body, {after} later; abandoned now: {left}"


def _missed(detail: Mapping[str, Any]) -> str:
    last = detail.get("last")
    when = f"the last came after {duration(last)}" if isinstance(last, int | float) else "there was none"
    return f"no heartbeat for {length_of(detail, 'limit')}, {when}; the attempt was given up"


def _blocked(detail: Mapping[str, Any]) -> str:
    return f"the event loop was blocked for {length_of(detail)} at {detail.get('where')}"


def _swallowed(detail: Mapping[str, Any]) -> str:
    why = "its timeout" if detail.get("why") == "timeout" else "it was cancelled"
    return f"the attempt goes on {length_of(detail)} after {why}; it waits at {detail.get('where')}"


def _exceeded(detail: Mapping[str, Any]) -> str:
    return f"breaker {detail.get('breaker')!r} would have opened {detail.get('why')}; its mode lets it not"


def length_of(detail: Mapping[str, Any], key: str = "seconds") -> str:
    """Return the length of time in an event's detail, for people; an older journal may not have it."""
    value = detail.get(key)
    return duration(value) if isinstance(value, int | float) else "some time"


NOTICES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "thread_abandoned": _abandoned,
    "thread_returned": _returned,
    "heartbeat_missed": _missed,
    "loop_blocked": _blocked,
    "cancel_swallowed": _swallowed,
    "breaker_exceeded": _exceeded,
}
"""The sentence for an event's detail, by the event's kind."""
