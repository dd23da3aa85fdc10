from __future__ import annotations

import math
from datetime import timedelta

import pytest

from asyncflow.ambient import World, entered
from asyncflow.errors import AttemptTimedOut, BreakerOpen, IllegalMove, InvalidPolicy
from asyncflow.outcomes import Raised, Refused, Returned, Signalled, TimedOut
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.circuit import MOVES
from asyncflow.signals import ENDRUN, FAIL, RETRY, SKIP, SUCCESS
from asyncflow.states import Success
from tests.policy.bench import Bench


@pytest.mark.parametrize(
    ("settings", "story", "state", "failures"),
    [
        # It opens at exactly `failures` failures in a row.
        ({"failures": 3}, "F F", "closed", 2),
        ({"failures": 3}, "F F F", "open", 3),
        ({"failures": 1}, "F", "open", 1),
        ({"failures": 6}, "F F F F F S F", "closed", 1),
        ({"failures": 6}, "F F F F F S F F F F F F", "open", 6),
        ({"failures": 2}, "F S F S F S", "closed", 0),
        # Neutral results neither count nor reset.
        ({"failures": 3}, "F N F N N", "closed", 2),
        ({"failures": 3}, "F N F N N F", "open", 3),
        ({"failures": 2}, "S F N S F N S F N", "closed", 1),
        # Open refuses until its time is over.
        ({"failures": 1, "open_for": 5}, "F ? 3 ? 1.9 ?", "open", 1),
        ({"failures": 1, "open_for": 5}, "F 5 S", "closed", 0),
        ({"failures": 1, "open_for": 5}, "F 6 F", "open", 1),
        ({"failures": 1, "open_for": 5}, "F 5 F ? 4.9 ? 0.1 S", "closed", 0),
        ({"failures": 1, "open_for": timedelta(seconds=5)}, "F 4 ? 1 S", "closed", 0),
        # A neutral probe leaves it half-open, and gives its place back.
        ({"failures": 1, "open_for": 5}, "F 5 N", "half-open", 0),
        ({"failures": 1, "open_for": 5}, "F 5 N N N N S", "closed", 0),
        # All probes must succeed; one failure opens it.
        ({"failures": 1, "open_for": 5, "probes": 3}, "F 5 S S", "half-open", 0),
        ({"failures": 1, "open_for": 5, "probes": 3}, "F 5 S S S", "closed", 0),
        ({"failures": 1, "open_for": 5, "probes": 3}, "F 5 S S F ?", "open", 1),
        ({"failures": 1, "open_for": 5, "probes": 3}, "F 5 S N S N S", "closed", 0),
        ({"failures": 1, "open_for": 5, "probes": 2}, "F 5 S 100 S", "closed", 0),
        # After closing it counts from zero.
        ({"failures": 2, "open_for": 5}, "F F 5 S F", "closed", 1),
        # No time at all is legal: the next call is the probe.
        ({"failures": 1, "open_for": 0}, "F S", "closed", 0),
        ({"failures": 1, "open_for": 0}, "F F F", "open", 1),
        ({"failures": 1, "open_for": math.inf}, "F 1e300 ?", "open", 1),
    ],
)
def test_a_story_of_calls_ends_in_a_state(settings, story, state, failures):
    bench = Bench(**settings)
    assert (bench.tell(story).state, bench.reading.failures) == (state, failures)


@pytest.mark.parametrize("probes", [1, 2, 4])
def test_a_herd_at_probe_time_is_let_through_up_to_the_number_of_probes(probes):
    bench = Bench(failures=1, open_for=5, probes=probes)
    bench.tell("F 5")
    answers = [bench.call() for _ in range(20)]
    assert sum(isinstance(answer, BreakerOpen) for answer in answers) == 20 - probes


def test_a_probe_that_is_given_back_makes_room_for_exactly_one_other():
    bench = Bench(failures=1, open_for=5, probes=4)
    bench.tell("F 5")
    permits = [bench.call() for _ in range(4)]
    bench.tell("?")
    bench.circuit.release(permits[0])
    assert not isinstance(bench.call(), BreakerOpen)
    bench.tell("?")


