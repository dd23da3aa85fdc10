"""Checks the values of tasks declared with `validate=True` against their annotations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_origin, get_type_hints

import msgspec

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
        if signature is not None:
            for name, value in signature.bind(*args, **kwargs).arguments.items():
                require(value, hints.get(name, Any), f"argument {name!r}")
        result = await body(*args, **kwargs)
        require(result, hints.get("return", Any), "the result")
        return result

    return checked


def _hints(fn: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(fn)
    except (NameError, TypeError):
        return {}  # annotations may name what exists only for type checkers


def require(value: Any, expected: Any, what: str) -> None:
    """Raise the signal VALIDATIONFAIL unless `value` is of the expected type; nothing is converted.

    A class is checked by isinstance, a type of typing's (`list[int]`, `int | None`) element by element. A
    type that can't be checked, such as a Protocol, accepts anything.
    """
    if expected is Any or (
        isinstance(expected, type) and get_origin(expected) is None and isinstance(value, expected)
    ):
        return
    try:
        msgspec.convert(value, expected, strict=True)
    except msgspec.ValidationError as error:
        raise VALIDATIONFAIL(f"{what} did not validate: {error}") from error
    except TypeError:
        return
