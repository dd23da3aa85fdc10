from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.ambient import World
from asyncflow.errors import AttemptTimedOut, BulkheadFull, InvalidPolicy, Throttled
from asyncflow.outcomes import Raised, Refused, Returned, Signalled, TimedOut
from asyncflow.policy.throttle import Throttle, Throttler
from asyncflow.signals import FAIL, RETRY, SUCCESS


def throttler_after(accepted, refused, **settings):
    throttler = Throttler(Throttle(**settings))
    for n in range(accepted + refused):
        throttler.record(n < accepted, 0.0)
    return throttler


@pytest.mark.parametrize(
    ("settings", "requests", "accepts", "expected"),
    [
        ({"min_calls": 1}, 0, 0, 0.0),
        ({"min_calls": 1}, 50, 50, 0.0),
        ({"min_calls": 1}, 1, 0, 0.5),
        ({"min_calls": 20}, 19, 0, 0.0),
        ({"min_calls": 20}, 20, 0, 0.9),
        ({"min_calls": 1}, 100, 50, 0.0),
        ({"min_calls": 1}, 100, 40, 20 / 101),
        ({"min_calls": 1, "share": 1}, 999, 0, 0.999),
        # The published rows, whose threshold of success is 1 / k.
        ({"k": 1 / 0.9}, 120, 90, pytest.approx(0.1653, abs=5e-5)),
        ({"k": 1 / 0.9}, 100, 95, 0.0),
        ({"k": 1 / 0.9, "share": 0.8}, 1000, 10, 0.8),
    ],
)
def test_row_33_the_share_of_calls_that_are_kept_back(settings, requests, accepts, expected):
    assert Throttle(**settings).rate(requests, accepts) == expected


def test_row_33_a_call_is_kept_back_when_chance_draws_less_than_the_share():
    throttler = throttler_after(10, 40, min_calls=1)
    assert throttler.admit(0.0, 30 / 51) is None
    refused = throttler.admit(0.0, 30 / 51 - 1e-9)

    assert isinstance(refused, Throttled)
    assert refused.retry_after is None
    assert (
        "kept the call back, as it does 58.8 % of them: of the last 50 within 2 min 10 were accepted"
        in str(refused)
    )
    assert (throttler.requests, throttler.accepts) == (51, 10)  # what it keeps back it counts
    assert repr(throttler) == "<Throttle 10/51 accepted, keeps 59.6 % back>"


def test_row_33_without_failures_nothing_is_kept_back_whatever_chance_draws():
    throttler = throttler_after(100, 0)
    assert throttler.admit(0.0, 0.0) is None


def test_what_happened_before_the_window_is_forgotten():
    throttler = throttler_after(0, 100, window=timedelta(seconds=10))
    assert isinstance(throttler.admit(8.9, 0.0), Throttled)
    assert throttler.admit(30.0, 0.0) is None
    assert throttler.requests == 0


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 5.0, 30.0]), st.booleans()), max_size=60))
def test_counts_are_those_of_a_list_of_all_calls(calls):
    throttler = Throttler(Throttle(window=10.0))
    now, ended = 7.0, []
    for passed, accepted in calls:
        now += passed
        throttler.record(accepted, now)
        ended.append((now, accepted))
        surely = [accepted for at, accepted in ended if now - at < 9.0]  # a slice leaves as a whole
        perhaps = [accepted for at, accepted in ended if now - at <= 10.0]
        assert len(surely) <= throttler.requests <= len(perhaps)
        assert sum(surely) <= throttler.accepts <= sum(perhaps)


def test_trap_21_calls_in_flight_do_not_look_like_refusals_at_a_cold_start():
    # A thousand calls a second that take two seconds each: the first answers come when 2,000 are under way.
    throttler = Throttler(Throttle())
    assert [throttler.admit(n / 1000, 0.0) for n in range(2000)] == [None] * 2000
    for n in range(2000):
        throttler.record(True, 2 + n / 1000)
        assert throttler.admit(2 + n / 1000, 0.0) is None


def test_trap_21_throttling_begins_no_later_than_one_call_takes():
    throttler = Throttler(Throttle(window=10.0, min_calls=20))
    for n in range(20):  # refused after two seconds; ten calls a second
        assert throttler.admit(n / 10, 0.0) is None
    for n in range(20):
        throttler.record(False, 2 + n / 10)
    assert isinstance(throttler.admit(4.0, 0.0), Throttled)


def test_trap_21_a_window_shorter_than_a_call_counts_both_or_neither():
    throttler = Throttler(Throttle(window=1.0, min_calls=1))
    for n in range(200):  # each accepted, after five seconds
        assert throttler.admit(n / 10, 0.0) is None
        if n >= 50:
            throttler.record(True, n / 10)
            assert throttler.requests == throttler.accepts


@pytest.mark.parametrize(
    ("settings", "outcome", "counted"),
    [
        ({}, Returned(1), (1, 1)),
        ({}, Raised(ValueError()), (1, 0)),
        ({}, TimedOut(AttemptTimedOut("late")), (1, 0)),
        ({}, Signalled(SUCCESS("done")), (1, 1)),
        ({}, Signalled(FAIL("no")), (1, 0)),
        ({}, Signalled(RETRY("later")), (0, 0)),
        ({}, Refused(BulkheadFull("full")), (0, 0)),
        ({"on": OSError}, Raised(ConnectionError()), (1, 0)),
        ({"on": OSError}, Raised(ValueError()), (0, 0)),
        ({"on": lambda error: "429" in str(error)}, Raised(ValueError("429")), (1, 0)),
        ({"on_result": lambda value: value == 503}, Returned(503), (1, 0)),
        ({"on_result": lambda value: value == 503}, Returned(404), (1, 1)),
    ],
)
def test_a_call_counts_by_what_it_came_to(settings, outcome, counted):
    throttler = Throttler(Throttle(**settings))
    throttler.judge(outcome, 1.0)
    assert (throttler.requests, throttler.accepts) == counted


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"on": 7}, "on=7 must be an exception type"),
        ({"on_result": 7}, "on_result=7 must be a predicate of the value, or None"),
        ({"share": 0}, "share=0 would never keep a call back"),
        ({"share": -0.1}, "share=-0.1 must be a number, from 0 to 1"),
        ({"share": 1.1}, "share=1.1"),
        ({"share": True}, "share=True"),
        ({"k": 0.99}, "k=0.99 must be a number, 1 or more"),
        ({"k": math.inf}, "k=inf"),
        ({"window": 0}, "window=0 must be more than 0"),
        ({"min_calls": 0}, "min_calls=0 must be a whole number"),
        ({"name": ""}, "name='' must be a text"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings, problem):
    with pytest.raises(InvalidPolicy, match=problem):
        Throttle(**settings)


def test_uses_of_one_name_share_their_counts():
    here = World()
    assert Throttle(name="api").throttler(here) is Throttle(name="api").throttler(here)
    with pytest.raises(InvalidPolicy, match="two different settings"):
        Throttle(0.5, name="api").throttler(here)
