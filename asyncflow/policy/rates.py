"""Shares of calls that are too many."""

from __future__ import annotations

import math
from dataclasses import dataclass

from asyncflow.policy.seconds import spoken

Sums = tuple[int, int, int]
"""Calls, the failures among them, the slow ones among them."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The shares of failed and of slow calls that are too much: reached is too much, exceeded all the more.

    Args:
        failure_rate: the share of failed calls.
        min_calls: how many calls it takes to speak of a share.
        slow_rate: the share of slow calls; infinity when durations don't matter.
        slow_after: seconds after which a call is slow.
    """

    failure_rate: float
    min_calls: int
    slow_rate: float = math.inf
    slow_after: float = math.inf

    def why(self, sums: Sums, hanging: int, least: int) -> str:
        """Return what is too much, in words; empty when nothing is.

        Args:
            sums: the calls that have ended.
            hanging: how many have not ended and are slow already. How they will end is not known, so they are
                no part of the share of failures.
            least: how many calls it takes here to speak of a share.
        """
        calls, failures, slow = sums
        if calls >= least and failures / calls >= self.failure_rate:
            return f"after {percent(failures / calls)} of {calls} calls failed"
        known = calls + hanging
        if known >= least and (slow + hanging) / known >= self.slow_rate:
            share = percent((slow + hanging) / known)
            return f"after {share} of {known} calls took {spoken(self.slow_after)} or longer"
        return ""

    def shares(self, sums: Sums, hanging: int, least: int) -> tuple[float | None, float | None]:
        """Return the shares of failures and of slow calls, each None where fewer than `least` calls count."""
        calls, failures, slow = sums
        known = calls + hanging
        failed = failures / calls if calls >= least else None
        if known < least or self.slow_rate == math.inf:
            return failed, None
        return failed, (slow + hanging) / known


def percent(share: float) -> str:
    """Return a share for people: `60 %`, `33.3 %`."""
    return f"{share * 100:.3g} %"
