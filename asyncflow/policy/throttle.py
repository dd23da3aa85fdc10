"""The adaptive throttle: keep back the calls that would most likely be refused anyway.

What is called has room for so many calls; the rest it refuses, which costs it work as well. A caller that
counts what was accepted of what it asked can keep the rest to itself, by chance, and needs no word from the
other side (B. Beyer et al., "Site Reliability Engineering", chapter 21, 2016). It never waits, never reads a
clock and never draws: the caller brings both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

from asyncflow.ambient import World
from asyncflow.errors import InvalidPolicy, Throttled
from asyncflow.human import named
from asyncflow.outcomes import Outcome, Returned
from asyncflow.policy.checks import checked_function, checked_name, checked_number, checked_whole
from asyncflow.policy.homes import Stateful
from asyncflow.policy.matching import Errors, checked, counts, failure_of
from asyncflow.policy.rates import Rates, percent
from asyncflow.policy.seconds import Seconds, seconds, spoken
from asyncflow.policy.windows import FAILED, TimeWindow
from asyncflow.signals import SUCCESS


@dataclass(frozen=True, slots=True)
class Throttle(Stateful):
    """Keep calls back, by chance, once fewer than one of `k` has been accepted lately.

    A call is kept back with a probability of `(requests - k * accepts) / (requests + 1)`, and `Throttled` is
    raised instead. Requests are the calls of the last `window` that have ended and those that were kept back;
    accepts are those among them that were accepted.

    Args:
        share: the largest share of calls that is kept back, above 0 and up to 1; the rest finds out when it
            is over.
        k: how many calls are made for each that is accepted. With 2 what is called may be asked twice as much
            as it can do, and recovery is noticed at once; 1.1 spares it nearly all it can't do, and recovers
            in minutes.
        window: over how long calls are counted, in seconds or a timedelta; longer than a call takes.
        min_calls: with fewer calls in the window none is kept back.
        on: which errors say that a call was not accepted: an exception type, a tuple of types, or a
            predicate. Other errors count neither way.
        on_result: a predicate of the returned value; true means that the call was not accepted.
        name: uses of the same name share the counts; without one they are this object's own.

    Raises:
        InvalidPolicy: when a setting is out of range.
    """

    share: float = 0.9
    _: KW_ONLY
    k: float = 2.0
    window: Seconds = 120.0
    min_calls: int = 20
    on: Errors = Exception
    on_result: Callable[[Any], bool] | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        checked_number(self.share, "share", 0.0, 1.0, "use 0.9 to let one in ten through, whatever happens")
        if not self.share:
            raise InvalidPolicy("share=0 would never keep a call back; use 0.9, or no throttle")
        checked_number(self.k, "k", 1.0, math.inf, "below 1 calls would be kept back for being accepted")
        checked_whole(self.min_calls, "min_calls", 1, "use 1 to throttle from the first refusal on")
        checked(self.on, "on")
        checked_function(self.on_result, "on_result", what="a predicate of the value")
        checked_name(self.name, may_lack=True)
        object.__setattr__(self, "window", seconds(self.window, "window", zero=False))

    def throttler(self, where: World | None = None) -> Throttler:
        """Return the throttler in a world, by default the current one; made on first use.

        Raises:
            InvalidPolicy: when the name is already in use with other settings.
        """
        return self._state("throttle", lambda: Throttler(self), where)

    def accepted(self, outcome: Outcome) -> bool | None:
        """Return whether what was called took the call on; None when that can't be told."""
        if isinstance(outcome, Returned):
            return self.on_result is None or not self.on_result(outcome.value)
        error = failure_of(outcome)
        if isinstance(error, SUCCESS):
            return True
        return False if counts(error, self.on) else None

    def rate(self, requests: int, accepts: int) -> float:
        """Return the share of calls to keep back after so many of them were accepted."""
        if requests < self.min_calls:
            return 0.0
        return min(self.share, max(0.0, (requests - self.k * accepts) / (requests + 1)))


class Throttler:
    """The state of a throttle.

    A call counts when it ends, for only then it is known whether it was accepted. One in flight counts
    neither way: as a request alone it would look like a refusal, and slow calls would throttle themselves. So
    throttling begins one call's time late. A call that was cancelled is not recorded at all.

    Args:
        spec: its settings.
    """

    __slots__ = ("_label", "_said_window", "_window", "spec")

    def __init__(self, spec: Throttle) -> None:
        self.spec = spec
        self._label = named("throttle", spec.name)
        self._said_window = spoken(seconds(spec.window, "window"))
        # Of its calls those that were not accepted are the failures; no share of them is too many here.
        self._window = TimeWindow(seconds(spec.window, "window"), Rates(math.inf, spec.min_calls))

    @property
    def requests(self) -> int:
        """How many calls of the window have ended or were kept back."""
        return self._window.calls

    @property
    def accepts(self) -> int:
        """How many of the requests were accepted."""
        return self._window.calls - self._window.failures

    def admit(self, now: float, draw: float) -> Throttled | None:
        """Return None for a call that may be made, else the refusal, which is counted as a request.

        Args:
            now: the world's monotonic time.
            draw: a number that chance has drawn, from 0 up to 1.
        """
        window, spec = self._window, self.spec
        if window.calls <= spec.k * (window.calls - window.failures):
            return None
        window.move_on(now)
        rate = spec.rate(self.requests, self.accepts)
        if draw >= rate:
            return None
        refusal = self._refusal(rate)
        window.count(FAILED, now)
        return refusal

    def record(self, accepted: bool, now: float) -> None:  # noqa: FBT001 - the one thing that is recorded
        """Count a call that has ended.

        Args:
            accepted: whether what was called took it on, however it ended; not when it was turned away or not
                answered at all.
            now: the world's monotonic time.
        """
        self._window.count(0 if accepted else FAILED, now)

    def judge(self, outcome: Outcome, now: float) -> None:
        """Count a call by what it came to, unless that does not tell whether it was accepted."""
        accepted = self.spec.accepted(outcome)
        if accepted is not None:
            self.record(accepted, now)

    def _refusal(self, rate: float) -> Throttled:
        return Throttled(
            f"{self._label} kept the call back, as it does {percent(rate)} of them: of the last "
            f"{self.requests} within {self._said_window} {self.accepts} were accepted; ask again later",
            name=self.spec.name,
        )

    def __repr__(self) -> str:
        name = "" if self.spec.name is None else f" {self.spec.name}"
        rate = self.spec.rate(self.requests, self.accepts)
        return f"<Throttle{name} {self.accepts}/{self.requests} accepted, keeps {percent(rate)} back>"
