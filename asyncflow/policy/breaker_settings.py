"""The settings of a breaker: which go together, and what those come to that are not given."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast, get_args

from asyncflow.errors import InvalidPolicy, did_you_mean
from asyncflow.policy.checks import checked_function, checked_name, checked_number, checked_whole
from asyncflow.policy.matching import checked
from asyncflow.policy.reading import Mode
from asyncflow.policy.seconds import Seconds, seconds

if TYPE_CHECKING:
    from asyncflow.policy.breaker import Breaker

FAILURES = 5
"""How many failures in a row are too many where nothing is said."""

RATE = 0.5
"""The share of calls that is too much where nothing is said."""

MIN_CALLS = 20
"""How many calls it takes to speak of a share where nothing is said."""

_STRICTEST = "use 1 for the strictest"
_OF_WINDOWS = ("failure_rate", "slow_after", "slow_rate", "min_calls")

Settled = dict[str, object]


def settled(given: Breaker) -> Settled:
    """Return the settings that are not yet as they are used: lengths of time in seconds, defaults filled in.

    Raises:
        InvalidPolicy: when a setting is out of range or contradicts another one.
    """
    checked_name(given.name)
    checked_mode(given.mode)
    checked_whole(given.probes, "probes", 1, _STRICTEST)
    checked(given.on, "on")
    checked(given.ignore, "ignore")
    checked_function(given.on_result, "on_result", what="a predicate of the value")
    return {**_threshold(given), **_open_time(given), **_half_open_time(given)}


def checked_mode(mode: Mode) -> Mode:
    """Return `mode` when it is one of the four, else raise InvalidPolicy."""
    _check_choice(mode, "mode", get_args(Mode))
    return mode


def _threshold(given: Breaker) -> Settled:
    """Return what opens the circuit: failures in a row, or shares of a window."""
    if given.window is None and given.window_for is None:
        for setting in _OF_WINDOWS:
            if getattr(given, setting) is not None:
                raise InvalidPolicy(
                    f"{setting}={getattr(given, setting)!r} needs a window; "
                    "add window=100 (calls) or window_for=30.0 (seconds)"
                )
        failures = FAILURES if given.failures is None else given.failures
        checked_whole(failures, "failures", 1, _STRICTEST)
        return {"failures": failures}
    if given.failures is not None:
        raise InvalidPolicy(
            f"failures={given.failures!r} means failures in a row, and a window looks at shares; "
            "leave one of them out"
        )
    if given.window is not None and given.window_for is not None:
        raise InvalidPolicy(
            f"window={given.window!r} counts calls and window_for={given.window_for!r} seconds; "
            "leave one of them out"
        )
    return {**_window(given), **_slow(given)}


def _window(given: Breaker) -> Settled:
    least = MIN_CALLS if given.min_calls is None else given.min_calls
    checked_whole(least, "min_calls", 2, "one call is no share; use 2 for the least")
    rate = _rate(given.failure_rate, "failure_rate")
    if given.window is not None:
        checked_whole(given.window, "window", 2, "use failures=1 to open on the first failure")
        # More calls than fit in would never come together.
        return {"failure_rate": rate, "min_calls": min(least, given.window)}
    length = seconds(cast("Seconds", given.window_for), "window_for", zero=False)
    return {"failure_rate": rate, "min_calls": least, "window_for": length}


def _slow(given: Breaker) -> Settled:
    if given.slow_after is not None:
        slow_after = seconds(given.slow_after, "slow_after", zero=False)
        return {"slow_after": slow_after, "slow_rate": _rate(given.slow_rate, "slow_rate")}
    if given.slow_rate is not None:
        raise InvalidPolicy(
            f"slow_rate={given.slow_rate!r} needs slow_after, the time after which it is slow"
        )
    return {}


def _open_time(given: Breaker) -> Settled:
    grow, longest = given.grow, given.max_open_for
    open_for = math.inf if callable(given.open_for) else seconds(given.open_for, "open_for", endless=True)
    checked_number(grow, "grow", 1.0, math.inf, "use 2.0 to double each opening")
    if grow > 1 and open_for == math.inf:
        raise InvalidPolicy(f"grow={grow!r} needs an open_for in seconds; {given.open_for!r} can't grow")
    if longest is not None:
        if grow == 1:
            raise InvalidPolicy(
                f"max_open_for={longest!r} caps an open time that grows; add grow=2.0 or leave it out"
            )
        longest = seconds(longest, "max_open_for", zero=False)
        if longest < open_for:
            raise InvalidPolicy(f"max_open_for={longest:g} is less than open_for={open_for:g}; swap them")
    return (
        {"max_open_for": longest}
        if callable(given.open_for)
        else {"open_for": open_for, "max_open_for": longest}
    )


def _half_open_time(given: Breaker) -> Settled:
    _check_choice(given.half_open_to, "half_open_to", ("open", "closed"))
    if given.half_open_for is not None:
        return {"half_open_for": seconds(given.half_open_for, "half_open_for", zero=False)}
    if given.half_open_to == "closed":
        raise InvalidPolicy("half_open_to='closed' needs half_open_for, the time after which it closes")
    return {}


def _rate(rate: float | None, setting: str) -> float:
    if rate is None:
        return RATE
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 1:
        raise InvalidPolicy(
            f"{setting}={rate!r} must be a share, more than 0 and at most 1; use 0.5 for half"
        )
    return float(rate)


def _check_choice(word: Any, setting: str, known: tuple[str, ...]) -> None:
    if word not in known:
        hint = did_you_mean(str(word), known)
        raise InvalidPolicy(f"{setting}={word!r} must be one of {', '.join(map(repr, known))}.{hint}")
