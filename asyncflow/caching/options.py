"""The options of `@task` that ask for caching, checked and made one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asyncflow.caching.validators import Validator, all_inputs
from asyncflow.errors import InvalidTask
from asyncflow.policy.seconds import Seconds, seconds

CacheKeyOption = str | Callable[..., Any]
"""`cache_key=`: a name that tasks share, or a function of the arguments."""

_OPTIONS = ("cache_for", "cache_key", "cache_validator", "stale_if_error")


@dataclass(frozen=True)
class Caching:
    """How a task's results are kept.

    Attributes:
        cache_for: how long an entry is valid, in seconds.
        cache_key: the name under which tasks share entries, or a function of the arguments whose value
            has to be the same; None goes by the task itself.
        cache_validator: which arguments or parameters have to be the same.
        stale_if_error: for how many seconds after it expired an entry may stand in when computing fails.
    """

    cache_for: float
    cache_key: CacheKeyOption | None = None
    cache_validator: Validator = all_inputs
    stale_if_error: float = 0.0


def caching_from(given: Mapping[str, Any], known: Caching | None) -> Caching | None:
    """Return how results are kept, or None when they are not.

    Args:
        given: the options that are said; None stands for an option that is not wanted.
        known: what held before, for `with_options`.

    Raises:
        InvalidTask: when options contradict each other.
        InvalidPolicy: when a length of time is out of range.
    """
    held = {} if known is None else {name: getattr(known, name) for name in _OPTIONS}
    if "cache_key" in given and callable(given["cache_key"]):
        held.pop("cache_validator", None)
    said = {name: value for name, value in {**held, **given}.items() if value is not None}
    if "cache_for" not in said:
        others = [name for name in _OPTIONS[1:] if given.get(name) is not None]
        if others:
            raise InvalidTask(f"{others[0]}= needs cache_for=, which says how long a result is kept")
        return None
    return Caching(
        cache_for=_length(said["cache_for"], "cache_for", zero=False),
        cache_key=_key(said.get("cache_key")),
        cache_validator=_validator(said.get("cache_validator"), said.get("cache_key")),
        stale_if_error=_length(said.get("stale_if_error", 0.0), "stale_if_error", zero=True),
    )


def _length(value: Seconds, name: str, *, zero: bool) -> float:
    hint = f"use a number of seconds, such as {name}=3600"
    return seconds(value, name, zero=zero, hint=hint)


def _key(given: Any) -> CacheKeyOption | None:
    if given is None or (isinstance(given, str) and given) or callable(given):
        return given  # type: ignore[no-any-return]  # what it is was just asked
    raise InvalidTask(
        f"cache_key={given!r} must be a name that tasks share, or a function of the task's arguments"
    )


def _validator(given: Any, key: Any) -> Validator:
    if given is None:
        return all_inputs
    if not isinstance(given, Validator):
        raise InvalidTask(
            f"cache_validator={given!r} is none of asyncflow.caching; for a rule of your own give "
            "cache_key= a function of the arguments"
        )
    if callable(key) and given != all_inputs:
        raise InvalidTask(
            f"cache_key= is a function, which says what of the arguments counts; leave out "
            f"cache_validator={given}"
        )
    return given
