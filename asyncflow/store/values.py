"""Values as JSON and back: tagged, so that they come back equal and of the same type.

JSON's own types stand for themselves. All others become an object `{"$": kind, "value": ...}`: tuples, sets,
bytes, complex numbers, dates, Decimal, UUID, paths, enums, dataclasses and named tuples. A class is named by
its import path, `module:qualname`; nothing of it is run when a value comes back, neither `__init__` nor code
that the store holds. Where the class can't be found any more its value comes back as a dict or a tuple.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import sys
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from importlib import import_module
from math import isfinite
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import NoneType
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

LARGEST = 16 * 1024 * 1024
"""The most bytes of JSON that one value may take."""

_TAG = "$"
_PLAIN = frozenset((str, bool, NoneType))
_encode = msgspec.json.encode


class Unkept(Exception):
    """A value can't be kept; the text says why."""


def keep(value: Any, *, largest: int | None = LARGEST) -> msgspec.Raw:
    """Return a value as JSON text.

    Args:
        value: what is to be kept.
        largest: the most bytes that it may take; None for no bound.

    Raises:
        Unkept: when it is, or holds, what can't be kept.
    """
    try:
        text = _encode(_tagged(value))
    except Unkept:
        raise
    except UnicodeEncodeError:
        raise Unkept("it holds text that is not Unicode") from None
    except RecursionError:
        raise Unkept("it is nested too deeply, or holds itself") from None
    except Exception as error:
        raise Unkept(f"it can't be written down: {type(error).__name__}: {error}") from error
    if largest is not None and len(text) > largest:
        raise Unkept(f"it takes {len(text):,} bytes, and {largest:,} are kept at most")
    return msgspec.Raw(text)


def restore(data: Any, missing: Callable[[str], None] = lambda _path: None) -> Any:
    """Return the value that `keep` wrote.

    Args:
        data: its JSON, decoded.
        missing: told of each class that can't be found, by its import path.
    """
    if type(data) is list:
        return [restore(item, missing) for item in data]
    if type(data) is not dict:
        return data
    if _TAG not in data:
        return {key: restore(item, missing) for key, item in data.items()}
    kind = data[_TAG]
    if kind in _READERS:
        return _READERS[kind](data["value"])
    return _GATHERERS[kind](data, missing)


# ------------------------------------------------------------------ writing


def _tagged(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is int:
        # The bounds of what every reader of JSON takes for a whole number; decimal digits have a limit, too.
        return value if -(1 << 63) <= value < 1 << 63 else _tag("int", f"{value:x}")
    if kind is float:
        return value if isfinite(value) else _tag("float", repr(value))
    if kind is list:
        return _items(value)
    if kind is dict:
        return _table(value)
    writer = _WRITERS.get(kind)
    return writer(value) if writer is not None else _of_a_class(value)


def _tag(kind: str, value: Any, **more: Any) -> dict[str, Any]:
    return {_TAG: kind, "value": value, **more}


def _items(items: Iterable[Any]) -> list[Any]:
    found = list(items)
    # What lies in a list is mostly of one kind; asking for all kinds at once takes a tenth of the time.
    return found if _PLAIN.issuperset(map(type, found)) else [_tagged(item) for item in found]


def _table(table: Mapping[Any, Any]) -> dict[str, Any]:
    if set(map(type, table)) <= {str} and _TAG not in table:
        if _PLAIN.issuperset(map(type, table.values())):
            return dict(table)
        return {key: _tagged(item) for key, item in table.items()}
    return _tag("dict", [[_tagged(key), _tagged(item)] for key, item in table.items()])


def _in_order(items: Iterable[Any]) -> list[Any]:
    """Return the items of a set in an order that no hash decides."""
    return sorted(map(_tagged, items), key=_encode)


def _time(kind: str, value: Any) -> dict[str, Any]:
    zone = getattr(value, "tzinfo", None)
    fold = {"fold": 1} if value.fold else {}
    if isinstance(zone, ZoneInfo) and zone.key is not None:
        return _tag(kind, value.replace(tzinfo=None).isoformat(), zone=zone.key, **fold)
    if zone is not None and type(zone) is not dt.timezone:
        raise Unkept(f"it holds a time in a zone of the class {_path_of(type(zone))}")
    return _tag(kind, value.isoformat(), **fold)


_WRITERS: Mapping[type, Callable[[Any], Any]] = {
    tuple: lambda value: _tag("tuple", _items(value)),
    set: lambda value: _tag("set", _in_order(value)),
    frozenset: lambda value: _tag("frozenset", _in_order(value)),
    bytes: lambda value: _tag("bytes", base64.b64encode(value).decode()),
    bytearray: lambda value: _tag("bytearray", base64.b64encode(value).decode()),
    dt.datetime: lambda value: _time("datetime", value),
    dt.time: lambda value: _time("time", value),
    dt.date: lambda value: _tag("date", value.isoformat()),
    dt.timedelta: lambda value: _tag("timedelta", [value.days, value.seconds, value.microseconds]),
    Decimal: lambda value: _tag("Decimal", str(value)),
    UUID: lambda value: _tag("UUID", str(value)),
    complex: lambda value: _tag("complex", [_tagged(value.real), _tagged(value.imag)]),
    PurePosixPath: lambda value: _tag("PurePosixPath", str(value)),
    PureWindowsPath: lambda value: _tag("PureWindowsPath", str(value)),
    type(Path()): lambda value: _tag("Path", str(value)),
}


def _of_a_class(value: Any) -> Any:
    """Return a value whose class is the user's own."""
    kind = type(value)
    if isinstance(value, enum.Enum):
        return _tag("enum", _tagged(value.value), of=_path_of(kind))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return _tag("namedtuple", _items(value), of=_path_of(kind))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if hasattr(value, field.name)]
        return _tag("dataclass", {name: _tagged(getattr(value, name)) for name in names}, of=_path_of(kind))
    raise Unkept(f"it is or holds an object of the class {_path_of(kind)}")


