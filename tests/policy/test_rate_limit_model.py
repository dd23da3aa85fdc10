"""Limiters against a naive token bucket, and against what the rate and the burst promise, for any calls.

All times are multiples of a power of two, so that sums are exact and times can be compared.
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from asyncflow.errors import RateLimited
from asyncflow.policy.rate_limit import Limiter, RateLimit


class Bucket:
    """A bucket that fills evenly, and may owe permits to those that wait."""

    def __init__(self, step, burst):
        self.step, self.burst = step, burst
        self.level, self.at = float(burst), 0.0

    def wait(self, now, permits):
        self.level = min(self.burst, self.level + (now - self.at) / self.step)
        self.at = now
        return max(0.0, (permits - self.level) * self.step)

    def take(self, permits):
        self.level -= permits


class LimiterMachine(RuleBasedStateMachine):
    @initialize(calls=st.sampled_from([1, 4]), burst=st.integers(1, 3), per=st.sampled_from([1, 4]))
    def start(self, calls, burst, per):
        self.limiter = Limiter(RateLimit(calls, per, burst=burst))
        self.step, self.burst = per / calls, burst
        self.bucket = Bucket(self.step, burst)  # to which nothing comes back
        self.now = 0.0
        self.kept = []  # (when it is used, slot, permits)
        self.came_back = False

    @rule(within=st.sampled_from([0, 2, 100, 100, 100]), permits=st.sampled_from([1, 1, 1, 2, 3]))
    def reserve(self, within, permits):
        if permits > self.burst:
            return
        expected = self.bucket.wait(self.now, permits)
        wait = self.limiter.reserve(self.now, within=within, permits=permits)
        refused = isinstance(wait, RateLimited)
        said = wait.retry_after if refused else wait
        assert said <= expected if self.came_back else said == expected
        assert refused == (said > within)
        if not refused:
            self.bucket.take(permits)
            self.kept.append((self.now + wait, self.limiter.slot, permits))

    @precondition(lambda self: self.kept and self.kept[-1][0] >= self.now)
    @rule(which=st.integers(0, 9))
    def cancel(self, which):
        pending = [each for each in self.kept if each[0] >= self.now]
        _, slot, permits = chosen = pending[which % len(pending)]
        self.kept.remove(chosen)
        self.limiter.give_back(permits, self.now, slot)
        self.came_back = True

    @rule(within=st.sampled_from([0, 2, 100]), permits=st.sampled_from([1, 2]))
    def reserve_and_cancel_at_once(self, within, permits):
        before = self.limiter.tat
        if permits > self.burst or self.came_back:
            return
        wait = self.limiter.reserve(self.now, within=within, permits=permits)
        if not isinstance(wait, RateLimited):
            self.limiter.give_back(permits, self.now)
        assert max(self.now, self.limiter.tat) == max(self.now, before)

    @rule()
    def wait_as_long_as_it_says(self):
        refused = self.limiter.reserve(self.now)
        if isinstance(refused, RateLimited):
            self.now += refused.retry_after
            refused = self.limiter.reserve(self.now)
        assert refused == 0.0
        self.bucket.wait(self.now, 1)
        self.bucket.take(1)
        self.kept.append((self.now, self.limiter.slot, 1))

    @rule(steps=st.sampled_from([0.5, 1, 1.5, 8]))
    def pass_time(self, steps):
        self.now += steps * self.step

    @invariant()
    def no_stretch_of_time_has_more_calls_than_the_burst_and_the_rate_allow(self):
        uses = sorted((at, permits) for at, _, permits in getattr(self, "kept", []))
        for i, (first, _) in enumerate(uses):
            total = 0
            for at, permits in uses[i:]:
                total += permits
                assert total <= self.burst + (at - first) / self.step

    @invariant()
    def slots_that_are_kept_are_different(self):
        kept = sorted((slot, permits) for _, slot, permits in getattr(self, "kept", []))
        for (slot, permits), (after, _) in pairwise(kept):
            assert slot + permits * self.step <= after


LimiterMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestLimiterAgainstReference = LimiterMachine.TestCase
