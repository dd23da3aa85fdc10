"""Numbers and names as people read them, the same in logs, sentences and views."""

from __future__ import annotations

import math
from datetime import UTC, datetime

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def duration(seconds: float) -> str:
    """Return a length of time such as `159 ms`, `1.24 s`, `2 min 5 s` or `3 h 12 min`.

    Args:
        seconds: the length; below zero counts as zero.
    """
    if not math.isfinite(seconds):
        return "without end"
    if seconds <= 0:
        return "0 s"
    if seconds < 0.001:
        return "<1 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE - 0.005:
        return f"{seconds:.2f} s".replace(".00 ", " ")
    return _long(round(seconds))


def _long(seconds: int) -> str:
    """Return the two largest units of a length of a minute and more."""
    if seconds < _HOUR:
        return _two(seconds, _MINUTE, "min", 1, "s")
    if seconds < _DAY:
        return _two(seconds, _HOUR, "h", _MINUTE, "min")
    return _two(seconds, _DAY, "d", _HOUR, "h")


def _two(seconds: int, large: int, large_name: str, small: int, small_name: str) -> str:
    """Return a length in two units; the smaller one is left out when it is zero."""
    rest = seconds % large // small
    first = f"{seconds // large} {large_name}"
    return f"{first} {rest} {small_name}" if rest else first


def ago(seconds: float) -> str:
    """Return an age such as `3 min ago`; less than a second, or a clock that went back, is `just now`."""
    if not math.isfinite(seconds) or seconds < 1:
        return "just now"
    for size, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {name} ago"
    return f"{int(seconds)} s ago"


def instant(at: float) -> str:
    """Return an instant to the second, such as `2024-03-01 14:05:09 UTC`.

    Args:
        at: UTC epoch seconds.
    """
    try:
        return f"{datetime.fromtimestamp(at, tz=UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):
        return "a day that no calendar has"


def plural(count: int, word: str, words: str | None = None) -> str:
    """Return `1 task` or `2 tasks`.

    Args:
        count: how many.
        word: the thing's name.
        words: its plural when it is not made with an `s`.
    """
    return f"{count:,} {word if count == 1 else words or word + 's'}"


def named(kind: str, name: str | None) -> str:
    """Return `bulkhead 'payments'`, or `the bulkhead` for one without a name."""
    return f"{kind} {name!r}" if name else f"the {kind}"
