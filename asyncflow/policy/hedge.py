"""Hedges: a call that takes long or fails is made once more beside itself, and the first good answer counts.

J. Dean and L. A. Barroso, "The Tail at Scale" (CACM 2013): a second request after the time that most answers
take costs a few percent of load, and takes away most of the tail. It is for calls that may be made twice.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from asyncflow.ambient import World
from asyncflow.errors import InvalidPolicy, Rejected
from asyncflow.outcomes import Decision, Outcome, Returned
from asyncflow.policy.budget import Budget, TokenBudget, checked_budget
from asyncflow.policy.checks import checked_function, checked_name, checked_whole
from asyncflow.policy.homes import Stateful
from asyncflow.policy.matching import Errors, checked, counts, failure_of
from asyncflow.policy.seconds import Seconds, seconds, spoken

Standing = Literal["accepted", "failed", "refused"]
"""What a hedge makes of an outcome: "accepted" ends the call, "failed" brings the next hedge forward, and
"refused" does neither: what keeps one call back keeps the next one back, too."""


@dataclass(frozen=True, slots=True, repr=False)
class Hedge(Stateful):
    """Make a call once more beside itself when no answer has come for a while; the first good one counts.

    Each hedge is the whole call, its own retries included. Losers are cancelled, and have ended before the
    answer is given. When all fail, the outcome of the first call stands.

    Args:
        after: seconds (or a timedelta) without an answer after which a hedge is started, and the next one
            again after as long; 0 starts all at once. None starts one only when the one before has failed.
            A failure brings the next hedge forward in any case.
        quantile: the share of calls that are answered before a hedge is started, such as 0.95; the delay
            follows what the last calls took. Until `warm_up` calls were answered, `after` holds.
        warm_up: how many answers have to be known before `quantile` has a say.
        window: how many of the last calls it looks at.
        max_hedges: how many hedges a call may have.
        budget: what hedges are paid from, usually the one that retries are paid from; without means no hedge
            is started, and nobody is told.
        on: the failures that are not an answer: an exception type, a tuple of types, or a predicate. Any
            other failure ends the call.
        on_result: a predicate of the returned value; true means that it is no answer.
        name: uses of the same name share what `quantile` has learned; without one it is this object's own.

    Raises:
        InvalidPolicy: when a setting is out of range.
    """

    after: Seconds | None = None
    _: KW_ONLY
    quantile: float | None = None
    warm_up: int = 20
    window: int = 1000
    max_hedges: int = 1
    budget: Budget | TokenBudget | None = None
    on: Errors = Exception
    on_result: Callable[[Any], bool] | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if self.after is not None:
            hint = "use 0 to start all at once, None to start a hedge only when the one before has failed"
            object.__setattr__(self, "after", seconds(self.after, "after", hint=hint))
        if self.quantile is not None and not _is_share(self.quantile):
            raise InvalidPolicy(
                f"quantile={self.quantile!r} must lie between 0 and 1; use 0.95 for the slowest 5 %"
            )
        checked_whole(self.max_hedges, "max_hedges", 1, "leave out the hedge for none")
        checked_whole(self.warm_up, "warm_up", 1, "use 20 or so")
        checked_whole(self.window, "window", self.warm_up, "it has to hold the calls of `warm_up`")
        checked_function(self.on_result, "on_result", what="a predicate of the value")
        checked_budget(self.budget)
        checked(self.on, "on")
        checked_name(self.name, may_lack=True)

    def standing(self, outcome: Outcome, decision: Decision) -> Standing:
        """Return what an outcome means for the call.

        Args:
            outcome: what a call, retries included, came to.
            decision: what its own policies made of it.
        """
        if isinstance(outcome, Returned):
            unwanted = decision.reason or (self.on_result is not None and self.on_result(outcome.value))
            return "failed" if unwanted else "accepted"
        error = failure_of(outcome)
        if counts(error, self.on):
            return "failed"
        return "refused" if isinstance(error, Rejected) else "accepted"

    def latencies(self, where: World | None = None) -> Latencies:
        """Return what was learned in a world, by default the current one; made on first use.

        Raises:
            InvalidPolicy: when the name is already in use with other settings.
        """
        return self._state("hedge", lambda: Latencies(self), where)

    def __str__(self) -> str:
        after = "after a failure" if self.after is None else f"after {spoken(seconds(self.after, 'after'))}"
        if self.quantile is not None:
            known = f"when {self.quantile * 100:g} % have an answer"
            after = known if self.after is None else f"{known}, until that is known {after}"
        return f"{after}, {self.max_hedges} at most"

    def __repr__(self) -> str:
        return f"<Hedge {self}>"


class Latencies:
    """How long the last calls took, as far as a hedge wants to know.

    Args:
        spec: the hedge's settings.
    """

    __slots__ = ("_ordered", "_recent", "spec")

    def __init__(self, spec: Hedge) -> None:
        self.spec = spec
        self._recent: deque[float] = deque()
        self._ordered: list[float] = []

    def record(self, length: float) -> None:
        """Take note of a call that was answered, or given up for a hedge, after so many seconds.

        A call that was given up took at least as long. Left out, it would make the quantile shrink, and more
        calls would be hedged with each hedge.
        """
        if self.spec.quantile is None:
            return
        if len(self._recent) == self.spec.window:
            oldest = self._recent.popleft()
            del self._ordered[bisect_left(self._ordered, oldest)]
        self._recent.append(length)
        insort(self._ordered, length)

    def delay(self) -> float | None:
        """Return after how many seconds without an answer a hedge is started; None for never."""
        spec = self.spec
        known = len(self._ordered)
        if spec.quantile is None or known < spec.warm_up:
            return None if spec.after is None else seconds(spec.after, "after")
        return self._ordered[min(known - 1, int(spec.quantile * known))]

    def __repr__(self) -> str:
        delay = self.delay()
        due = "after a failure" if delay is None else f"after {spoken(delay)}"
        return f"<Latencies of {len(self._ordered)} calls, hedges {due}>"


def _is_share(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and 0 < number < 1
