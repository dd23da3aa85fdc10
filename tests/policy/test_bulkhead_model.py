"""Places against a naive reference that keeps lists, under calls that overlap at will."""

from __future__ import annotations

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from asyncflow.errors import BulkheadFull
from asyncflow.policy.bulkhead import Bulkhead, Places
from asyncflow.policy.limit_rules import AIMD

VERDICTS = st.sampled_from(["success", "failure", "dropped", "neutral"])


class BulkheadMachine(RuleBasedStateMachine):
    @initialize(
        limit=st.integers(1, 3),
        queue=st.integers(0, 3),
        patience=st.sampled_from([None, 2]),
        adapts=st.booleans(),
    )
    def start(self, limit, queue, patience, adapts):
        rule = AIMD(window=0, min_calls=1, highest=4, slow_after=2, backoff=0.5) if adapts else None
        spec = Bulkhead(limit, queue=queue, queue_timeout=patience if queue else None, adaptive=rule)
        self.places = Places(spec, Random(0))
        self.is_fixed = not adapts
        self.queue = queue
        self.now = 0.0
        self.holders = []  # in the order in which they were granted
        self.waiting = []  # in the order in which they came
        self.uncounted = 0  # places taken by frames in a hurry

    def granted(self, places):
        """Note who has a place now; it must be those that have waited longest."""
        assert places == self.waiting[: len(places)]
        assert all(place.is_granted and place.since == self.now for place in places)
        del self.waiting[: len(places)]
        self.holders += places

    @rule()
    def enter(self):
        room = len(self.holders) + self.uncounted < self.places.limit
        place = self.places.enter(self.now)
        if isinstance(place, BulkheadFull):
            assert not room
            assert len(self.waiting) == self.queue
        else:
            assert place.is_granted == room
            (self.holders if room else self.waiting).append(place)

    @precondition(lambda self: self.holders)
    @rule(which=st.integers(0, 9), verdict=VERDICTS)
    def leave(self, which, verdict):
        place = self.holders.pop(which % len(self.holders))
        self.granted(self.places.leave(place, self.now, verdict))
        assert self.places.leave(place, self.now, verdict) == []

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 9))
    def give_up(self, which):
        place = self.waiting.pop(which % len(self.waiting))
        self.granted(self.places.leave(place, self.now, "neutral"))

    @rule(passed=st.sampled_from([0.5, 1, 3]))
    def wait(self, passed):
        self.now += passed
        for place in [place for place in self.waiting if place.due <= self.now]:
            self.waiting.remove(place)
            assert isinstance(self.places.expire(place, self.now), BulkheadFull)

    @precondition(lambda self: self.is_fixed and self.places.taken < self.places.limit)
    @rule()
    def enter_in_a_hurry(self):
        self.places.taken += 1
        self.uncounted += 1

    @precondition(lambda self: self.uncounted)
    @rule()
    def leave_in_a_hurry(self):
        self.places.taken -= 1
        self.uncounted -= 1
        if self.places.waiting:
            self.granted(self.places.grant(self.now))

    @invariant()
    def counts_are_those_of_the_lists(self):
        assert self.places.taken == len(self.holders) + self.uncounted
        assert self.places.waiting == len(self.waiting) <= self.queue

    @invariant()
    def nobody_waits_for_a_place_that_is_free(self):
        assert not self.waiting or self.places.taken >= self.places.limit

    @invariant()
    def a_fixed_limit_is_never_exceeded(self):
        assert not self.is_fixed or self.places.taken <= self.places.limit

    def teardown(self):
        if hasattr(self, "places"):
            for place in [*self.waiting, *self.holders]:
                self.places.leave(place, self.now, "neutral")
            assert self.places.taken == self.uncounted
            assert self.places.waiting == 0


BulkheadMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestBulkheadAgainstReference = BulkheadMachine.TestCase
