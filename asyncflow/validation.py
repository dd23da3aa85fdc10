"""Checks the values of tasks declared with `validate=True` against their annotations."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from inspect import Parameter, Signature
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from asyncflow.binding import signature_of
from asyncflow.signals import VALIDATIONFAIL


def validated(fn: Callable[..., Any], body: Callable[..., Any]) -> Callable[..., Any]:
    """Return a coroutine function that checks values before and after `body`.

    Args:
        fn: the declared function, for its annotations.
        body: what an attempt calls instead of it.
    """
    signature = signature_of(fn)
    hints = _hints(fn)

    async def checked(*args: Any, **kwargs: Any) -> Any:
        for name, value in _arguments(signature, args, kwargs) if signature is not None else ():
            require(value, hints.get(name, Any), f"argument {name!r}")
        result = await body(*args, **kwargs)
        require(result, hints.get("return", Any), "the result")
        return result

    return checked


def _hints(fn: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(fn)
    except Exception:  # noqa: BLE001 - annotations may name what exists only for type checkers
        return {}


def _arguments(
    signature: Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Yield each value with the name whose annotation it is held against."""
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        kind = signature.parameters[name].kind
        if kind is Parameter.VAR_POSITIONAL or kind is Parameter.VAR_KEYWORD:
            yield from ((name, one) for one in (value if isinstance(value, tuple) else value.values()))
        else:
            yield name, value


def require(value: Any, expected: Any, what: str) -> None:
    """Raise the signal VALIDATIONFAIL unless `value` is of the expected type; nothing is converted.

    A class is checked by isinstance, where an int is a float too, and a type of typing's (`list[int]`,
    `int | None`) element by element. A type that can't be checked, such as a Protocol, accepts anything.
    """
    if not _fits(value, expected):
        wanted = expected.__name__ if type(expected) is type else str(expected)
        raise VALIDATIONFAIL(f"{what} did not validate: expected {wanted}, got {_short(value)}")


def _fits(value: Any, expected: Any) -> bool:
    origin = get_origin(expected)
    args = get_args(expected)
    if origin is Union or origin is UnionType:
        return any(_fits(value, one) for one in args)
    if origin is Literal:
        return any(value == one and type(value) is type(one) for one in args)
    if origin is Annotated:
        return _fits(value, args[0])
    if origin is not None:
        return _is_a(value, origin) and _parts_fit(value, origin, args)
    return value is None if expected is None else _is_a(value, expected)


def _is_a(value: Any, expected: Any) -> bool:
    try:
        return isinstance(value, (int, float) if expected is float else expected)
    except TypeError:
        return True  # such as Any, a type variable, or a Protocol that can't be checked


_OF_ELEMENTS = (list, set, frozenset, deque, Sequence, AbstractSet, Collection, Iterable)


def _parts_fit(value: Any, origin: Any, args: tuple[Any, ...]) -> bool:
    if origin is tuple:
        if args[-1:] == (Ellipsis,):
            return all(_fits(one, args[0]) for one in value)
        return len(value) == len(args) and all(map(_fits, value, args))
    if isinstance(value, Mapping) and len(args) == 2:
        return all(_fits(key, args[0]) and _fits(one, args[1]) for key, one in value.items())
    if origin in _OF_ELEMENTS and isinstance(value, Collection):
        return all(_fits(one, args[0]) for one in value)
    return True


def _short(value: Any) -> str:
    text = f"{value!r} of type {type(value).__name__}"
    return text if len(text) <= 200 else f"a value of type {type(value).__name__} with parts of other types"
