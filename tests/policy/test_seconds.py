from __future__ import annotations

import math
from datetime import timedelta

import pytest

from asyncflow.errors import InvalidPolicy
from asyncflow.policy.seconds import seconds, spoken


@pytest.mark.parametrize(
    ("given", "length"), [(2, 2.0), (0.25, 0.25), (0, 0.0), (timedelta(minutes=1), 60.0), (timedelta(0), 0.0)]
)
def test_seconds_and_timedelta_mean_the_same_length(given, length):
    assert seconds(given, "delay") == length
    assert isinstance(seconds(given, "delay"), float)


@pytest.mark.parametrize(
    "given", [-1, -0.1, timedelta(seconds=-1), math.nan, math.inf, 10**400, True, "3", None, [1]]
)
def test_what_is_no_length_is_refused_by_name_and_value(given):
    with pytest.raises(InvalidPolicy) as refused:
        seconds(given, "delay")
    assert f"delay={given!r}" in str(refused.value)
    assert "use a number of seconds" in str(refused.value)


def test_the_refusal_of_what_is_no_length_says_what_is_one_and_ends_with_the_way_out():
    with pytest.raises(InvalidPolicy) as refused:
        seconds("3s", "timeout", hint="use a number of seconds, or None for no timeout")
    assert str(refused.value) == (
        "timeout='3s' is not a length of time, in seconds or as a timedelta; "
        "use a number of seconds, or None for no timeout"
    )


def test_zero_is_refused_where_it_would_switch_everything_off():
    with pytest.raises(InvalidPolicy, match="timeout=0 must be more than 0"):
        seconds(0, "timeout", zero=False)


def test_infinity_is_accepted_where_for_good_makes_sense():
    assert seconds(math.inf, "open_for", endless=True) == math.inf


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (0.0, "0 s"),
        (0.00025, "250 µs"),
        (0.159, "159 ms"),
        (0.4, "400 ms"),
        (0.9999, "1 s"),
        (2.5, "2.5 s"),
        (59.99, "1 min"),
        (450, "7 min 30 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (200_000, "2 d 7 h"),
        (math.inf, "without end"),
    ],
)
def test_a_length_is_said_in_the_unit_that_fits(length, text):
    assert spoken(length) == text