def _path_of(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


# ------------------------------------------------------------------ reading


def found_class(path: str) -> Any:
    """Return what an import path names, `module:qualname`, or None when there is no such class."""
    module, _, qualname = path.partition(":")
    try:
        found: Any = sys.modules.get(module) or import_module(module)
        for name in qualname.split("."):
            found = getattr(found, name)
    except Exception:  # noqa: BLE001 - a module that can't be imported raises whatever it likes
        return None
    return found if isinstance(found, type) else None


def _read_time(kind: Any) -> Callable[[dict[str, Any], Callable[[str], None]], Any]:
    def read(data: dict[str, Any], _missing: Callable[[str], None]) -> Any:
        value = kind.fromisoformat(data["value"])
        zone = ZoneInfo(data["zone"]) if "zone" in data else value.tzinfo
        return value.replace(tzinfo=zone, fold=data.get("fold", 0))

    return read


def _read_enum(data: dict[str, Any], missing: Callable[[str], None]) -> Any:
    value, kind = restore(data["value"], missing), found_class(data["of"])
    try:
        if kind is not None and issubclass(kind, enum.Enum):
            return kind(value)
    except ValueError:
        pass  # the member is gone
    missing(data["of"])
    return value


def _read_namedtuple(data: dict[str, Any], missing: Callable[[str], None]) -> Any:
    value, kind = tuple(restore(data["value"], missing)), found_class(data["of"])
    if kind is not None and issubclass(kind, tuple) and len(getattr(kind, "_fields", ())) == len(value):
        return tuple.__new__(kind, value)
    missing(data["of"])
    return value


def _read_dataclass(data: dict[str, Any], missing: Callable[[str], None]) -> Any:
    """Return an object with the fields that were kept; fields that are new since then have their defaults."""
    kept = {name: restore(item, missing) for name, item in data["value"].items()}
    kind: Any = found_class(data["of"])
    if not dataclasses.is_dataclass(kind):
        missing(data["of"])
        return kept
    fields = dataclasses.fields(kind)
    values = {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}
    values |= kept
    if values.keys() != {field.name for field in fields}:
        missing(data["of"])
        return kept
    made: Any = object.__new__(cast("type", kind))
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "int": lambda digits: int(digits, 16),
    "float": float,
    "bytes": base64.b64decode,
    "bytearray": lambda text: bytearray(base64.b64decode(text)),
    "date": dt.date.fromisoformat,
    "timedelta": lambda parts: dt.timedelta(*parts),
    "Decimal": Decimal,
    "UUID": UUID,
    "PurePosixPath": PurePosixPath,
    "PureWindowsPath": PureWindowsPath,
    "Path": Path,
}

_GATHERERS: Mapping[str, Callable[[dict[str, Any], Callable[[str], None]], Any]] = {
    "tuple": lambda data, missing: tuple(restore(data["value"], missing)),
    "set": lambda data, missing: set(restore(data["value"], missing)),
    "frozenset": lambda data, missing: frozenset(restore(data["value"], missing)),
    "dict": lambda data, missing: {
        restore(key, missing): restore(item, missing) for key, item in data["value"]
    },
    "complex": lambda data, missing: complex(*restore(data["value"], missing)),
    "datetime": _read_time(dt.datetime),
    "time": _read_time(dt.time),
    "enum": _read_enum,
    "namedtuple": _read_namedtuple,
    "dataclass": _read_dataclass,
}