@pytest.mark.parametrize("how", ["S", "F", "N"])
def test_a_result_from_before_the_circuit_opened_changes_nothing(how):
    bench = Bench(failures=1, open_for=5)
    late = bench.call()
    bench.tell("F")
    before = (bench.circuit.state, bench.circuit.generation, repr(bench.circuit))
    bench.end(late, how)
    assert (bench.circuit.state, bench.circuit.generation, repr(bench.circuit)) == before


@pytest.mark.parametrize("how", ["S", "F", "N"])
def test_a_late_result_neither_closes_nor_opens_a_half_open_circuit_nor_frees_a_probe(how):
    bench = Bench(failures=1, open_for=5)
    late = bench.call()
    bench.tell("F 5")
    probe = bench.call()
    bench.end(late, how)
    assert bench.circuit.state == "half-open"
    bench.tell("?")
    bench.end(probe, "S")
    assert bench.circuit.state == "closed"


def test_a_probe_that_answers_after_another_one_failed_changes_nothing():
    bench = Bench(failures=1, open_for=5, probes=2)
    bench.tell("F 5")
    first, second = bench.call(), bench.call()
    bench.end(first, "F")
    bench.end(second, "S")
    assert bench.circuit.state == "open"
    bench.tell("4 ? 1 S S")
    assert bench.circuit.state == "closed"


def test_a_call_that_outlives_a_whole_cycle_counts_for_nothing():
    bench = Bench(failures=1, open_for=5)
    old = bench.call()
    bench.tell("F 5 S")
    bench.end(old, "F")
    assert (bench.circuit.state, bench.reading.failures) == ("closed", 0)


def test_reading_never_changes_the_state():
    bench = Bench(failures=3, open_for=5)
    bench.tell("F F F 0.8")
    assert repr(bench.circuit) == "<Breaker b open, 3/3 failures, half-open in 4.2s>"
    bench.clock.now += 10
    for _ in range(3):
        assert repr(bench.circuit) == "<Breaker b open, 3/3 failures, probe due>"
        assert bench.circuit.probe_due(bench.clock.now)
        assert bench.circuit.retry_after(bench.clock.now) == 0
        assert bench.circuit.state == "open"
    bench.call()
    assert repr(bench.circuit) == "<Breaker b half-open, 1/1 probes out, 0 passed>"


def test_the_repr_of_a_closed_circuit_counts_its_failures():
    assert repr(Bench(failures=3).tell("F")) == "<Breaker b closed, 1/3 failures>"
    assert repr(Bench(failures=1, open_for=math.inf).tell("F")) == "<Breaker b open, 1/1 failures, for good>"


@pytest.mark.parametrize("began", [0.0, 0.1, 1 / 3, 12345.678, 1e9 + 0.1])
@pytest.mark.parametrize("waited", [0.0, 0.1, 1.7, 29.999])
def test_waiting_exactly_retry_after_is_enough(began, waited):
    bench = Bench(failures=1, open_for=30.1)
    bench.clock.now = began
    bench.tell("F")
    bench.clock.now += waited
    refusal = bench.call()
    bench.clock.now += refusal.retry_after
    assert not isinstance(bench.call(), BreakerOpen)


def test_a_refusal_says_which_breaker_why_and_for_how_long():
    bench = Bench(failures=2, open_for=30)
    refusal = bench.tell("F F 10").admit(bench.clock.now)
    assert str(refusal) == "breaker 'b' is open after 2 failures in a row; ask again in 20 s"
    assert refusal.retry_after == 20


@pytest.mark.parametrize(("open_for", "pause"), [(0, 0.01), (0.5, 0.5), (30, 1.0), (math.inf, 1.0)])
def test_while_probes_are_out_a_refusal_asks_for_a_short_pause(open_for, pause):
    bench = Bench(failures=1, open_for=open_for)
    bench.tell("F")
    bench.circuit.move("half-open", bench.clock.now)
    bench.call()
    refusal = bench.call()
    assert refusal.retry_after == pause
    assert "half-open and waits for 1 of 1 probes" in str(refusal)


