"""The settings of a fallback."""

from __future__ import annotations

import pickle

import pytest

from asyncflow.errors import InvalidPolicy
from asyncflow.policies import Hedge, Policy
from asyncflow.policy.fallback import NO_VALUE, Fallback


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "needs something to give"),
        ({"value": 1, "function": print}, "not both"),
        ({"function": 1}, "not callable"),
        ({"value": 1, "on": "OSError"}, "exception type"),
        ({"value": 1, "on": KeyboardInterrupt}, "never handled"),
        ({"cached": True, "keep": 0}, "keep"),
        ({"cached": True, "max_age": 0}, "max_age"),
        ({"value": 1, "max_age": 5}, "cached=True"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(settings, reason):
    with pytest.raises(InvalidPolicy, match=reason):
        Fallback(**settings)


@pytest.mark.parametrize(
    ("fallback", "text"),
    [
        (Fallback(None), "<Fallback to a value>"),
        (Fallback(function=repr), "<Fallback to repr>"),
        (Fallback(cached=True), "<Fallback to the last good result>"),
        (Fallback([], cached=True), "<Fallback to the last good result or a value>"),
    ],
)
def test_a_fallback_says_what_it_gives(fallback, text):
    assert repr(fallback) == text


def test_policies_with_all_of_it_are_values():
    policy = Policy(
        timeout=1, deadline=5, hedge=Hedge(0.5, quantile=0.9), fallback=Fallback([1], cached=True)
    )
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert hash(policy) == hash(policy.replace())
    assert pickle.loads(pickle.dumps(Fallback(cached=True))).value is NO_VALUE
    assert repr(policy).startswith(
        "<Policy fallback to the last good result or a value > deadline 5 s > hedge "
    )


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"timeout": 10}, "timeout=10 is longer than deadline=5"),
        ({"hedge": 10}, "the hedge's after=10 is longer than deadline=5"),
        ({"fallback": 0}, r"write Fallback\(value=...\)"),
        ({"hedge": "soon"}, "after='soon'"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, reason):
    with pytest.raises(InvalidPolicy, match=reason):
        Policy(deadline=5, **settings)
