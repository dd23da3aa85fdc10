"""Values as bytes that are the same in every process: what cache keys are made of.

Equal values of one type give equal bytes, whatever the order of dicts and sets and whatever the hash seed;
different values give different ones. The type counts: 1, 1.0 and True are three values, since a task may
treat them differently. Each value is written with its length or count before it, so that no two can run
together.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MappingProxyType
from typing import Any
from uuid import UUID

from asyncflow.errors import AsyncflowError

_DIGEST_BYTES = 16
_DEEPEST = 100


class Unkeyable(AsyncflowError):
    """A value that can't be part of a key, since nothing tells it apart from others of its kind."""


def digest(value: Any) -> str:
    """Return a short text that stands for a value: 128 bits in hexadecimal.

    Raises:
        Unkeyable: when something in the value can't be told from others of its kind.
    """
    return hashlib.blake2b(canonical(value), digest_size=_DIGEST_BYTES).hexdigest()


def canonical(value: Any) -> bytes:
    """Return the value as bytes.

    Raises:
        Unkeyable: when something in it can't be told from others of its kind.
    """
    return _written(value, 0)


def import_path(named: Any) -> str:
    """Return where a class or function is defined."""
    return f"{named.__module__}.{named.__qualname__}"


def _written(value: Any, depth: int) -> bytes:
    writer = _WRITERS.get(type(value))
    if writer is not None:
        return writer(value, depth)
    return _other(value, depth)


def _sized(tag: bytes, payload: bytes) -> bytes:
    return b"%b%d:%b" % (tag, len(payload), payload)


def _text(tag: bytes, text: str) -> bytes:
    return _sized(tag, text.encode("utf-8", "surrogatepass"))


def _items(tag: bytes, items: Iterable[Any], depth: int) -> bytes:
    if depth > _DEEPEST:
        raise Unkeyable("it is nested too deeply, or holds itself")
    parts = [_written(item, depth + 1) for item in items]
    return b"%b%d:%b" % (tag, len(parts), b"".join(parts))


def _unordered(tag: bytes, items: Iterable[Any], depth: int) -> bytes:
    if depth > _DEEPEST:
        raise Unkeyable("it is nested too deeply, or holds itself")
    parts = sorted([_written(item, depth + 1) for item in items])
    return b"%b%d:%b" % (tag, len(parts), b"".join(parts))


def _mapping(value: Mapping[Any, Any], depth: int) -> bytes:
    return _unordered(b"d", value.items(), depth)


def _moment(value: datetime, _depth: int) -> bytes:
    return _text(b"D", f"{value.isoformat()} {value.fold} {_zone(value.tzinfo, value)}")


def _zone(zone: tzinfo | None, at: datetime | None) -> str:
    """Return the name of a time zone: two zones with the same offset just now are still two."""
    return "" if zone is None else str(getattr(zone, "key", None) or zone.tzname(at))


def _named(value: Any, _depth: int) -> bytes:
    path = import_path(value)
    if "<" in value.__qualname__ and not isinstance(value, type):
        raise Unkeyable(f"{value.__qualname__} is a function without an import path")
    return _text(b"@", path)


def _instance(value: Any, parts: Iterable[Any], depth: int) -> bytes:
    return _text(b"o", import_path(type(value))) + _items(b"l", parts, depth)


def _other(value: Any, depth: int) -> bytes:
    """Write a value whose type is not in the table: what is known of it by a base or by its form."""
    if isinstance(value, Enum):
        return _instance(value, [value._name_ or value._value_], depth)
    if isinstance(value, type):
        return _named(value, depth)
    if isinstance(value, PurePath):
        return _instance(value, [str(value)], depth)
    if dataclasses.is_dataclass(value):
        fields = [field.name for field in dataclasses.fields(value) if field.compare]
        return _instance(value, [(name, getattr(value, name)) for name in fields], depth)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return _instance(value, value, depth)
    kind = type(value).__qualname__
    raise Unkeyable(f"nothing tells one {kind} from another")


_Writer = Callable[[Any, int], bytes]

_WRITERS: Mapping[type, _Writer] = {
    type(None): lambda _value, _depth: b"n",
    type(...): lambda _value, _depth: b".",
    bool: lambda value, _depth: b"T" if value else b"F",
    int: lambda value, _depth: b"i%x;" % value,  # in hexadecimal, since decimal digits have a limit
    float: lambda value, _depth: _text(b"f", value.hex()),
    complex: lambda value, depth: _items(b"c", (value.real, value.imag), depth),
    str: lambda value, _depth: _text(b"s", value),
    bytes: lambda value, _depth: _sized(b"b", value),
    bytearray: lambda value, _depth: _sized(b"B", bytes(value)),
    list: lambda value, depth: _items(b"l", value, depth),
    tuple: lambda value, depth: _items(b"t", value, depth),
    set: lambda value, depth: _unordered(b"S", value, depth),
    frozenset: lambda value, depth: _unordered(b"Z", value, depth),
    dict: _mapping,
    MappingProxyType: _mapping,
    OrderedDict: lambda value, depth: _instance(value, value.items(), depth),
    defaultdict: lambda value, depth: _instance(value, [dict(value)], depth),
    Counter: lambda value, depth: _instance(value, [dict(value)], depth),
    deque: lambda value, depth: _instance(value, value, depth),
    range: lambda value, depth: _instance(value, (value.start, value.stop, value.step), depth),
    slice: lambda value, depth: _instance(value, (value.start, value.stop, value.step), depth),
    datetime: _moment,
    date: lambda value, _depth: _text(b"y", value.isoformat()),
    time: lambda value, _depth: _text(b"h", f"{value.isoformat()} {value.fold} {_zone(value.tzinfo, None)}"),
    timedelta: lambda value, depth: _instance(value, (value.days, value.seconds, value.microseconds), depth),
    Decimal: lambda value, _depth: _text(b"e", str(value)),
    Fraction: lambda value, depth: _instance(value, (value.numerator, value.denominator), depth),
    UUID: lambda value, _depth: _text(b"u", value.hex),
    re.Pattern: lambda value, depth: _instance(value, (value.pattern, value.flags), depth),
    type: _named,
    FunctionType: _named,
    BuiltinFunctionType: lambda value, _depth: _text(b"@", f"{value.__module__}.{value.__qualname__}"),
}
