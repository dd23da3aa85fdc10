"""Backoff: how long to wait after a failed attempt, before chance has its say.

A backoff is an immutable value that many callers may share, since it keeps no count: `bound(attempt)`
answers for any attempt at any time. What a jitter has to know of the past, the wait before, is brought by
the caller. The jitter draw happens below the bound, after the cap, so that it never piles up at the cap.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, get_args

from asyncflow.errors import InvalidPolicy, did_you_mean
from asyncflow.policy.checks import checked_number
from asyncflow.policy.seconds import Seconds, seconds

LONGEST = 365 * 24 * 3600.0
"""The bound of a delay that grows without a cap, in seconds: a year, which still makes a valid date."""

Jitter = Literal["none", "full", "equal", "decorrelated"]
"""From which range chance draws a wait; see `reach`."""


class Backoff(ABC):
    """How the longest wait depends on the number of the failed attempt."""

    __slots__ = ()

    @abstractmethod
    def bound(self, attempt: int) -> float:
        """Return the longest wait, in seconds, after attempt number `attempt` (from 1) has failed."""

    def growth(self) -> tuple[float, float] | None:
        """Return where decorrelated jitter starts and ends, in seconds; None when it can't grow."""
        return None


@dataclass(frozen=True, slots=True)
class _Constant(Backoff):
    delay: float

    def bound(self, attempt: int) -> float:  # noqa: ARG002 - every attempt has the same
        return self.delay

    def __repr__(self) -> str:
        return f"constant({self.delay:g})"


@dataclass(frozen=True, slots=True)
class _Linear(Backoff):
    step: float
    cap: float

    def bound(self, attempt: int) -> float:
        return min(self.cap, self.step * attempt)

    def __repr__(self) -> str:
        return f"linear({self.step:g}{_cap_text(self.cap)})"


@dataclass(frozen=True, slots=True)
class _Exponential(Backoff):
    base: float
    factor: float
    cap: float

    def bound(self, attempt: int) -> float:
        try:
            return min(self.cap, self.base * self.factor ** (attempt - 1))
        except OverflowError:  # attempt 1,025 with factor 2; zero grows to zero all the same
            return self.cap if self.base else 0.0

    def growth(self) -> tuple[float, float]:
        return min(self.base, self.cap), self.cap

    def __repr__(self) -> str:
        factor = "" if self.factor == 2 else f", factor={self.factor:g}"
        return f"exponential({self.base:g}{factor}{_cap_text(self.cap)})"


@dataclass(frozen=True, slots=True)
class _Listed(Backoff):
    delays: tuple[float, ...]

    def bound(self, attempt: int) -> float:
        return self.delays[min(attempt, len(self.delays)) - 1]

    def __repr__(self) -> str:
        return f"({', '.join(f'{delay:g}' for delay in self.delays)}, ...)"


@dataclass(frozen=True, slots=True)
class _Custom(Backoff):
    function: Callable[[int], Seconds]

    def bound(self, attempt: int) -> float:
        name = getattr(self.function, "__qualname__", repr(self.function))
        return seconds(
            self.function(attempt),
            f"{name}({attempt})",
            hint="let the custom delay return seconds, 0 for at once",
        )

    def __repr__(self) -> str:
        return getattr(self.function, "__qualname__", repr(self.function))


def constant(delay: Seconds) -> Backoff:
    """Wait the same after every failed attempt: `delay` seconds, or a timedelta.

    Raises:
        InvalidPolicy: when `delay` is no length of time.
    """
    return _Constant(seconds(delay, "delay"))


def linear(step: Seconds, cap: Seconds | None = None) -> Backoff:
    """Wait `step * attempt`, never longer than `cap`.

    Args:
        step: seconds (or a timedelta) that every failed attempt adds.
        cap: seconds (or a timedelta) that no bound exceeds; None for a year.

    Raises:
        InvalidPolicy: when one of them is no length of time.
    """
    return _Linear(seconds(step, "step"), _cap(cap))


