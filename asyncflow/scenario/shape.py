"""Compares the data of a file with the tables of the format and names everything that does not fit.

msgspec stops at the first error and hides keys of maps; this walk over its description of the types finds all
errors, each with its whole path. What it lets through, msgspec converts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from msgspec import inspect as types

from asyncflow.errors import nearest
from asyncflow.scenario.locate import Path
from asyncflow.scenario.values import shown

Problem = tuple[Path, str]
"""Where something does not fit, and why."""

Rule = Callable[[Mapping[str, Any]], Iterator[Problem]]
"""What a table must hold beyond the types of its keys; paths are relative to the table."""

_MAX_INT = (1 << 63) - 1


class Shape:
    """The comparison of data with types.

    A custom type of the format has `parse`, which raises ValueError with a sentence, or `table_for` when it
    stands for one of several tables.

    Args:
        rules: what tables must hold beyond their types, by the table's class.
    """

    def __init__(self, rules: Mapping[type, Rule]) -> None:
        self._rules = rules

    def problems(self, value: Any, kind: type) -> list[Problem]:
        """Return everything in `value` that does not fit the table class `kind`."""
        return list(self._walk((), value, described(kind)))

    def _walk(self, path: Path, value: Any, kind: types.Type) -> Iterator[Problem]:
        match kind:
            case types.AnyType():
                return
            case types.UnionType(options):
                yield from self._union(path, value, options)
            case types.StructType() if isinstance(value, dict):
                yield from self._table(path, value, kind)
            case types.DictType() if isinstance(value, dict):
                for key, item in value.items():
                    yield from self._walk((*path, key), item, kind.value_type)
            case types.ListType() if isinstance(value, list) and len(value) >= (kind.min_length or 0):
                for index, item in enumerate(value):
                    yield from self._walk((*path, index), item, kind.item_type)
            case types.CustomType(cls):
                yield from self._custom(path, value, cls)
            case _:
                reason = misfit(value, kind)
                if reason:
                    yield path, reason

    def _union(self, path: Path, value: Any, options: tuple[types.Type, ...]) -> Iterator[Problem]:
        """Compare with the option that the value is most like; none of it fits when it is like no option."""
        options = tuple(option for option in options if not isinstance(option, types.NoneType))
        like = [option for option in options if _alike(value, option)]
        if like or len(options) == 1:
            yield from self._walk(path, value, (like or options)[0])
        else:
            yield path, f"expected {', or '.join(map(expected, options))}, got {shown(value)}"

    def _table(self, path: Path, value: dict[str, Any], kind: types.StructType) -> Iterator[Problem]:
        fields = {field.encode_name: field for field in kind.fields}
        sound = True
        for key, item in value.items():
            if key in fields:
                found = list(self._walk((*path, key), item, fields[key].type))
            else:
                found = [((*path, key), unknown_key(key, fields))]
            sound = sound and not found
            yield from found
        for key, field in fields.items():
            if field.required and key not in value:
                sound = False
                yield (*path, key), "is missing"
        rule = self._rules.get(kind.cls)
        if sound and rule is not None:
            yield from (((*path, *inner), reason) for inner, reason in rule(value))

    def _custom(self, path: Path, value: Any, cls: type[Any]) -> Iterator[Problem]:
        try:
            if not hasattr(cls, "table_for"):
                cls.parse(value)
                return
            table = cls.table_for(value)
        except ValueError as reason:
            yield path, str(reason)
            return
        yield from self._walk(path, value, described(table))


@cache
def described(table: type) -> types.Type:
    """Return msgspec's description of a table class, which is not cheap to make."""
    return types.type_info(table)


def unknown_key(key: str, known: Mapping[str, Any]) -> str:
    """Return the reason for a key that a table does not have, with the nearest that it has or all of them."""
    near = nearest(key, known)
    return "unknown key." + (f" Did you mean {near!r}?" if near else f" Known here: {', '.join(known)}.")


def misfit(value: Any, kind: types.Type) -> str | None:
    """Return why a plain value does not fit a type, or None when it does."""
    if isinstance(kind, types.LiteralType) and isinstance(value, str) and value not in kind.values:
        near = nearest(value, map(str, kind.values))
        if near:
            return f"unknown value {value!r}. Did you mean {near!r}?"
    if _alike(value, kind) and _within(value, kind):
        return None
    return f"expected {expected(kind)}, got {shown(value)}"


def _alike(value: Any, kind: types.Type) -> bool:
    """Return whether a value is of the sort that a type is about, whatever its bounds."""
    if isinstance(value, bool):
        return isinstance(kind, types.BoolType | types.AnyType)
    match kind:
        case types.IntType():
            return isinstance(value, int)
        case types.FloatType():
            return isinstance(value, int | float)
        case types.StrType():
            return isinstance(value, str)
        case types.LiteralType(values):
            return isinstance(value, type(values[0]))
        case types.ListType():
            return isinstance(value, list)
        case types.DictType() | types.StructType():
            return isinstance(value, dict)
    return isinstance(kind, types.AnyType | types.CustomType)


def _within(value: Any, kind: types.Type) -> bool:
    match kind:
        case types.IntType() | types.FloatType():
            return (
                abs(value) <= _MAX_INT
                and (kind.ge is None or value >= kind.ge)
                and (kind.gt is None or value > kind.gt)
                and (kind.le is None or value <= kind.le)
                and (kind.lt is None or value < kind.lt)
            )
        case types.StrType() | types.ListType():
            return len(value) >= (kind.min_length or 0)
        case types.LiteralType(values):
            return value in values
    return True


def expected(kind: types.Type) -> str:
    """Return what a type takes, for people."""
    match kind:
        case types.IntType():
            return f"a whole number{_bounds(kind)}"
        case types.FloatType():
            return f"a number{_bounds(kind)}"
        case types.StrType(min_length):
            return "a text that is not empty" if min_length else "a text"
        case types.LiteralType(values):
            return _one_of([f"'{value}'" if isinstance(value, str) else str(value) for value in values])
        case types.ListType(min_length=min_length):
            return "a list of at least one" if min_length else "a list"
    return "true or false" if isinstance(kind, types.BoolType) else "a table"


def _one_of(words: list[str]) -> str:
    return " or ".join(words) if len(words) < 3 else f"one of {', '.join(words)}"


def _bounds(kind: types.IntType | types.FloatType) -> str:
    if kind.ge is not None:
        return f" of {kind.ge} or more" if kind.le is None else f" from {kind.ge} to {kind.le}"
    sides = (("above", kind.gt), ("at most", kind.le), ("below", kind.lt))
    text = " and ".join(f"{side} {bound}" for side, bound in sides if bound is not None)
    return text and f" {text}"
