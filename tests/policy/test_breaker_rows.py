"""The behaviour rows 1 to 20: what the breakers of other libraries promise, held here by number."""

from __future__ import annotations

import math

import pytest

from asyncflow.errors import BreakerOpen, IllegalMove, InvalidPolicy
from asyncflow.outcomes import Raised
from asyncflow.policy.breaker import Breaker
from tests.policy.bench import Bench

A = {
    "window_for": 20,
    "min_calls": 5,
    "failure_rate": 0.5,
    "slow_after": 4.0,
    "slow_rate": 0.5,
    "open_for": 5,
    "probes": 4,
    "half_open_for": 1,
    "ignore": LookupError,
}


def opened(**changes):
    """Return a bench whose circuit has just been opened by hand."""
    bench = Bench(**{**A, **changes})
    bench.circuit.move("open", bench.clock.now)
    return bench


def probing(**changes):
    """Return a bench whose circuit is half-open, all its probes to come."""
    bench = opened(**changes)
    bench.circuit.move("half-open", bench.clock.now)
    return bench


def test_row_01_it_opens_with_the_call_that_completes_the_minimum():
    bench = Bench(**A)
    assert bench.tell("F F F S").state == "closed"
    assert bench.tell("S").state == "open"
    assert (bench.reading.failure_rate, bench.reading.refused) == (0.6, 0)
    bench.tell("?")
    assert bench.reading.refused == 1


def test_row_02_reaching_the_rate_is_enough():
    bench = Bench(**A)
    assert bench.tell("S 1 S 1 S 1 F 1 F").state == "closed"
    assert bench.reading.failure_rate == 0.4
    assert bench.tell("1 F").state == "open"
    assert bench.reading.failure_rate == 0.5


@pytest.mark.parametrize("story", ["", "F", "F F F F", "F 30 F F F F"])
def test_row_03_below_the_minimum_there_is_no_rate_and_nothing_opens(story):
    bench = Bench(**A)
    assert bench.tell(story).state == "closed"
    assert (bench.reading.failure_rate, bench.reading.slow_rate) == (None, None)


def test_row_04_it_opens_when_too_many_are_slow_though_few_enough_fail():
    bench = Bench(**A)
    assert bench.tell("F@5 S@5 F@.1 S@.1").state == "closed"
    assert bench.tell("S@5").state == "open"
    assert (bench.reading.slow_rate, bench.reading.failure_rate) == (0.6, 0.4)
    assert bench.circuit.why == "after 60 % of 5 calls took 4 s or longer"


def test_row_05_a_minimum_beyond_the_window_is_the_window():
    bench = Bench(window=3, min_calls=10)
    assert bench.breaker.min_calls == 3
    assert bench.tell("F F").state == "closed"
    assert bench.tell("F").state == "open"


def test_row_06_the_call_after_the_open_time_is_a_probe_and_begins_the_counts_anew():
    bench = Bench(**A)
    bench.tell("F F F F F 3 ?")
    assert (bench.reading.refused, bench.reading.failures) == (1, 5)
    bench.tell("3 +probe")
    assert bench.state == "half-open"
    reading = bench.reading
    assert (reading.calls, reading.failures, reading.refused, reading.failure_rate) == (0, 0, 0, None)


def test_row_07_each_next_opening_is_longer():
    bench = Bench(failures=1, open_for=5, grow=1.5)
    bench.tell("F 4 ? 1 F")  # the probe fails: the second opening
    assert bench.tell("6 ?").state == "open"
    assert bench.tell("5 +probe").state == "half-open"  # after 11 s


def test_row_08_a_probe_too_many_is_refused_and_one_given_back_makes_room_for_one():
    bench = probing()
    bench.tell("+a +b +c +d ? a:C +e ?")


@pytest.mark.parametrize(
    ("answers", "state", "shares"),
    [
        ("F F S F", "open", (0.75, 0.0)),
        ("F S S S", "closed", (None, None)),  # the window is empty again
        ("S@5 S@5 S@5 S", "open", (0.0, 0.75)),
        ("S S F F", "open", (0.5, 0.0)),
        ("S@5 S S S", "closed", (None, None)),
    ],
)
def test_row_09_the_probes_are_judged_by_their_shares(answers, state, shares):
    bench = probing(half_open_for=100)
    *most, last = answers.split()
    assert bench.tell(" ".join(most)).state == "half-open"
    assert bench.tell(last).state == state
    assert (bench.reading.failure_rate, bench.reading.slow_rate) == shares


def test_row_10_an_ignored_error_gives_its_probe_back_and_changes_nothing():
    bench = probing()
    ignored = bench.breaker.verdict(Raised(KeyError("ignored")))
    assert ignored == "neutral"
    bench.tell("S S S")
    before = bench.reading
    bench.tell("N")
    assert bench.reading == before
    assert bench.state == "half-open"
    bench = probing()
    assert bench.tell("N N N N S S S").state == "half-open"
    assert bench.tell("S").state == "closed"


@pytest.mark.parametrize("to", ["open", "closed"])
@pytest.mark.parametrize("asked_by", ["+next", "a:S"])
def test_row_11_probes_that_do_not_answer_in_time_are_given_up(to, asked_by):
    bench = probing(half_open_to=to)
    assert bench.tell("+a .9 ").state == "half-open"
    bench.clock.now += 0.1
    assert bench.state == "half-open", "time alone changes nothing"
    bench.tell("?" if (to, asked_by) == ("open", "+next") else asked_by)
    assert bench.state == to


def test_row_12_forced_open_refuses_at_any_time():
    bench = Bench(**A, mode="forced-open")
    bench.tell("? 3 ? 1000 ?")
    assert bench.reading.refused == 3
    assert bench.call().retry_after is None


