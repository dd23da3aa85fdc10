from __future__ import annotations

import math
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.errors import InvalidPolicy
from asyncflow.policy.backoff import (
    LONGEST,
    checked_jitter,
    constant,
    delays,
    drawn,
    exponential,
    linear,
    reach,
)


def doubled(attempt):
    return timedelta(seconds=2 * attempt)


@pytest.mark.parametrize(
    ("backoff", "bounds"),
    [
        (constant(1), [1, 1, 1]),
        (linear(1), [1, 2, 3]),
        (exponential(1), [1, 2, 4]),
        (exponential(0.2, cap=5.0), [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]),
        (exponential(1, factor=3), [1, 3, 9]),
        (exponential(2, factor=1), [2, 2, 2]),
        (linear(timedelta(seconds=2), cap=timedelta(seconds=5)), [2, 4, 5, 5]),
        (exponential(10, cap=4), [4, 4]),
        (constant(0), [0, 0]),
        (linear(0), [0, 0]),
        (exponential(0), [0, 0]),
        (delays(0.5), [0.5, 0.5]),
        (delays(timedelta(milliseconds=250)), [0.25, 0.25]),
        (delays([0, 1, timedelta(seconds=5)]), [0, 1, 5, 5, 5]),
        (delays(doubled), [2, 4, 6]),
    ],
)
def test_the_bound_depends_on_the_attempt_alone(backoff, bounds):
    assert [backoff.bound(n + 1) for n in range(len(bounds))] == pytest.approx(bounds)
    # Asked again, and in any order, it answers the same: callers share it without sharing a count.
    assert [backoff.bound(n + 1) for n in reversed(range(len(bounds)))] == pytest.approx(bounds[::-1])


@pytest.mark.parametrize("attempt", [1023, 1024, 1025, 1026, 5000, 10**9])
def test_late_attempts_never_overflow(attempt):
    assert exponential(1.0).bound(attempt) == LONGEST
    assert exponential(1.0, cap=60).bound(attempt) == 60
    assert exponential(0.0).bound(attempt) == 0
    assert linear(1e300).bound(attempt) == LONGEST
    assert math.isfinite(exponential(1e-300, factor=1.5).bound(attempt))


@given(
    base=st.floats(0, 1e6),
    factor=st.floats(1, 1e3),
    cap=st.none() | st.floats(0.001, 1e6),
    attempt=st.integers(1, 10_000),
)
def test_bounds_never_shrink_and_never_pass_the_cap(base, factor, cap, attempt):
    for backoff in (exponential(base, factor, cap), linear(base, cap), constant(base)):
        assert 0 <= backoff.bound(attempt) <= backoff.bound(attempt + 1)
    assert exponential(base, factor, cap).bound(attempt) <= (LONGEST if cap is None else cap)
    assert linear(base, cap).bound(attempt) <= (LONGEST if cap is None else cap)


class Fixed(Random):
    """Chance that always draws the same."""

    def __init__(self, draw):
        super().__init__()
        self._draw = draw

    def random(self):
        return self._draw


def waited(jitter, backoff, chance, attempt=1, previous=0.0):
    return drawn(*reach(jitter, backoff, attempt, previous), chance)


@pytest.mark.parametrize(
    ("jitter", "draw", "wait"),
    [
        ("none", 0.3, 8.0),
        ("full", 0.0, 0.0),
        ("full", 0.25, 2.0),
        ("full", 0.5, 4.0),
        ("equal", 0.0, 4.0),
        ("equal", 0.5, 6.0),
        ("equal", 0.75, 7.0),
    ],
)
def test_jitter_draws_below_the_bound(jitter, draw, wait):
    assert waited(jitter, constant(8.0), Fixed(draw)) == pytest.approx(wait)


@pytest.mark.parametrize(
    ("previous", "draw", "wait"),
    [
        (0.0, 0.0, 1.0),  # the first wait: from the base to three times the base
        (0.0, 0.5, 2.0),
        (0.5, 0.5, 2.0),  # a wait below the base, which a RETRY asked for, does not narrow the range
        (2.0, 0.0, 1.0),
        (2.0, 0.5, 3.5),
        (2.0, 1.0, 6.0),
        (4.0, 0.5, 5.5),  # the cap ends the range, so that the middle of it is drawn as often as before
        (4.0, 1.0, 10.0),
        (1e300, 1.0, 10.0),
    ],
)
def test_decorrelated_jitter_draws_between_the_base_and_three_times_the_wait_before(previous, draw, wait):
    backoff = exponential(1.0, cap=10.0)
    for attempt in (1, 5):  # the attempt's number plays no part
        assert waited("decorrelated", backoff, Fixed(draw), attempt, previous) == pytest.approx(wait)


@pytest.mark.parametrize(
    ("backoff", "waits"),
    [
        (constant(1), [1, 1, 1]),
        (linear(1), [1, 2, 3]),
        (exponential(1), [1, 2, 4]),
        (constant(0), [0, 0, 0]),
        (linear(0), [0, 0, 0]),
        (exponential(0), [0, 0, 0]),
    ],
)
@pytest.mark.parametrize("draw", [0.0, 0.4, 0.6, 1.0])
def test_row_21_the_waits_of_every_shape_and_what_jitter_makes_of_them(backoff, waits, draw):
    """Elsewhere jitter goes a quarter up and down; ours only goes down, so that a cap stays a cap."""
    for attempt, wait in enumerate(waits, start=1):
        assert waited("none", backoff, Fixed(draw), attempt) == wait
        assert waited("full", backoff, Fixed(draw), attempt) == pytest.approx(wait * draw)
        assert waited("equal", backoff, Fixed(draw), attempt) == pytest.approx(wait * (1 + draw) / 2)


