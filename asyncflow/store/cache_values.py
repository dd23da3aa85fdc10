"""Python values as JSON text that gives them back equal, type by type: data, and never code.

What JSON has is written as it stands. Anything else is an object with the key `$`, which names its kind:
`{"$": "tuple", "v": [1, 2]}`. Dataclasses, namedtuples and enums are written with the import path of their
class, if that leads to the class; otherwise as a dict, tuple or plain value, and the text is *marked* as one
that does not give back what it was made of. Classes are found by import, and only those three kinds are made,
without calling `__init__`.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import importlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncflow.errors import NotStorable

_KIND = "$"
_TAG = f'"{_KIND}"'
_DIGITS = 1000  # more are written in hexadecimal, since decimal ones have a limit


class Packed(NamedTuple):
    """A value as text.

    Attributes:
        text: JSON.
        marks: what in it comes back as something else, in words; nothing in most texts.
    """

    text: str
    marks: tuple[str, ...]


def pack(value: Any) -> Packed:
    """Return a value as text.

    Raises:
        NotStorable: when it holds something that can't be written as data.
    """
    packer = _Packer()
    try:
        plain = packer.plain(value)
        text = json.dumps(plain, separators=(",", ":"), allow_nan=False)
    except RecursionError:
        raise NotStorable("the value is nested too deeply, or holds itself") from None
    return Packed(text, tuple(packer.marks))


def unpack(text: str) -> Any:
    """Return the value that a text was made of; each call makes it anew.

    Raises:
        NotStorable: when the text names a class that is not there any more, or has other fields now.
    """
    try:
        return (_revive if _TAG in text else _decode)(text)[0]
    except NotStorable:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, LookupError, ArithmeticError) as error:
        raise NotStorable(f"what was kept can't be read: {type(error).__name__}: {error}") from error


def kept_text(value: Any) -> str:
    """Return a value as text that gives back what it is.

    Raises:
        NotStorable: when there is none; the text says why, and what to do.
    """
    packed = pack(value)
    if packed.marks:
        raise NotStorable(f"{packed.marks[0]}; define the class at the top of a module")
    return packed.text


class _Packer:
    """Turns values into what JSON can say, and notes what will come back as something else."""

    def __init__(self) -> None:
        self.marks: dict[str, None] = {}

    def plain(self, value: Any) -> Any:
        kind = type(value)
        if kind is str or value is None or kind is bool:
            return value
        if kind is list:
            return [self.plain(item) for item in value]
        if kind is dict:
            return self._dict(value)
        writer = _WRITERS.get(kind)
        return writer(value, self) if writer is not None else self._instance(value)

    def items(self, values: Iterable[Any]) -> list[Any]:
        return [self.plain(value) for value in values]

    def _dict(self, value: Mapping[Any, Any]) -> Any:
        if all(type(key) is str for key in value) and _KIND not in value:
            return {key: self.plain(item) for key, item in value.items()}
        return _tagged("dict", [self.items(pair) for pair in value.items()])

    def _instance(self, value: Any) -> Any:
        kind = type(value)
        if isinstance(value, Enum):
            if _leads_to(kind):
                return _tagged("enum", self.plain(value._value_), kind)
            self._mark(kind, "its value")
            return self.plain(value._value_)
        if dataclasses.is_dataclass(value):
            names = [field.name for field in dataclasses.fields(value)]
            fields = {name: self.plain(getattr(value, name)) for name in names if hasattr(value, name)}
            if _leads_to(kind):
                return _tagged("dataclass", list(fields.items()), kind)
            self._mark(kind, "a dict")
            return _tagged("dict", list(fields.items()))
        if isinstance(value, tuple) and hasattr(kind, "_make"):
            if _leads_to(kind):
                return _tagged("namedtuple", self.items(value), kind)
            self._mark(kind, "a tuple")
            return _tagged("tuple", self.items(value))
        raise NotStorable(f"a value of type {_path(kind)} can't be written as data")

    def _mark(self, kind: type, comes_back: str) -> None:
        self.marks[f"{_path(kind)} has no import path and comes back as {comes_back}"] = None


def _tagged(kind: str, value: Any, of: type | None = None) -> dict[str, Any]:
    found = {_KIND: kind, "v": value}
    return found if of is None else {**found, "of": f"{of.__module__}:{of.__qualname__}"}


def _int(value: int, _packer: _Packer) -> Any:
    return value if value.bit_length() < _DIGITS else _tagged("int", f"{value:x}")


def _float(value: float, _packer: _Packer) -> Any:
    return value if math.isfinite(value) else _tagged("float", str(value))


def _sorted(kind: str) -> Callable[[Any, _Packer], Any]:
    """Return the writer of sets: in an order that no hash decides."""

    def write(value: Iterable[Any], packer: _Packer) -> Any:
        return _tagged(kind, sorted(packer.items(value), key=lambda item: json.dumps(item, sort_keys=True)))

    return write


def _bytes(kind: str) -> Callable[[Any, _Packer], Any]:
    return lambda value, _packer: _tagged(kind, base64.b64encode(value).decode())


def _clock(kind: str) -> Callable[[Any, _Packer], Any]:
    """Return the writer of datetimes and times: with fold and zone, of which `isoformat` keeps half."""

    def write(value: datetime | time, _packer: _Packer) -> Any:
        zone = value.tzinfo
        if zone is None:
            told: Any = None
        elif isinstance(zone, ZoneInfo) and zone.key:
            told = zone.key
        elif type(zone) is timezone:
            told = timedelta.total_seconds(zone.utcoffset(None))
        else:
            raise NotStorable(f"the time zone {zone!r} can't be written as data")
        return _tagged(kind, [value.replace(tzinfo=None).isoformat(), value.fold, told])

    return write


_FLAVOURS: Mapping[type, str] = {
    PurePosixPath: "posix",
    PureWindowsPath: "windows",
    type(Path()): "here",
}


def _flavour(path: Any) -> str:
    return _FLAVOURS[type(path)]


_WRITERS: Mapping[type, Callable[[Any, _Packer], Any]] = {
    int: _int,
    float: _float,
    tuple: lambda value, packer: _tagged("tuple", packer.items(value)),
    set: _sorted("set"),
    frozenset: _sorted("frozenset"),
    bytes: _bytes("bytes"),
    bytearray: _bytes("bytearray"),
    complex: lambda value, packer: _tagged("complex", packer.items((value.real, value.imag))),
    datetime: _clock("datetime"),
    time: _clock("time"),
    date: lambda value, _packer: _tagged("date", value.isoformat()),
    timedelta: lambda value, _packer: _tagged("timedelta", [value.days, value.seconds, value.microseconds]),
    Decimal: lambda value, _packer: _tagged("decimal", str(value)),
    UUID: lambda value, _packer: _tagged("uuid", value.hex),
    **{kind: lambda value, _packer: _tagged("path", [_flavour(value), str(value)]) for kind in _FLAVOURS},
}


def _revived(found: dict[str, Any]) -> Any:
    """Return what an object of the text stands for; called from the innermost one outwards."""
    if _KIND not in found:
        return found
    reader = _READERS[found[_KIND]]
    return reader(found["v"]) if "of" not in found else reader(found["v"], _class(found["of"]))


def _zoned(value: Any, fold: int, told: Any) -> Any:
    zone = ZoneInfo(told) if isinstance(told, str) else told
    if isinstance(zone, int | float):
        zone = timezone(timedelta(seconds=zone))
    return value.replace(tzinfo=zone, fold=fold)


def _dataclass(fields: list[list[Any]], kind: type) -> Any:
    names = [field.name for field in dataclasses.fields(kind)]
    if sorted(name for name, _ in fields) != sorted(names):
        raise NotStorable(f"{_path(kind)} has other fields now")
    made: Any = object.__new__(kind)
    for name, value in fields:
        object.__setattr__(made, name, value)
    return made


_decode = json.JSONDecoder().raw_decode
_revive = json.JSONDecoder(object_hook=_revived).raw_decode

_PATHS: Mapping[str, Callable[[str], Any]] = {
    "posix": PurePosixPath,
    "windows": PureWindowsPath,
    "here": Path,
}

_READERS: Mapping[str, Callable[..., Any]] = {
    "int": lambda text: int(text, 16),
    "float": float,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "bytes": base64.b64decode,
    "bytearray": lambda text: bytearray(base64.b64decode(text)),
    "complex": lambda parts: complex(*parts),
    "dict": lambda pairs: {key: item for key, item in pairs},  # noqa: C416 - pairs are lists
    "datetime": lambda parts: _zoned(datetime.fromisoformat(parts[0]), *parts[1:]),
    "time": lambda parts: _zoned(time.fromisoformat(parts[0]), *parts[1:]),
    "date": date.fromisoformat,
    "timedelta": lambda parts: timedelta(*parts),
    "decimal": Decimal,
    "uuid": UUID,
    "path": lambda parts: _PATHS[parts[0]](parts[1]),
    "enum": lambda value, kind: kind(value),
    "dataclass": _dataclass,
    "namedtuple": lambda values, kind: kind._make(values),
}


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _leads_to(kind: type) -> bool:
    """Whether a class is found again by its import path."""
    try:
        return _found(kind.__module__, kind.__qualname__) is kind
    except (ImportError, AttributeError, NotStorable):
        return False


def _class(path: str) -> type:
    """Return the class of an import path, if it is of one of the three kinds."""
    module, _, name = path.partition(":")
    try:
        kind = _found(module, name)
    except Exception as error:  # noqa: BLE001 - importing a module runs it, and that may raise anything
        raise NotStorable(f"{module}.{name} is not there any more ({type(error).__name__})") from None
    if not isinstance(kind, type) or not _is_data(kind):
        raise NotStorable(f"{module}.{name} is no dataclass, namedtuple or enum any more")
    return kind


def _is_data(kind: type) -> bool:
    record = issubclass(kind, tuple) and hasattr(kind, "_make")
    return record or issubclass(kind, Enum) or dataclasses.is_dataclass(kind)


def _found(module: str, name: str) -> Any:
    return functools.reduce(getattr, name.split("."), importlib.import_module(module))