def exponential(base: Seconds, factor: float = 2.0, cap: Seconds | None = None) -> Backoff:
    """Wait `base * factor ** (attempt - 1)`, never longer than `cap`.

    Args:
        base: seconds (or a timedelta) after the first failed attempt.
        factor: how many times longer each next wait is, 1 or more.
        cap: seconds (or a timedelta) that no bound exceeds; None for a year.

    Raises:
        InvalidPolicy: when `base` or `cap` is no length of time, or `factor` is less than 1.
    """
    checked_number(factor, "factor", 1.0, math.inf, "use 2.0 to double each wait")
    return _Exponential(seconds(base, "base"), float(factor), _cap(cap))


def delays(given: Backoff | Seconds | Sequence[Seconds] | Callable[[int], Seconds]) -> Backoff:
    """Return a Backoff for whatever `Retry(delay=...)` accepts.

    Args:
        given: a Backoff; a length of time, the same after every attempt; a sequence, one length per
            attempt, whose last repeats; or a function of the attempt's number. The last two are not capped.

    Raises:
        InvalidPolicy: when it is none of them.
    """
    if isinstance(given, Backoff):
        return given
    if callable(given):
        return _Custom(given)
    delay: Any = given  # a text is a sequence, too, though not of delays
    if isinstance(delay, Sequence) and not isinstance(delay, str):
        if not delay:
            raise InvalidPolicy(
                f"delay={given!r} holds no delay; give at least one, or leave it out to retry at once"
            )
        return _Listed(tuple(seconds(one, f"delay[{i}]") for i, one in enumerate(delay)))
    return _Constant(
        seconds(delay, "delay", hint="use seconds, exponential(0.2, cap=5.0), a sequence or a function")
    )


def reach(jitter: Jitter, backoff: Backoff, attempt: int, previous: float = 0.0) -> tuple[float, float]:
    """Return the shortest and the longest wait that chance may draw, in seconds.

    "none" leaves it no choice, "full" all between 0 and the bound, "equal" the upper half of that.
    "decorrelated" does not look at the attempt but at the wait before: from the backoff's base to three times
    that wait (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). There the draw is
    cut off at the cap, where two of three draws then lie; here the range is.

    Args:
        jitter: the kind.
        backoff: what bounds the wait.
        attempt: the number of the attempt that failed, from 1.
        previous: the wait before that attempt, in seconds; 0 when there was none.
    """
    if jitter == "decorrelated":
        base, cap = backoff.growth() or (0.0, LONGEST)
        return base, min(cap, 3 * max(base, previous))
    bound = backoff.bound(attempt)
    return bound * _LEAST[jitter], bound


_LEAST = {"none": 1.0, "full": 0.0, "equal": 0.5}
"""The part of the bound that is waited whatever chance says."""


def foreseen(jitter: Jitter, backoff: Backoff) -> float:
    """Return the shortest first wait, in seconds; 0 where a function of the user's says it when it comes."""
    return 0.0 if isinstance(backoff, _Custom) else reach(jitter, backoff, 1)[0]


def drawn(least: float, most: float, random: Random) -> float:
    """Return a wait between two bounds; where they leave no choice, nothing is drawn."""
    return least if least == most else least + (most - least) * random.random()


def checked_jitter(jitter: Jitter, backoff: Backoff) -> Jitter:
    """Return `jitter` when it is one of the kinds and has in the backoff what it needs.

    Raises:
        InvalidPolicy: when it is not, or has not.
    """
    kinds = get_args(Jitter)
    if jitter not in kinds:
        hint = did_you_mean(str(jitter), kinds)
        raise InvalidPolicy(f"jitter={jitter!r} must be one of {', '.join(map(repr, kinds))}.{hint}")
    if jitter == "decorrelated" and backoff.growth() is None:
        raise InvalidPolicy(
            f"jitter='decorrelated' grows from a base to a cap, which delay={backoff!r} has not; "
            "use delay=exponential(0.2, cap=5.0), or jitter='full'"
        )
    return jitter


def _cap(cap: Seconds | None) -> float:
    if cap is None:
        return LONGEST
    return seconds(cap, "cap", zero=False, hint="use a number of seconds, or None for no cap")


def _cap_text(cap: float) -> str:
    return "" if cap == LONGEST else f", cap={cap:g}"
