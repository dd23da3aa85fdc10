"""The code of a task as a digest, so that a result of other code is not taken for one of this code.

What counts: the compiled body with its constants and the names that it uses, default values, functions that
it encloses, and enclosed values that can't change (numbers, texts, paths and their kin). What does not:
comments, formatting, the wording of its docstring, where it stands, the functions and globals that it refers
to by name, and enclosed objects that can change, of which only the type counts. Another minor version of
Python compiles differently, and counts as other code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

from asyncflow.caching.canonical import Unkeyable, canonical, digest, import_path

_CHANGES = (list, dict, set, bytearray)
_SHAPE = (
    *("co_code", "co_exceptiontable", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_flags"),
    *("co_argcount", "co_posonlyargcount", "co_kwonlyargcount"),
)


def fingerprint(fn: Callable[..., Any]) -> str:
    """Return the digest of a function's code.

    Args:
        fn: the body of a task: a function, a method, a partial, or an object that can be called.
    """
    return digest(_told(fn, set()))


def _told(value: Any, seen: set[int]) -> Any:
    """Return a function, or what belongs to one, as plain values."""
    if isinstance(value, functools.partial):
        return "partial", _told(value.func, seen), _all(value.args, seen), _by_name(value.keywords, seen)
    if isinstance(value, MethodType):
        return "method", import_path(type(value.__self__)), _told(value.__func__, seen)
    if isinstance(value, FunctionType):
        if id(value) in seen:
            return "again", value.__qualname__
        seen.add(id(value))
        return _function(value, seen)
    if isinstance(value, _CHANGES):
        return "changes", type(value).__name__
    try:
        canonical(value)
    except (Unkeyable, RecursionError):
        return _object(value, seen)
    return value


def _function(fn: FunctionType, seen: set[int]) -> Any:
    closure = [_enclosed(cell, seen) for cell in fn.__closure__ or ()]
    doc = fn.__code__.co_consts[:1] == (fn.__doc__,)
    code = _code(fn.__code__, skip=int(doc))
    return (
        "function",
        code,
        _all(fn.__defaults__ or (), seen),
        _by_name(fn.__kwdefaults__ or {}, seen),
        closure,
    )


def _code(code: CodeType, skip: int = 0) -> Any:
    """Return what a code object does; not where it stands."""
    constants = [
        _code(constant) if isinstance(constant, CodeType) else constant for constant in code.co_consts[skip:]
    ]
    return *(getattr(code, name) for name in _SHAPE), constants


def _enclosed(cell: CellType, seen: set[int]) -> Any:
    try:
        return _told(cell.cell_contents, seen)
    except ValueError:  # the cell is still empty
        return "empty"


def _object(value: Any, seen: set[int]) -> Any:
    """Return what is known of an object that is not told from others of its kind by its value."""
    call = getattr(type(value), "__call__", None)  # noqa: B004 - its code is wanted
    return "object", import_path(type(value)), _told(call, seen) if isinstance(call, FunctionType) else None


def _all(values: tuple[Any, ...], seen: set[int]) -> list[Any]:
    return [_told(value, seen) for value in values]


def _by_name(values: dict[str, Any], seen: set[int]) -> dict[str, Any]:
    return {name: _told(value, seen) for name, value in values.items()}
