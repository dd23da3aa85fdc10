"""Three rules for adaptive limits: Vegas, Gradient2 and AIMD.

Vegas keeps a short queue, after TCP Vegas (L. Brakmo, L. Peterson, 1995); Gradient2 compares the times of
late with those of long; AIMD adds one and cuts by a share, as TCP does (V. Jacobson, 1988). The figures are
those of Netflix's concurrency-limits (2018).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from asyncflow.errors import InvalidPolicy
from asyncflow.policy.adaptive import Adaptive, Learner, Window
from asyncflow.policy.checks import checked_number, checked_whole
from asyncflow.policy.seconds import Seconds, seconds

_ROUNDING = 1e-9  # a queue of 6 is not one of 7 for what the division of two times is off


@dataclass(frozen=True, slots=True)
class Vegas(Adaptive):
    """Keep a short queue at what is called: between `alpha` and `beta` calls.

    The queue is what the limit would be less if all calls took as long as the quickest:
    `limit * (1 - quickest / average)`. The limit rises while it is shorter and falls while it is longer, or
    when a call ran out of time, by the limit's magnitude: 1 below 100, 2 below 1,000. From time to time the
    quickest time is measured afresh, since what is called may have become slower for good.

    Args:
        lowest: the limit never falls below it.
        highest: the limit never rises above it.
        window: how long calls are measured together, in seconds or a timedelta; 0 to learn from each one.
        min_calls: how many calls a window has at least.
        alpha: a queue of less, times that magnitude, is too short.
        beta: a queue of more, times that magnitude, is too long.
        afresh: after how many windows, times the limit, the quickest time is measured again; after half as
            many at the earliest, as is drawn.

    Raises:
        InvalidPolicy: when a setting is out of range.
    """

    highest: int = 1000
    alpha: int = 3
    beta: int = 6
    afresh: int = 30

    def __post_init__(self) -> None:
        Adaptive.__post_init__(self)
        checked_whole(self.alpha, "alpha", 1, "use 3")
        checked_whole(self.beta, "beta", self.alpha, f"it can't be below alpha={self.alpha}")
        checked_whole(self.afresh, "afresh", 1, "use 30")

    def learner(self, start: int, random: Random) -> Learner:
        """Return the state that begins with `start` calls at once."""
        return _VegasLearner(self, start, random)


class _VegasLearner(Learner):
    __slots__ = ("_afresh_at", "_quickest", "_random", "_windows", "rule")

    def __init__(self, rule: Vegas, start: int, random: Random) -> None:
        super().__init__(rule, start)
        self.rule = rule
        self._random = random
        self._quickest = math.inf
        self._windows = 0
        self._afresh_at = self._drawn()

    def _next(self, window: Window) -> float:
        self._windows += 1
        magnitude = max(1, int(math.log10(self.estimate)))
        if window.is_dropped:
            return self.estimate - magnitude
        if self._windows >= self._afresh_at * self.estimate:
            self._windows, self._afresh_at = 0, self._drawn()
            self._quickest = window.quickest
            return self.estimate
        if self._quickest == math.inf:
            self._quickest = window.quickest
            return self.estimate
        self._quickest = min(self._quickest, window.quickest)
        return self.estimate if self._is_short(window) else self.estimate + self._step(window, magnitude)

    def _step(self, window: Window, magnitude: int) -> int:
        queue = math.ceil(self.estimate * (1 - self._quickest / window.average) - _ROUNDING)
        if queue <= magnitude:
            return self.rule.beta * magnitude
        if queue < self.rule.alpha * magnitude:
            return magnitude
        return -magnitude if queue > self.rule.beta * magnitude else 0

    def _drawn(self) -> float:
        return self.rule.afresh * self._random.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Gradient2(Adaptive):
    """Let the limit follow the ratio of the times of long and of late, and add some for a queue.

    While calls take at most `tolerance` times as long as they did over the last `memory` windows, the limit
    grows by `smoothing * queue`. When they take longer it shrinks in proportion, by half the smoothing at
    most. It bears times that vary better than Vegas, and keeps a longer queue.

    Args:
        lowest: the limit never falls below it.
        highest: the limit never rises above it.
        window: how long calls are measured together, in seconds or a timedelta; 0 to learn from each one.
        min_calls: how many calls a window has at least.
        queue: how many calls may queue up at what is called.
        tolerance: how many times as long as usual calls may take, 1 or more.
        smoothing: how much of each change is made, above 0 up to 1.
        memory: over how many windows the usual time is averaged.

    Raises:
        InvalidPolicy: when a setting is out of range.
    """

    queue: int = 4
    tolerance: float = 1.5
    smoothing: float = 0.2
    memory: int = 600

    def __post_init__(self) -> None:
        Adaptive.__post_init__(self)
        checked_whole(self.queue, "queue", 0, "use 4")
        checked_whole(self.memory, "memory", 1, "use 600")
        checked_number(self.tolerance, "tolerance", 1.0, math.inf, "use 1.5 for half as long again")
        checked_number(self.smoothing, "smoothing", 0.0, 1.0, "use 0.2 for a fifth of each change")
        if not self.smoothing:
            raise InvalidPolicy("smoothing=0 would leave the limit where it is; use 0.2")

    def learner(self, start: int, random: Random) -> Learner:  # noqa: ARG002 - it draws nothing
        """Return the state that begins with `start` calls at once."""
        return _Gradient2Learner(self, start)


class _Gradient2Learner(Learner):
    __slots__ = ("_known", "_usual", "rule")

    _WARM_UP = 10  # so many windows have equal weight

    def __init__(self, rule: Gradient2, start: int) -> None:
        super().__init__(rule, start)
        self.rule = rule
        self._known = 0
        self._usual = 0.0

    def _next(self, window: Window) -> float:
        late = window.average
        self._average(late)
        usual = self._usual
        if usual > 2 * late:
            self._usual *= 0.95  # after a long time of trouble the memory has to catch up
        if self._is_short(window):
            return self.estimate
        gradient = max(0.5, min(1.0, self.rule.tolerance * usual / late))
        return self.estimate + self.rule.smoothing * (self.estimate * (gradient - 1) + self.rule.queue)

    def _average(self, rtt: float) -> None:
        warm = self._known >= self._WARM_UP
        self._known += 1
        weight = 2 / (self.rule.memory + 1) if warm else 1 / self._known
        self._usual += weight * (rtt - self._usual)


@dataclass(frozen=True, slots=True)
class AIMD(Adaptive):
    """Add one while calls are quick enough, and cut the limit when they are not.

    Args:
        lowest: the limit never falls below it.
        highest: the limit never rises above it.
        window: how long calls are measured together, in seconds or a timedelta; 0 to learn from each one.
        min_calls: how many calls a window has at least.
        slow_after: how long the calls of a window may take on average, in seconds or a timedelta.
        backoff: what the limit is multiplied by when they take longer, or one ran out of time; from 0.5,
            below 1.

    Raises:
        InvalidPolicy: when a setting is out of range.
    """

    slow_after: Seconds = 5.0
    backoff: float = 0.9

    def __post_init__(self) -> None:
        Adaptive.__post_init__(self)
        object.__setattr__(self, "slow_after", seconds(self.slow_after, "slow_after", zero=False))
        checked_number(self.backoff, "backoff", 0.5, 1.0, "use 0.9")
        if self.backoff == 1:
            raise InvalidPolicy("backoff=1 would never lower the limit; use 0.9")

    def learner(self, start: int, random: Random) -> Learner:  # noqa: ARG002 - it draws nothing
        """Return the state that begins with `start` calls at once."""
        return _AIMDLearner(self, start)


class _AIMDLearner(Learner):
    __slots__ = ("_slow_after", "rule")

    def __init__(self, rule: AIMD, start: int) -> None:
        super().__init__(rule, start)
        self.rule = rule
        self._slow_after = seconds(rule.slow_after, "slow_after")

    def _next(self, window: Window) -> float:
        if window.is_dropped or window.average > self._slow_after:
            return int(self.estimate * self.rule.backoff)
        return self.estimate if self._is_short(window) else self.estimate + 1
