"""Lengths of time: taken as float seconds or timedelta, checked once, and said for people."""

from __future__ import annotations

import math
from datetime import timedelta

from asyncflow.errors import InvalidPolicy
from asyncflow.human import duration

Seconds = float | timedelta
"""What every time argument accepts."""


def seconds(
    value: Seconds,
    name: str,
    *,
    zero: bool = True,
    endless: bool = False,
    hint: str = "use a number of seconds",
) -> float:
    """Return a length of time as float seconds.

    Args:
        value: float seconds or a timedelta.
        name: what the value is called, for the error.
        zero: whether 0 is allowed.
        endless: whether infinity is allowed.
        hint: the way out, for the error.

    Raises:
        InvalidPolicy: when the value is no length of time, or one that is not allowed.
    """
    length = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(length, bool) or not isinstance(length, int | float):
        raise InvalidPolicy(f"{name}={value!r} is not a length of time, in seconds or as a timedelta; {hint}")
    length = _as_float(length)
    at_least = "0 or more" if zero else "more than 0"
    if math.isnan(length) or length < 0 or (length == 0 and not zero) or (length == math.inf and not endless):
        finite = "" if endless else " and finite"
        raise InvalidPolicy(f"{name}={value!r} must be {at_least}{finite}; {hint}")
    return length


def _as_float(number: float) -> float:
    """Return the number as a float; an int beyond the range of floats is as good as endless."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def spoken(length: float) -> str:
    """Return a length of time that was set, for people: `250 µs`, `2.5 s`, `7 min 30 s`, `2 h 5 min`.

    Below a minute it has three digits and no zeros at the end, since it stands beside what somebody wrote.
    `human.duration`, which says what was measured, has the same places in every line.
    """
    if length < 0.001:
        return f"{length * 1e6:.0f} µs" if length else "0 s"
    if length < 0.9995:
        return f"{length * 1000:.3g} ms"
    if length < 59.95:
        return f"{length:.3g} s"
    return duration(max(60.0, length))