def test_row_12_disabled_admits_all_and_counts_nothing():
    bench = Bench(**A, mode="disabled")
    bench.tell("F F F F F F F@9 F@9")
    assert (bench.state, bench.reading.calls, bench.reading.failures) == ("closed", 0, 0)


def test_row_12_metrics_only_counts_and_says_once_that_it_is_too_much():
    bench = Bench(**A, mode="metrics-only")
    bench.tell("F F F F")
    assert not bench.circuit.exceeded
    bench.tell("F")
    assert bench.circuit.exceeded
    assert bench.circuit.unsaid
    bench.circuit.unsaid = False  # it has been told
    bench.tell("F F F S")
    assert not bench.circuit.unsaid
    assert (bench.state, bench.reading.calls, bench.reading.failures) == ("closed", 9, 8)


def test_row_13_closed_does_not_become_half_open_and_staying_is_silent():
    bench = Bench(**A)
    generation = bench.circuit.generation
    with pytest.raises(IllegalMove, match="can't go from closed to half-open"):
        bench.circuit.move("half-open", 0.0)
    bench.circuit.move("closed", 0.0)
    assert bench.circuit.generation == generation


@pytest.mark.parametrize(
    ("settings", "answers", "state"),
    [
        # Three successes close it: one failure is too much.
        ({"probes": 3}, "S S", "half-open"),
        ({"probes": 3}, "S S F", "open"),
        # Two successes of four close it: three failures are too much.
        ({"probes": 4, "window": 10, "failure_rate": 0.75}, "S F F", "half-open"),
        ({"probes": 4, "window": 10, "failure_rate": 0.75}, "S F F F", "open"),
        ({"probes": 4, "window": 10, "failure_rate": 0.75}, "S F F S", "closed"),
        # Two failures of three open it.
        ({"probes": 3, "window": 10, "failure_rate": 2 / 3}, "F S S", "closed"),
        ({"probes": 3, "window": 10, "failure_rate": 2 / 3}, "F S F", "open"),
    ],
)
def test_row_14_so_many_good_or_bad_probes_decide(settings, answers, state):
    bench = Bench(**settings)
    bench.circuit.move("open", 0.0)
    bench.circuit.move("half-open", 0.0)
    assert bench.tell(answers).state == state


def test_row_15_a_success_ends_a_streak_and_refused_calls_count_nothing():
    bench = Bench(failures=6)
    bench.tell("F F F F F S F")
    assert (bench.state, bench.reading.failures) == ("closed", 1)
    bench.tell("F F F F F ? ? ?")
    assert (bench.state, bench.reading.failures, bench.reading.refused) == ("open", 6, 3)
    bench.tell("30 S")
    assert (bench.state, bench.reading.failures, bench.reading.refused) == ("closed", 0, 0)


def test_row_16_neutral_calls_are_no_part_of_the_counts_and_use_up_no_probe():
    bench = Bench(window=100, failure_rate=0.9)
    bench.tell("S F N " * 5)
    assert (bench.state, bench.reading.calls, bench.reading.failures) == ("closed", 10, 5)
    bench = probing(probes=1)
    bench.tell("N " * 50)
    assert (bench.state, bench.reading.calls) == ("half-open", 0)
    assert bench.tell("S").state == "closed"


def test_row_17_when_the_window_moves_on_its_oldest_slice_is_forgotten():
    bench = Bench(window_for=30, min_calls=100)
    bench.tell("F S 3 " * 9 + "F S 2.999")  # ten slices
    assert (bench.reading.calls, bench.reading.failures) == (20, 10)
    bench.tell(".001")
    assert (bench.reading.calls, bench.reading.failures) == (18, 9)
    bench.tell("S 3")
    assert (bench.reading.calls, bench.reading.failures) == (17, 8)
    bench.tell("30")
    assert (bench.reading.calls, bench.reading.failures) == (0, 0)


@pytest.mark.parametrize("settings", [{"failures": 1}, {"window": 2}, A], ids=["streak", "window", "watched"])
@pytest.mark.parametrize("how", "SFNC")
def test_row_18_a_result_from_an_older_generation_is_ignored(settings, how):
    bench = Bench(**settings)
    bench.tell("+late")
    bench.circuit.move("open", 0.0)
    before, generation = bench.reading, bench.circuit.generation
    bench.tell(f"late:{how}")
    assert (bench.reading, bench.circuit.generation) == (before, generation)


def test_row_19_no_open_time_and_endless_ones_are_legal():
    assert Bench(failures=1, open_for=0).tell("F S").state == "closed"
    assert Bench(failures=1, open_for=math.inf).tell("F 1e300 ?").state == "open"


@pytest.mark.parametrize(
    "settings",
    [
        {"window": 10, "failure_rate": 0.0},
        {"window": 10, "failure_rate": 1.01},
        {"window": 10, "min_calls": 1},
    ],
)
def test_row_19_rates_and_minimums_that_mean_nothing_are_refused(settings):
    with pytest.raises(InvalidPolicy, match=r"failure_rate=|min_calls=1 must be a whole number, 2 or more"):
        Breaker("b", **settings)


def test_row_20_a_function_gives_the_open_time_and_knows_what_opened_it():
    seen = []

    def open_for(reading):
        seen.append((reading.failure_rate, reading.failures, reading.openings))
        return reading.openings * 10

    bench = Bench(window=4, min_calls=4, probes=2, open_for=open_for)
    bench.tell("F F F S  9 ? 1 F F  19 ? 1 F S  29 ? 1 S S  S F F F")
    assert seen == [(0.75, 3, 1), (1.0, 2, 2), (0.5, 1, 3), (0.75, 3, 1)]
    refusal = bench.call()
    assert isinstance(refusal, BreakerOpen)
    assert refusal.retry_after == 10
