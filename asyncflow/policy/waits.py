"""The wait before another attempt: where it comes from, whether it fits, and how it is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any, NamedTuple

from asyncflow.outcomes import Outcome, Returned
from asyncflow.policy.backoff import LONGEST, Backoff, Jitter, drawn, reach
from asyncflow.policy.matching import failure_of
from asyncflow.policy.seconds import Seconds, seconds, spoken


class Wait(NamedTuple):
    """A wait and where it comes from, in seconds.

    Attributes:
        delay: how long it is.
        bound: the longest that chance might have drawn; None when the backoff was not asked.
        least: the shortest.
        draw: what it drew.
        jitter: how it drew.
        wish: what the error asks for.
        previous: the wait before, where the range depends on it.
        is_own: whether `delay_for` said it.
    """

    delay: float
    bound: float | None = None
    least: float = 0.0
    draw: float = 0.0
    jitter: Jitter | None = None
    wish: float | None = None
    previous: float | None = None
    is_own: bool = False

    def misfit(self, left: float | None) -> str | None:
        """Return why the wait leaves no time for an attempt; None when it does.

        Args:
            left: seconds in which another attempt may begin; None for no end.
        """
        if left is None or self.delay < left:
            return None
        if left <= 0:
            return "no time is left for another attempt"
        return f"a wait of {spoken(self.delay)} does not fit into the {spoken(left)} that are left"

    def when(self) -> str:
        """Return when the next attempt follows, for people."""
        return f"in {spoken(self.delay)}" if self.delay else "at once"

    def because(self) -> str:
        """Return where it comes from, for people; empty when there is none and nobody asked for one."""
        if self.is_own:
            return "`delay_for` says so"
        if self.wish is not None and self.wish > self.draw:
            return f"the error asks for {spoken(self.wish)} and the backoff for {spoken(self.draw)}"
        if not self.bound:
            return ""
        if self.jitter == "none":
            return f"the backoff asks for {spoken(self.bound)}"
        allows = "up to" if self.jitter == "full" else f"{spoken(self.least)} to"
        drew = f"{self.jitter} jitter drew {spoken(self.draw)}"
        return f"the backoff allows {allows} {spoken(self.bound)} and {drew}"

    def detail(self, attempt: int, max_attempts: int | None, left: float | None) -> dict[str, Any]:
        """Return the numbers behind it, ready for JSON.

        Args:
            attempt: the number of the attempt that it follows, from 1.
            max_attempts: how many there may be; None when nothing says.
            left: seconds in which another attempt may begin; None for no end.
        """
        detail: dict[str, Any] = {
            "attempt": attempt,
            "max_attempts": max_attempts,
            "delay": self.delay,
            "bound": self.bound,
            "jitter": self.jitter,
            "retry_after": self.wish,
        }
        if self.bound and self.jitter not in (None, "none"):
            detail |= {"least": self.least, "draw": self.draw}
        if self.previous is not None:
            detail["previous"] = self.previous
        if left is not None:
            detail["left"] = left
        return detail


def wait_drawn(
    jitter: Jitter, backoff: Backoff, attempt: int, previous: float, random: Random, wish: float | None
) -> Wait:
    """Return the wait that chance draws, or what the error asks for when that is longer.

    Args:
        jitter: how chance draws.
        backoff: what bounds the wait.
        attempt: the number of the attempt that failed, from 1.
        previous: the wait before that attempt, in seconds.
        random: where it is drawn.
        wish: what the error asks for, in seconds; None for nothing.
    """
    least, bound = reach(jitter, backoff, attempt, previous)
    draw = drawn(least, bound, random)
    delay = min(LONGEST, draw if wish is None else max(draw, wish))
    return Wait(delay, bound, least, draw, jitter, wish, previous if jitter == "decorrelated" else None)


def wait_said(delay_for: Callable[[Any], Seconds | None] | None, outcome: Outcome) -> Wait | None:
    """Return the wait that a function of the user's says; None when it leaves the wait to the backoff.

    Raises:
        InvalidPolicy: when it says what is no length of time.
    """
    if delay_for is None:
        return None
    said = delay_for(outcome.value if isinstance(outcome, Returned) else failure_of(outcome))
    length = said.total_seconds() if isinstance(said, timedelta) else said
    if length is None or (isinstance(length, int | float) and length < 0):
        return None
    hint = "let it return seconds, or None for the backoff"
    return Wait(min(LONGEST, seconds(length, "delay_for(...)", endless=True, hint=hint)), is_own=True)
