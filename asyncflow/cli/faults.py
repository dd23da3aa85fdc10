"""Reads a replica's faults from the command line: `status=503,requests=1-3`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from asyncflow.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from asyncflow.net.http_faults import HttpFault

_VALUE_OF = {
    "status": "status",
    "slow": "seconds",
    "drip": "seconds",
    "truncate": "byte",
    "reset": "byte",
    "wrong-length": "byte",
}
"""What the value behind a fault's word means."""


def fault_from(text: str) -> HttpFault:
    """Return the fault that a text such as `status=503,requests=1-3` means.

    Raises:
        UsageError: when it means none.
    """
    from asyncflow.net.http_faults import HttpFault

    head, *rest = (part.strip() for part in text.split(","))
    word, has_value, value = head.partition("=")
    told: dict[str, Any] = {}
    if has_value:
        if word not in _VALUE_OF:
            raise UsageError(f"--fault {text}: {word!r} takes no value.{did_you_mean(word, _VALUE_OF)}")
        told[_VALUE_OF[word]] = _read(text, _VALUE_OF[word], value)
    for part in rest:
        key, _, value = part.partition("=")
        told[key] = _read(text, key, value)
    try:
        return HttpFault(do=word, **told)  # type: ignore[arg-type]  # it checks its word itself
    except UsageError as error:
        raise UsageError(f"--fault {text}: {error}") from error


def _read(text: str, key: str, value: str) -> Any:
    """Return the value of a key, of the type that the key has."""
    reader = _READERS.get(key)
    if reader is None:
        known = ", ".join(_READERS)
        raise UsageError(f"--fault {text}: unknown key {key!r}; use {known}.{did_you_mean(key, _READERS)}")
    try:
        return reader(value)
    except ValueError:
        raise UsageError(f"--fault {text}: {value!r} is no value for {key}") from None


def _requests(value: str) -> int | tuple[int, int]:
    first, dash, last = value.partition("-")
    return (int(first), int(last)) if dash else int(first)


def _retry_after(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value  # an HTTP date


_READERS: Mapping[str, Callable[[str], Any]] = {
    "requests": _requests,
    "path": str,
    "status": int,
    "retry_after": _retry_after,
    "seconds": float,
    "byte": int,
}
