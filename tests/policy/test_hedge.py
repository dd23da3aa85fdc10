"""The settings of a hedge, and what it learns from how long calls take."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.ambient import World
from asyncflow.errors import BreakerOpen, InvalidPolicy
from asyncflow.outcomes import ENOUGH, Enough, Raised, Refused, Returned, Signalled
from asyncflow.policy.hedge import Hedge, Latencies
from asyncflow.signals import FAIL, SKIP


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"after": -1}, "None to start a hedge only when the one before has failed"),
        ({"after": float("inf")}, "after"),
        ({"quantile": 0}, "between 0 and 1"),
        ({"quantile": 1}, "between 0 and 1"),
        ({"quantile": 95}, "between 0 and 1"),
        ({"max_hedges": 0}, "leave out the hedge"),
        ({"max_hedges": True}, "whole number"),
        ({"quantile": 0.9, "warm_up": 0}, "warm_up"),
        ({"quantile": 0.9, "warm_up": 50, "window": 20}, "window"),
        ({"budget": 0.1}, "Budget"),
        ({"on": "OSError"}, "exception type"),
        ({"on_result": 1}, "predicate"),
        ({"on_result": asyncio.sleep}, "coroutine function"),
        ({"name": ""}, "name"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings, reason):
    with pytest.raises(InvalidPolicy, match=reason):
        Hedge(**settings)


@pytest.mark.parametrize(
    ("hedge", "text"),
    [
        (Hedge(0.25), "<Hedge after 250 ms, 1 at most>"),
        (Hedge(0), "<Hedge after 0 s, 1 at most>"),
        (Hedge(max_hedges=2), "<Hedge after a failure, 2 at most>"),
        (
            Hedge(1, quantile=0.95),
            "<Hedge when 95 % have an answer, until that is known after 1 s, 1 at most>",
        ),
        (Hedge(quantile=0.95), "<Hedge when 95 % have an answer, 1 at most>"),
    ],
)
def test_a_hedge_says_when_it_starts(hedge, text):
    assert repr(hedge) == text


@pytest.mark.parametrize(
    ("outcome", "decision", "standing"),
    [
        (Returned(1), ENOUGH, "accepted"),
        (Returned(None), ENOUGH, "failed"),
        (Returned(1), Enough("attempt 3 of 3 was the last"), "failed"),
        (Raised(OSError()), Enough("there is no retry policy"), "failed"),
        (Raised(ValueError()), Enough("there is no retry policy"), "accepted"),
        (Signalled(SKIP("no")), Enough("SKIP was raised"), "accepted"),
        (Signalled(FAIL("no")), Enough("there is no retry policy"), "accepted"),
        (Refused(BreakerOpen("open")), Enough("there is no retry policy"), "refused"),
    ],
)
def test_what_an_outcome_means(outcome, decision, standing):
    hedge = Hedge(1, on=OSError, on_result=lambda value: value is None)
    assert hedge.standing(outcome, decision) == standing


def test_a_failing_signal_is_a_failure_by_default():
    assert Hedge(1).standing(Signalled(FAIL("no")), ENOUGH) == "failed"


def test_the_delay_follows_the_quantile_of_the_window():
    known = Latencies(Hedge(9.0, quantile=0.9, warm_up=10, window=20))
    assert known.delay() == 9.0
    for length in range(10):
        known.record(float(length))
    assert known.delay() == 9.0
    for _ in range(20):
        known.record(1.0)
    assert known.delay() == 1.0


def test_a_hedge_without_a_quantile_remembers_nothing():
    known = Latencies(Hedge(1.0))
    known.record(5.0)
    assert "0 calls" in repr(known)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), st.floats(0.01, 0.99), st.integers(1, 20))
def test_the_delay_is_that_quantile_of_the_last_calls(lengths, quantile, window):
    known = Latencies(Hedge(quantile=quantile, warm_up=1, window=window))
    for length in lengths:
        known.record(length)
    last = sorted(lengths[-window:])
    assert known.delay() == last[int(quantile * len(last))]
    assert sum(length < known.delay() for length in last) <= quantile * len(last)


def test_what_was_learned_is_the_worlds_and_shared_by_name():
    one, two = World(), World()
    named, twin, other = Hedge(quantile=0.5, name="dns"), Hedge(quantile=0.5, name="dns"), Hedge(quantile=0.5)
    assert named.latencies(one) is twin.latencies(one)
    assert named.latencies(one) is not named.latencies(two)
    assert other.latencies(one) is other.latencies(one)
    assert other.latencies(one) is not Hedge(quantile=0.5).latencies(one)
    with pytest.raises(InvalidPolicy, match="two different settings"):
        Hedge(quantile=0.9, name="dns").latencies(one)
