"""Calls in flight count as soon as they are slow."""

from __future__ import annotations

import pytest

from asyncflow.errors import BreakerOpen
from asyncflow.policy.watched import WatchedCircuit
from tests.policy.bench import Bench

SLOW = {"window_for": 100, "min_calls": 4, "slow_after": 2, "slow_rate": 0.5, "open_for": 5}


@pytest.mark.parametrize(
    ("story", "state", "hanging"),
    [
        # Two of four hang.
        ("S S +a +b 1.9", "closed", 0),
        ("S S +a +b 2", "closed", 2),
        ("S S +a +b 2 ?", "open", 2),
        ("S S +a +b 2 ? a:S b:F", "open", 2),
        # Whoever ends next looks, too.
        ("S +c S +a +b 2 c:N", "open", 2),
        ("+a +b +c +d 2 a:S", "open", 3),
        ("+a +b +c +d +e 2 a:S", "open", 4),
        # Each is found when its own time is over.
        ("S S +a 1 +b 1 +c 1 ?", "open", 2),
        # What hung when it opened is no probe.
        ("S S +a +b 2 ? 5 +p a:F b:S", "half-open", 0),
        # Fewer than the minimum are no share of anything.
        ("S +a +b 2 S", "open", 2),
        ("+a +b 2 +c", "closed", 2),
        # What has ended is counted as what it was.
        ("+a 2 +b a:S b:S S S", "closed", 0),
        ("+a 2 +b a:S 2 +c b:S c:S S", "open", 0),
        # Cancelled calls leave no trace, though they hung.
        ("S S +a +b 1.9 a:C b:C 9 S S", "closed", 0),
        ("S +a +b 2 a:C b:N +c c:S S S", "closed", 0),
        # What is too old for the window is no part of the share.
        ("S S +a +b 200 +c", "closed", 2),
        # A call takes as long as it takes, whoever overtakes it.
        ("S S S S S +a S S S 1 +b b:S 1 S +c c:S", "closed", 1),
    ],
)
def test_a_story_of_calls_ends_in_a_state(story, state, hanging):
    bench = Bench(**SLOW)
    circuit = bench.tell(story)
    assert isinstance(circuit, WatchedCircuit)
    assert (circuit.state, bench.reading.hanging) == (state, hanging)
    assert bench.reading.openings == (state != "closed"), "it opens once"


def test_a_call_that_hung_counts_once_when_it_ends():
    bench = Bench(**SLOW)
    bench.tell("S S S S +a 2 S")
    assert (bench.reading.calls, bench.reading.slow, bench.reading.hanging) == (5, 0, 1)
    assert bench.reading.slow_rate == 1 / 6
    bench.tell("a:F")
    assert (bench.reading.calls, bench.reading.slow, bench.reading.hanging) == (6, 1, 0)
    assert (bench.reading.failures, bench.reading.slow_rate) == (1, 1 / 6)


def test_a_reading_finds_what_hangs_without_noting_it():
    bench = Bench(**SLOW)
    bench.tell("S S +a +b 2")
    for _ in range(2):
        assert (bench.state, bench.reading.hanging, bench.reading.slow_rate) == ("closed", 2, 0.5)
    told = "closed, 2 calls, 0 failed, 50 % slow (limit 50 %), 2 hanging"
    assert repr(bench.circuit) == f"<Breaker b {told}>"


def test_what_hangs_when_it_opens_is_told_with_the_refusal():
    bench = Bench(**SLOW)
    bench.tell("S S +a +b 2")
    refusal = bench.call()
    assert isinstance(refusal, BreakerOpen)
    assert str(refusal) == "breaker 'b' is open after 50 % of 4 calls took 2 s or longer; ask again in 5 s"
    assert refusal.__cause__ is None


@pytest.mark.parametrize(
    ("story", "state"),
    [
        ("+a +b 1 a:S b:S", "closed"),
        ("+a +b 2 a:S b:S", "open"),
        # One answers well and one hangs: that is half of them, before it ends.
        ("+a +b 1 b:S 1 ?", "open"),
        ("+a +b 1 b:S .9 ?", "half-open"),
        ("+a +b 1 b:S .9 a:S", "closed"),
        ("+a +b 1 b:C a:C +c c:S S", "closed"),
    ],
)
def test_a_probe_that_hangs_is_judged_before_it_answers(story, state):
    bench = Bench(**SLOW, probes=2)
    bench.circuit.move("open", 0.0)
    bench.circuit.move("half-open", 0.0)
    assert bench.tell(story).state == state


def test_probes_that_hang_for_too_long_are_given_up_rather_than_judged():
    bench = Bench(**SLOW, half_open_for=3, half_open_to="closed")
    bench.circuit.move("open", 0.0)
    bench.circuit.move("half-open", 0.0)
    assert bench.tell("+a 3 +b").state == "closed"


class Counted(dict):
    """A dict that counts how often it is looked into."""

    looks = 0

    def get(self, key):
        self.looks += 1
        return super().get(key)


def test_a_look_passes_each_call_once_however_many_are_in_flight():
    bench = Bench(**{**SLOW, "min_calls": 10_000})
    starts = bench.circuit._starts = Counted()
    calls = []
    for _ in range(2000):
        calls.append(bench.begin())
        bench.clock.now += 0.01
        if len(calls) > 190:  # the oldest are about to be slow
            bench.end(calls.pop(0), "S")
            bench.end(calls.pop(100), "S")
            calls += [bench.begin()]
    assert bench.reading.hanging == 0
    assert starts.looks < 2 * 4000