def test_a_circuit_that_is_open_for_good_says_that_no_wait_helps():
    bench = Bench(failures=1, open_for=math.inf)
    refusal = bench.tell("F 5").admit(bench.clock.now)
    assert refusal.retry_after is None
    assert "until it is closed by hand" in str(refusal)
    bench.circuit.move("closed", bench.clock.now)
    bench.tell("S")


STATES = ("closed", "open", "half-open")


@pytest.mark.parametrize("old", STATES)
@pytest.mark.parametrize("new", STATES)
def test_only_the_table_joins_states_and_staying_is_silent(old, new):
    circuit = Bench().circuit
    for step in {"closed": (), "open": ("open",), "half-open": ("open", "half-open")}[old]:
        circuit.move(step, 0.0)
    generation = circuit.generation
    if new == old:
        circuit.move(new, 0.0)
        assert circuit.generation == generation
    elif new in MOVES[old]:
        circuit.move(new, 0.0)
        assert (circuit.state, circuit.generation) == (new, generation + 1)
    else:
        with pytest.raises(IllegalMove, match="can't go from closed to half-open"):
            circuit.move(new, 0.0)


@pytest.mark.parametrize(
    ("on", "outcome", "verdict"),
    [
        (Exception, Returned(1), "success"),
        (Exception, Signalled(SUCCESS()), "success"),
        (Exception, Raised(ValueError()), "failure"),
        (KeyError, Raised(ValueError()), "neutral"),
        (lambda error: isinstance(error, ValueError), Raised(ValueError()), "failure"),
        (Exception, TimedOut(AttemptTimedOut("late")), "failure"),
        (ConnectionError, TimedOut(AttemptTimedOut("late")), "neutral"),
        (Exception, Signalled(FAIL()), "failure"),
        (ValueError, Signalled(FAIL()), "neutral"),
        ((ValueError, FAIL), Signalled(FAIL()), "failure"),
        (Exception, Signalled(SKIP()), "neutral"),
        (Exception, Signalled(RETRY()), "neutral"),
        (Exception, Signalled(ENDRUN(Success())), "neutral"),
        (Exception, Refused(BreakerOpen("b")), "neutral"),
        (BreakerOpen, Refused(BreakerOpen("b")), "neutral"),
        # The body met an open breaker further in: that says nothing about this one's service.
        (Exception, Raised(BreakerOpen("inner")), "neutral"),
        (BreakerOpen, Raised(BreakerOpen("inner")), "failure"),
        (Exception, Raised(KeyboardInterrupt()), "neutral"),
    ],
)
def test_an_outcome_is_a_success_a_failure_or_neutral(on, outcome, verdict):
    assert Breaker("b", on=on).verdict(outcome) == verdict


