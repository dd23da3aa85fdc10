"""How a log line looks: one JSON object for machines, one readable line for people."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from datetime import datetime
from typing import Any

from asyncflow.logs import lines

EventDict = MutableMapping[str, Any]

_FIRST = ("timestamp", "level", "logger", "event", "flow", "run", "task", "attempt")
_DIM, _RESET = "\x1b[2m", "\x1b[0m"
_COLOURS = {
    "debug": "\x1b[2m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[1;31m",
}


def as_json(_logger: Any, _method: str, event: EventDict) -> str:
    """Return a line as one JSON object, its well-known keys first."""
    ordered = {key: event[key] for key in _FIRST if key in event}
    return json.dumps(ordered | dict(event), default=repr)


class Console:
    """Renders a line for people: `[time] LEVEL - logger | text`, then what else there is to say.

    Args:
        colour: whether to colour it.
    """

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> str:
        """Return the line."""
        fields = dict(event)
        exception, stack = fields.pop("exception", ""), fields.pop("stack", "")
        level, name = str(fields.pop("level", "info")), str(fields.pop("logger", "") or "root")
        at = datetime.fromisoformat(fields.pop("timestamp")).astimezone()
        text = str(fields.pop("event", "")).replace("\x1b", "\\x1b")
        line = f"{self._dim(f'[{at:%Y-%m-%d %H:%M:%S}]')} {self._level(level)} - {name} | {text}"
        tail = _tail(name, fields)
        return "\n".join([line + (self._dim(f"  {tail}") if tail else ""), *filter(None, (stack, exception))])

    def _dim(self, text: str) -> str:
        return f"{_DIM}{text}{_RESET}" if self._colour else text

    def _level(self, level: str) -> str:
        word = level.upper()
        return f"{_COLOURS.get(level, '')}{word}{_RESET}" if self._colour else word


def _tail(name: str, fields: dict[str, Any]) -> str:
    """Return the fields of a line; lines made from events say all that people need in their text."""
    if name in lines.NAMES:
        return ""
    run, task, attempt = (fields.pop(key, None) for key in ("run", "task", "attempt"))
    fields.pop("flow", None)
    place = "/".join(str(part) for part in (run, task) if part)
    if place and attempt:
        place += f"#{attempt}"
    return " ".join([f"{key}={value!r}" for key, value in fields.items()] + ([f"({place})"] if place else []))
