"""Where two traces part: the first line that differs, what differs in it, and what came before."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from asyncflow.sim.trace.file import TraceHeader
from asyncflow.sim.trace.text import Scrubber, field_of, parsed

CONTEXT = 3
"""How many lines before the first difference are told."""

_NAMES = {
    "python": "Python",
    "hash_seed": "hash seed",
    "asyncflow": "version of asyncflow",
    "aiohttp": "version of aiohttp",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference of two traces.

    Attributes:
        number: which line it is, from 1; the lines before it are the same.
        left: the line of the first trace, or None when that one has ended.
        right: the line of the second one.
        before: the last common lines.
        what: what differs, in a few words.
    """

    number: int
    left: str | None
    right: str | None
    before: tuple[str, ...]
    what: str

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return {
            "line": self.number,
            "left": self.left,
            "right": self.right,
            "before": list(self.before),
            "what": self.what,
        }


def first_difference(left: Sequence[str], right: Sequence[str]) -> Difference | None:
    """Return the first difference of two traces, or None when they are the same."""
    for at, (one, other) in enumerate(itertools.zip_longest(left, right)):
        if one != other:
            before = tuple(left[max(0, at - CONTEXT) : at])
            return Difference(at + 1, one, other, before, _what(one, other))
    return None


def header_differences(left: TraceHeader, right: TraceHeader) -> Iterator[tuple[str, str, str]]:
    """Yield what the headers say differently: what it is, for people, and both values."""
    for field in fields(TraceHeader):
        one, other = getattr(left, field.name), getattr(right, field.name)
        if one != other:
            yield _NAMES.get(field.name, field.name), _plain(one), _plain(other)


def _plain(value: object) -> str:
    return "none" if value is None else str(value)


def _what(left: str | None, right: str | None) -> str:
    if left is None or right is None:
        return f"the {'first' if left is None else 'second'} trace ends here"
    one, other = parsed(left), parsed(right)
    if one.kind != other.kind:
        return f"{one.kind} in the one, {other.kind} in the other"
    if one.at != other.at:
        return f"{one.kind} happens at {one.at:.6f} s and at {other.at:.6f} s"
    parts = _parts(one.fields, other.fields, "field")
    return f"{one.kind}: {next(parts, 'the same values, written differently')}"


def _parts(left: Any, right: Any, where: str) -> Iterator[str]:
    """Yield what differs in two values, down to the smallest part that does."""
    if type(left) is not type(right) or not isinstance(left, Mapping | list):
        if left != right:
            yield f"{where} is {_shown(left)} and {_shown(right)}"
    elif isinstance(left, Mapping):
        for key in sorted({*left, *right}):
            place = f"{where}, {key}"
            if key in left and key in right:
                yield from _parts(left[key], right[key], place)
            else:
                yield f"{place} is in the {'first' if key in left else 'second'} only"
    else:
        for at, (one, other) in enumerate(zip(left, right, strict=False), 1):
            yield from _parts(one, other, f"{where} {at}")
        if len(left) != len(right):
            yield f"{where}s are {len(left)} and {len(right)} in number"


def _shown(value: Any, limit: int = 60) -> str:
    text = field_of(value, Scrubber())
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
