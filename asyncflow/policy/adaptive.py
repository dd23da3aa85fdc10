"""Adaptive limits: how many calls at once, found out from how long they take.

While what is called keeps up, more calls at once take no longer. When it does not, they queue up there, and
each takes longer. A rule watches for that and moves the limit. Here is what all rules share: calls are
measured over a window, and the rule is asked once for each. Pure arithmetic: the caller measures.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from random import Random

from asyncflow.errors import InvalidPolicy
from asyncflow.policy.checks import checked_whole
from asyncflow.policy.seconds import Seconds, seconds

_SHORTEST = 1e-9  # no call takes less; where time is virtual, some take none


@dataclass(frozen=True, slots=True)
class Adaptive(ABC):
    """A rule by which the limit of a bulkhead follows what is measured.

    Calls are measured together over a window: their average time, the most that were under way, and whether
    any was dropped, which is to say ran out of time.

    Args:
        lowest: the limit never falls below it.
        highest: the limit never rises above it.
        window: how long calls are measured together, in seconds or a timedelta; 0 to learn from each one.
        min_calls: how many calls a window has at least; it lasts longer when there are fewer.
    """

    _: KW_ONLY
    lowest: int = 1
    highest: int = 200
    window: Seconds = 1.0
    min_calls: int = 10

    def __post_init__(self) -> None:
        checked_whole(self.lowest, "lowest", 1, "with 0 no call would ever be made again")
        hint = f"it can't be below lowest={self.lowest}"
        checked_whole(self.highest, "highest", self.lowest, hint)
        checked_whole(self.min_calls, "min_calls", 1, "use 1 for as few as there are")
        object.__setattr__(self, "window", seconds(self.window, "window"))

    def check_start(self, limit: int) -> None:
        """Raise InvalidPolicy unless the rule may begin with that limit."""
        if not self.lowest <= limit <= self.highest:
            raise InvalidPolicy(
                f"limit={limit} must be from {self.lowest} to {self.highest}, which is what "
                f"{type(self).__name__} may choose; begin within these, or set lowest= and highest="
            )

    @abstractmethod
    def learner(self, start: int, random: Random) -> Learner:
        """Return the state that begins with `start` calls at once.

        Args:
            start: the first limit.
            random: draws when Vegas measures afresh.
        """


class Window:
    """What was measured of the calls that ended within a window.

    Attributes:
        calls: how many there were.
        quickest: the least that one took, in seconds.
        inflight: the most that were under way.
        is_dropped: whether one ran out of time.
    """

    __slots__ = ("_total", "calls", "inflight", "is_dropped", "quickest")

    def __init__(self) -> None:
        self.calls = self.inflight = 0
        self.quickest = math.inf
        self.is_dropped = False
        self._total = 0.0

    def add(self, rtt: float, inflight: int, dropped: bool) -> None:  # noqa: FBT001 - a measure like the others
        """Add a call."""
        self.calls += 1
        self.quickest = min(self.quickest, rtt)
        self.inflight = max(self.inflight, inflight)
        self.is_dropped = self.is_dropped or dropped
        self._total += rtt

    @property
    def average(self) -> float:
        """How long calls took on average, in seconds."""
        return self._total / self.calls


class Learner(ABC):
    """The state of an adaptive limit: what it takes the right limit to be, and the window it measures.

    Args:
        spec: the rule.
        start: the first limit.

    Attributes:
        estimate: the limit with its fraction.
    """

    __slots__ = ("_ends", "_length", "_window", "estimate", "spec")

    def __init__(self, spec: Adaptive, start: int) -> None:
        self.spec = spec
        self.estimate = float(start)
        self._length = seconds(spec.window, "window")
        self._ends = 0.0
        self._window = Window()

    @property
    def limit(self) -> int:
        """How many calls may run at once."""
        return int(self.estimate)

    def sample(self, rtt: float, inflight: int, dropped: bool, now: float) -> int:  # noqa: FBT001 - one of many
        """Take note of a call that has ended, and return the limit from now on.

        Args:
            rtt: how long it took, in seconds.
            inflight: how many calls were under way when it began, itself included.
            dropped: whether it ran out of time.
            now: the world's monotonic time.
        """
        window = self._window
        if not window.calls:
            self._ends = now + self._length
        window.add(max(_SHORTEST, rtt), inflight, dropped)
        if now >= self._ends and window.calls >= self.spec.min_calls:
            self._window = Window()
            self.estimate = max(self.spec.lowest, min(self.spec.highest, self._next(window)))
        return self.limit

    @abstractmethod
    def _next(self, window: Window) -> float:
        """Return the limit after a window, which may have a fraction and lie out of bounds."""

    def _is_short(self, window: Window) -> bool:
        """Return whether the limit was far from being reached: then nothing says that it is too low."""
        return 2 * window.inflight < self.estimate
