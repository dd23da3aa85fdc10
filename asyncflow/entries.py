"""What a cache keeps of a result, and by what it is found again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class CacheKey(NamedTuple):
    """By what an entry is found.

    Attributes:
        family: whose results they are: the task's module and name, or the name that `cache_key=` gave.
        inputs: a digest of what has to be the same: arguments, the flow's parameters, or nothing.
        code: a digest of the task's code; empty for a family that several tasks share.
    """

    family: str
    inputs: str
    code: str


class CacheEntry(NamedTuple):
    """One result that was kept.

    Attributes:
        made: when it was computed, UTC epoch seconds.
        expires: until when it is valid.
        gone: when it may be thrown away; later than `expires` where a stale entry may stand in for a failure.
        run: the friendly name of the flow run that computed it.
        value: returns the result; each call makes it anew, so that nobody can change what is kept. Raises
            NotStorable when it can't be read any more.
    """

    made: float
    expires: float
    gone: float
    run: str
    value: Callable[[], Any]


class Shelf(NamedTuple):
    """What a cache has for a key.

    Attributes:
        entry: the entry of that key, expired or not; None without one.
        other_code: whether it has entries of the same family and inputs, computed by other code.
        other_inputs: whether it has entries of the same family at all.
    """

    entry: CacheEntry | None
    other_code: bool = False
    other_inputs: bool = False
