"""Slots against a naive reference, under requests that come and go at will."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from asyncflow.policy.slots import Limit, Slots

NAMES = "abc"
DEMANDS = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 4), min_size=1, max_size=3)


class Reference:
    """The rules in their plainest form: one list of all that wait, gone through from its beginning."""

    def __init__(self, capacities):
        self.capacities = capacities
        self.waiting = []  # [number, demand, limits kept]
        self.granted = {}  # number -> demand

    def free(self, name):
        return self.capacities[name] - sum(demand.get(name, 0) for demand in self.granted.values())

    def ask(self, number, demand):
        self.waiting.append((number, demand, set()))
        self.look()

    def end(self, number):
        self.granted.pop(number, None)
        self.waiting = [row for row in self.waiting if row[0] != number]
        self.look()

    def look(self):
        closed, spoken_for, headed = set(), dict.fromkeys(NAMES, 0), []
        for row in list(self.waiting):
            number, demand, kept = row
            if demand in headed:
                continue  # somebody with the same wish is before it
            short = {
                name for name in demand if name in closed or self.free(name) - spoken_for[name] < demand[name]
            }
            if not short:
                self.waiting.remove(row)
                self.granted[number] = demand
                continue
            headed.append(demand)
            if not short & closed:
                kept |= short
                closed |= short
                for name in kept & set(demand):
                    spoken_for[name] += demand[name]


def limits_of(request):
    return [limit for limit, _ in request.demand]


class SlotsMachine(RuleBasedStateMachine):
    requests = Bundle("requests")

    @initialize(capacities=st.fixed_dictionaries({name: st.integers(1, 4) for name in NAMES}))
    def start(self, capacities):
        self.limits = {name: Limit(name, capacity) for name, capacity in capacities.items()}
        self.slots = Slots()
        self.reference = Reference(capacities)
        self.number = 0
        self.open = {}
        self.granted_in_order = []

    @rule(target=requests, demand=DEMANDS)
    def ask(self, demand):
        demand = {name: min(units, self.limits[name].capacity) for name, units in sorted(demand.items())}
        self.number += 1
        request = self.slots.ask(tuple((self.limits[name], units) for name, units in demand.items()))
        self.reference.ask(self.number, demand)
        self.open[self.number] = request
        return self.number, request

    @rule(pair=consumes(requests))
    def end(self, pair):
        """An attempt succeeds, fails or times out; or its waiting is cancelled: all one to the slots."""
        number, request = pair
        waiting = [each for each in self.open.values() if not each.is_granted]
        granted = self.slots.give_back(request)
        self.reference.end(number)
        del self.open[number]
        assert all(each in waiting and each.is_granted and each is not request for each in granted)
        left = [each for each in waiting if not each.is_granted and each is not request]
        for each in granted:  # of those that want one limit alone, none overtakes another
            rivals = [other for other in left if limits_of(other) == limits_of(each)]
            assert len(each.demand) > 1 or all(other.number > each.number for other in rivals)
        assert [each.number for each in granted] == sorted(each.number for each in granted)
        assert self.slots.give_back(request) == []

    @invariant()
    def the_same_are_granted(self):
        granted = {number for number, request in self.open.items() if request.is_granted}
        assert granted == set(self.reference.granted)

    @invariant()
    def slots_are_conserved(self):
        for limit in self.limits.values():
            of_it = [
                (request, dict(request.demand)[limit])
                for request in self.open.values()
                if limit in dict(request.demand)
            ]
            assert limit.taken == sum(units for request, units in of_it if request.is_granted)
            assert limit.waiting == sum(not request.is_granted for request, _ in of_it)
            assert 0 <= limit.taken <= limit.capacity

    @invariant()
    def whoever_waits_longest_waits_for_somebody(self):
        waiting = [request for request in self.open.values() if not request.is_granted]
        if waiting:
            first = min(waiting, key=lambda request: request.number)
            assert any(units > limit.free for limit, units in first.demand)

    def teardown(self):
        """When everybody has gone, everything is free: the longest waiting is never left behind."""
        rounds = 0
        while self.open:
            rounds += 1
            granted = [number for number, request in self.open.items() if request.is_granted]
            assert granted, "nobody holds a slot and somebody waits"
            for number in granted:
                self.slots.give_back(self.open.pop(number))
        assert all(limit.taken == limit.waiting == 0 for limit in self.limits.values())


SlotsMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestSlotsAgainstReference = SlotsMachine.TestCase


@given(first=DEMANDS, holders=st.lists(DEMANDS, min_size=1, max_size=6), crowd=st.data())
@settings(deadline=None)
def test_nobody_waits_for_ever_however_many_come_later(first, holders, crowd):
    limits = {name: Limit(name, 4) for name in NAMES}
    slots = Slots()

    def ask(demand):
        return slots.ask(tuple((limits[name], units) for name, units in sorted(demand.items())))

    everybody = [ask(demand) for demand in holders]
    wanted = ask(first)
    rounds = 0
    while not wanted.is_granted:
        rounds += 1
        assert rounds <= len(holders) + len(first) + 1
        at_work = [request for request in everybody if request.is_granted and not request.is_over]
        for request in at_work:
            everybody.append(ask(crowd.draw(DEMANDS)))
            slots.give_back(request)


def test_two_limits_in_turns_hold_nobody_up_for_ever():
    a, b = Limit("a", 1), Limit("b", 1)
    slots = Slots()
    of_a = slots.ask(((a, 1),))
    both = slots.ask(((a, 1), (b, 1)))
    of_b = slots.ask(((b, 1),))
    assert of_b.is_granted, "what waits for a does not hold up b"
    assert slots.give_back(of_a) == []
    assert not slots.ask(((a, 1),)).is_granted, "a is kept for the one that waited for it"
    assert slots.give_back(of_b) == [both]


def test_all_that_holds_up_the_first_to_wait_is_kept_for_it():
    a, b = Limit("a", 1), Limit("b", 1)
    slots = Slots()
    of_a, of_b = slots.ask(((a, 1),)), slots.ask(((b, 1),))
    both = slots.ask(((a, 1), (b, 1)))
    assert slots.give_back(of_b) == []
    assert not slots.ask(((b, 1),)).is_granted, "b is kept for the one that waited for it"
    assert slots.give_back(of_a) == [both]