def test_one_name_is_one_circuit_per_world():
    here, there = World(), World()
    spec = Breaker("payments", failures=2)
    assert spec.circuit(here) is Breaker("payments", failures=2).circuit(here)
    assert spec.circuit(here) is not spec.circuit(there)
    with entered(there):
        assert spec.circuit() is spec.circuit(there)
    with pytest.raises(InvalidPolicy, match="two different settings"):
        Breaker("payments", failures=3).circuit(here)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Breaker(""), "name=''"),
        (lambda: Breaker(5), "name=5"),
        (lambda: Breaker("b", failures=0), "failures=0 must be a whole number, 1 or more"),
        (lambda: Breaker("b", failures=0.5), "failures=0.5"),
        (lambda: Breaker("b", failures=True), "failures=True"),
        (lambda: Breaker("b", probes=0), "probes=0"),
        (lambda: Breaker("b", open_for=-1), "open_for=-1"),
        (lambda: Breaker("b", open_for="30"), "open_for='30'"),
        (lambda: Breaker("b", on=BaseException), "on: BaseException"),
        (lambda: Breaker("b", ignore=KeyboardInterrupt), "ignore: KeyboardInterrupt"),
        (lambda: Breaker("b", on_result=503), "on_result=503 must be a predicate"),
        (lambda: Breaker("b", on_result=_later), "is a coroutine function, for which nobody waits"),
        (lambda: Breaker("b", window=1), "window=1 must be a whole number, 2 or more"),
        (lambda: Breaker("b", window_for=0), "window_for=0 must be more than 0"),
        (lambda: Breaker("b", window=10, window_for=10), "window=10 counts calls and window_for=10 seconds"),
        (lambda: Breaker("b", failures=5, window=10), "failures=5 means failures in a row"),
        (lambda: Breaker("b", failure_rate=0.5), "failure_rate=0.5 needs a window"),
        (lambda: Breaker("b", slow_after=1), "slow_after=1 needs a window"),
        (lambda: Breaker("b", min_calls=5), "min_calls=5 needs a window"),
        (lambda: Breaker("b", window=10, min_calls=1), "min_calls=1 must be a whole number, 2 or more"),
        (lambda: Breaker("b", window=10, failure_rate=50), "failure_rate=50 must be a share"),
        (lambda: Breaker("b", window=10, slow_rate=0.5), "slow_rate=0.5 needs slow_after"),
        (lambda: Breaker("b", window=10, slow_after=0), "slow_after=0 must be more than 0"),
        (lambda: Breaker("b", window=10, slow_after=1, slow_rate=True), "slow_rate=True must be a share"),
        (lambda: Breaker("b", grow=0.5), "grow=0.5 must be a number, 1 or more"),
        (lambda: Breaker("b", grow=math.inf), "grow=inf"),
        (lambda: Breaker("b", open_for=math.inf, grow=2), "grow=2 needs an open_for in seconds; inf"),
        (lambda: Breaker("b", open_for=len, grow=2), "can't grow"),
        (lambda: Breaker("b", max_open_for=60), "max_open_for=60 caps an open time that grows"),
        (lambda: Breaker("b", grow=2, max_open_for=10), "max_open_for=10 is less than open_for=30"),
        (lambda: Breaker("b", half_open_for=0), "half_open_for=0 must be more than 0"),
        (lambda: Breaker("b", half_open_to="closed"), "half_open_to='closed' needs half_open_for"),
        (lambda: Breaker("b", half_open_for=1, half_open_to="half-open"), "half_open_to='half-open'"),
        (lambda: Breaker("b", mode="forced_open"), "Did you mean 'forced-open'?"),
    ],
)
def test_a_wrong_setting_is_refused_when_it_is_declared(build, message):
    with pytest.raises(InvalidPolicy) as refused:
        build()
    assert message in str(refused.value)


async def _later(value):
    return value == 503


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({}, {"failures": 5, "open_for": timedelta(seconds=30), "probes": 1, "grow": 1.0}),
        ({"window": 10}, {"window": 10, "failure_rate": 0.5, "min_calls": 10}),
        ({"window": 100}, {"window": 100, "min_calls": 20}),
        ({"window_for": timedelta(minutes=1)}, {"window_for": 60.0, "failure_rate": 0.5, "min_calls": 20}),
        ({"window": 10, "slow_after": 2}, {"window": 10, "slow_after": 2.0, "slow_rate": 0.5}),
    ],
)
def test_what_is_not_said_is_the_default_and_the_same_circuit(short, long):
    here = World()
    assert Breaker("b", **short) == Breaker("b", **long)
    assert Breaker("b", **short).circuit(here) is Breaker("b", **long).circuit(here)


def test_the_repr_of_a_breaker_has_what_it_does_otherwise_than_by_default():
    assert repr(Breaker("b")) == "Breaker('b', failures=5)"
    told = "Breaker('b', probes=3, window=10, failure_rate=0.5, min_calls=10)"
    assert repr(Breaker("b", window=10, probes=3)) == told


def test_an_ignored_error_is_neutral_though_it_is_meant():
    breaker = Breaker("b", on=LookupError, ignore=lambda error: "soft" in str(error))
    assert breaker.verdict(Raised(KeyError("hard"))) == "failure"
    assert breaker.verdict(Raised(KeyError("soft"))) == "neutral"
    assert breaker.verdict(Raised(ValueError("other"))) == "neutral"