@pytest.mark.parametrize("jitter", ["none", "full", "equal", "decorrelated"])
@pytest.mark.parametrize("draw", [0.0, 0.5, 1.0])
def test_row_21_and_trap_19_attempt_1024_waits_the_most_and_never_overflows(jitter, draw):
    for attempt in (1023, 1024, 1025, 10**9):
        endless = waited(jitter, exponential(1.0), Fixed(draw), attempt, LONGEST)
        assert 0 <= endless <= LONGEST
        assert 0 <= waited(jitter, exponential(1.0, cap=60), Fixed(draw), attempt, 60.0) <= 60
        assert waited(jitter, exponential(0.0), Fixed(draw), attempt) == 0
    assert waited(jitter, exponential(1.0), Fixed(1.0), 1024, LONGEST) == LONGEST


@pytest.mark.parametrize("jitter", ["none", "full", "equal"])
@given(draw=st.floats(0, 1), attempt=st.integers(1, 3000))
def test_row_22_a_jittered_wait_never_exceeds_the_cap(jitter, draw, attempt):
    assert waited(jitter, exponential(1.0, cap=1.1), Fixed(draw), attempt) <= 1.1
    assert waited(jitter, linear(1.0, cap=1.1), Fixed(draw), attempt) <= 1.1


@given(draws=st.lists(st.floats(0, 1), min_size=1, max_size=50), base=st.floats(0, 3))
def test_row_22_decorrelated_waits_never_exceed_the_cap_nor_go_below_the_base(draws, base):
    backoff, previous = exponential(base, cap=1.1), 0.0
    for draw in draws:
        previous = waited("decorrelated", backoff, Fixed(draw), previous=previous)
        assert min(base, 1.1) <= previous <= 1.1


def test_no_jitter_draws_nothing_so_that_other_draws_stay_where_they_are():
    random = Random(1)
    waited("none", constant(8.0), random)
    assert random.random() == Random(1).random()


@pytest.mark.parametrize("jitter", ["full", "equal", "decorrelated"])
def test_trap_18_draws_are_spread_evenly_and_do_not_pile_up_at_the_cap(jitter):
    """The cap applies before the draw: clamping afterwards would put half of them on it, or two thirds."""
    random, capped = Random(7), exponential(0.2, cap=2.0)
    draws = [waited(jitter, capped, random, 10, previous=2.0) for _ in range(2000)]
    assert all(0 <= draw < 2 for draw in draws)
    least = {"full": 0.0, "equal": 1.0, "decorrelated": 0.2}[jitter]
    top_tenth = sum(draw > 2 - 0.1 * (2 - least) for draw in draws)
    assert 140 < top_tenth < 260


def test_custom_delays_are_not_capped():
    assert delays([1e7]).bound(1) == 1e7
    assert delays(lambda attempt: 1e7).bound(1) == 1e7


@pytest.mark.parametrize(
    ("build", "value", "hint"),
    [
        (lambda: constant(-1), "delay=-1", "0 or more"),
        (lambda: exponential(math.inf), "base=inf", "finite"),
        (lambda: exponential(1, factor=0.5), "factor=0.5", "use 2.0 to double"),
        (lambda: exponential(1, factor=math.inf), "factor=inf", "use 2.0 to double"),
        (lambda: exponential(1, cap=0), "cap=0", "None for no cap"),
        (lambda: linear(1, cap=-2), "cap=-2", "None for no cap"),
        (lambda: delays([]), "delay=[]", "at least one"),
        (lambda: delays([1, -2]), "delay[1]=-2", "0 or more"),
        (lambda: delays("1s"), "delay='1s'", "exponential(0.2, cap=5.0)"),
        (lambda: delays(None), "delay=None", "exponential(0.2, cap=5.0)"),
        (lambda: delays(lambda attempt: -3).bound(2), "(2)=-3", "0 for at once"),
        (lambda: delays(lambda attempt: None).bound(1), "(1)=None", "return seconds"),
    ],
)
def test_a_wrong_delay_is_refused_with_value_rule_and_way_out(build, value, hint):
    with pytest.raises(InvalidPolicy) as refused:
        build()
    assert value in str(refused.value)
    assert hint in str(refused.value)


def test_an_unknown_jitter_is_refused_with_the_nearest_word():
    with pytest.raises(InvalidPolicy, match=r"jitter='ful' must be one of .* Did you mean 'full'\?"):
        checked_jitter("ful", constant(1))


@pytest.mark.parametrize("given", [1.0, linear(1, cap=5), [1, 2], doubled], ids=repr)
def test_decorrelated_jitter_of_what_does_not_grow_from_a_base_to_a_cap_is_refused(given):
    with pytest.raises(InvalidPolicy, match=r"use delay=exponential\(0.2, cap=5.0\), or jitter='full'"):
        checked_jitter("decorrelated", delays(given))


@pytest.mark.parametrize(
    ("backoff", "text"),
    [
        (constant(1.5), "constant(1.5)"),
        (linear(1, cap=9), "linear(1, cap=9)"),
        (exponential(0.2, cap=5.0), "exponential(0.2, cap=5)"),
        (exponential(1, factor=3), "exponential(1, factor=3)"),
        (delays([0, 1]), "(0, 1, ...)"),
        (delays(doubled), "doubled"),
    ],
)
def test_a_backoff_shows_how_it_was_written(backoff, text):
    assert repr(backoff) == text
