"""Events as JSON text and back: an array of `[offset, kind, task, attempt, detail]`, one per event.

What an event says is wanted even when a part of it can't be written down: text that is not Unicode gets
question marks, other objects become text, numbers that JSON lacks become null. Nothing here raises because
of what a detail holds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from asyncflow.events import Event, RunStarted, plain_detail
from asyncflow.states import State
from asyncflow.store.keeping import revived, with_arguments, with_state, without

_DEEPEST = 40


def encode_events(events: Sequence[Any]) -> str:
    """Return the events as one JSON text.

    Args:
        events: tuples in the shape of `Event`.
    """
    return to_text(events)


def decode_events(texts: Iterable[str]) -> list[Event]:
    """Return the events of several such texts, in order; states stay in their JSON form."""
    events = [Event(*fields) for text in texts for fields in json.loads(text)]
    for event in events:
        without(event.detail)
    return events


def revive_events(texts: Iterable[str]) -> list[Event]:
    """Return the events of several such texts, in order, with states that carry their results."""
    return revived(Event(*fields) for text in texts for fields in json.loads(text))


def to_text(value: Any) -> str:
    """Return any value as JSON text, as truly as JSON can say it."""
    try:
        return _encode(value).decode()
    except Exception:  # noqa: BLE001 - a detail holds what user code put there, and its repr may raise anything
        return json.dumps(_tame(value, 0), ensure_ascii=False, separators=(",", ":"))


def readable(text: str) -> str:
    """Return the text with question marks for what is not Unicode, as in file names from another time."""
    return text.encode("utf-8", "replace").decode()


def _plain(value: Any) -> Any:
    """Return what the engine's own objects say of themselves, and any other object as text."""
    if isinstance(value, State):
        return with_state(value)
    if isinstance(value, RunStarted):
        return with_arguments(value)
    plain = plain_detail(value)
    return str(value) if plain is value else plain


_encode = msgspec.json.Encoder(enc_hook=_plain).encode


def _tame(value: Any, depth: int) -> Any:
    """Return a copy that `json` can write: the slow way, for what the fast one refused."""
    if value is None or isinstance(value, bool | int | msgspec.Raw):
        return json.loads(bytes(value)) if isinstance(value, msgspec.Raw) else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return readable(value)
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return {_shown(key): _tame(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tame(item, depth + 1) for item in value]
    try:
        plain = _plain_or_same(value)
    except Exception:  # noqa: BLE001 - an exception's own __str__ may raise; a state's name must survive it
        return {"state": value.name, "message": value.message} if isinstance(value, State) else _shown(value)
    return _shown(value) if plain is value else _tame(plain, depth + 1)


def _plain_or_same(value: Any) -> Any:
    return _plain(value) if isinstance(value, State | RunStarted) else plain_detail(value)


def _shown(value: Any) -> str:
    try:
        return readable(str(value))
    except Exception:  # noqa: BLE001 - as above, for any object
        return f"<{type(value).__qualname__} that can't be shown>"
