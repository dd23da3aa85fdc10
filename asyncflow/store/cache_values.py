"""Results of caches as text: as data that comes back whole, or not at all."""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec

from asyncflow.errors import NotStorable
from asyncflow.store.values import Unkept, keep, restore

_TAG = '"$"'
_decode = msgspec.json.decode


def kept_text(value: Any) -> str:
    """Return a value as text that gives back what it is.

    Raises:
        NotStorable: when there is none; the text says why, and what to do.
    """
    try:
        text = bytes(keep(value, largest=None)).decode()
    except Unkept as why:
        raise NotStorable(f"the value can't be written as data: {why}") from None
    if _TAG in text:
        unpack(text)  # a class that can't be found again is refused now, and not when somebody counts on it
    return text


def unpack(text: str) -> Any:
    """Return the value that a text was made of; each call makes it anew.

    Raises:
        NotStorable: when the text names a class that is not there, or has other fields now.
    """
    try:
        return restore(_decode(text), _gone) if _TAG in text else _decode(text)
    except (
        msgspec.MsgspecError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
    ) as error:
        raise NotStorable(f"what was kept can't be read: {type(error).__name__}: {error}") from error


def _gone(path: str) -> NoReturn:
    raise NotStorable(
        f"{path} is not found as it was kept: no such dataclass, namedtuple or enum, or with other fields or "
        "members; define the class at the top of a module"
    )
