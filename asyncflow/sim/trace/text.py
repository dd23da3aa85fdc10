"""How a line of a trace is written, one way for each value, and how it is read back."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_BARE = re.compile(r"[A-Za-z_/][\w./:@#+*=~%?&<>!|-]*", re.ASCII)
"""A text that needs no quotes. It starts unlike a number or a quoted field, and has no space."""

_WORDS = {"none": None, "true": True, "false": False, "nan": math.nan, "inf": math.inf}
"""What stands for a value that is neither a number nor a text; texts that read so are quoted."""

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_decode = json.JSONDecoder(strict=False).raw_decode


class Scrubber:
    """Takes out of a text what the next run would not repeat: addresses in memory, and named paths."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def hide(self, path: str, name: str) -> None:
        """Replace a path from now on, also as it stands in the text of an OSError on Windows."""
        self._names[path] = self._names[path.replace("\\", "\\\\")] = name
        # One that lies in another is replaced before it.
        self._names = dict(sorted(self._names.items(), key=lambda item: -len(item[0])))

    def __call__(self, text: str) -> str:
        """Return the text without them."""
        for path, name in self._names.items():
            text = text.replace(path, name)
        return _ADDRESS.sub("0x...", text) if "0x" in text else text


class Parsed(NamedTuple):
    """A line that was read back.

    Attributes:
        at: seconds since the beginning of the world.
        kind: what happened.
        fields: what belongs to it.
    """

    at: float
    kind: str
    fields: list[Any]


def line_of(at: float, kind: str, fields: Sequence[Any], scrub: Scrubber) -> str:
    """Return one line without its end."""
    return " ".join([_number(at), kind, *(field_of(value, scrub) for value in fields)])


def field_of(value: Any, scrub: Scrubber) -> str:
    """Return a value as a field: a text without spaces as it is, others in quotes, tables as JSON."""
    if value is None:
        return "none"
    if isinstance(value, str):
        text = scrub(value)
        return text if _BARE.fullmatch(text) and text not in _WORDS else json.dumps(text)
    if isinstance(value, bool | int | float):
        return _number(value)
    return _json(value, scrub)


def _number(value: float) -> str:
    """Return a number as it is always written: a float to the millionth, without a negative zero."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return f"{round(value, 6) + 0.0:.6f}" if math.isfinite(value) else str(value)


def _json(value: Any, scrub: Scrubber) -> str:
    """Return a value as JSON with its keys in order; what JSON lacks becomes text, NaN and infinity null."""
    if isinstance(value, Mapping):
        items = {scrub(_said(key)): item for key, item in value.items()}
        return "{" + ",".join(f"{json.dumps(key)}:{_json(items[key], scrub)}" for key in sorted(items)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_json(item, scrub) for item in value) + "]"
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "null"
    return _number(value) if isinstance(value, int | float) else json.dumps(scrub(_said(value)))


def _said(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - made by user code, and what happened is told whatever it raises
        return f"<{type(value).__qualname__} that can't be shown>"


def parsed(line: str) -> Parsed:
    """Return what a line says.

    Raises:
        ValueError: when it is not a line of a trace; the text says what is wrong with it.
    """
    at, _, rest = line.partition(" ")
    kind, _, rest = rest.partition(" ")
    if not _NUMBER.fullmatch(at):
        raise ValueError(f"a line begins with a time in seconds, and this one with {at[:40]!r}")
    if not _BARE.fullmatch(kind):
        raise ValueError(f"the time is followed by a word, and here by {kind[:40]!r}")
    return Parsed(float(at), kind, _fields(rest))


def value_of(field: str) -> Any:
    """Return the value that a field says.

    Raises:
        ValueError: when it is not one field.
    """
    found = _fields(field)
    if len(found) != 1:
        raise ValueError(f"one value is due, and not {field[:40]!r}")
    return found[0]


def _fields(text: str) -> list[Any]:
    found: list[Any] = []
    rest = f" {text}" if text else ""
    while rest:
        number = len(found) + 1
        if not rest.startswith(" ") or len(rest) == 1 or rest[1] == " ":
            raise ValueError(f"one space and field {number} are due, and not {rest[:40]!r}")
        value, rest = _next(rest[1:], number)
        found.append(value)
    return found


def _next(text: str, number: int) -> tuple[Any, str]:
    """Return the first field of a text, and what is behind it."""
    if text[0] not in '"{[':
        word = text.partition(" ")[0]
        return _value(word), text[len(word) :]
    try:
        value, end = _decode(text)
    except ValueError:
        raise ValueError(f"field {number} has no end: {text[:40]!r}") from None
    return value, text[end:]


def _value(word: str) -> Any:
    if word in _WORDS:
        return _WORDS[word]
    if word == "-inf":
        return -math.inf
    if _NUMBER.fullmatch(word):
        return float(word) if "." in word else int(word)
    return word
