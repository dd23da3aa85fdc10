"""What a file says about policies, as plain values."""

from __future__ import annotations

import json

import pytest

from asyncflow.errors import NotFound, ScenarioInvalid
from asyncflow.scenario.policy_options import EVERY_TASK, PARTS, policy_options
from tests.scenario.test_resolve import Boom, scenario_of

POLICIES = """
[policy.get.retry]
max_attempts = 4
delay = "exponential 200ms cap 5s"
jitter = "full"
on = ["OSError", "tests.scenario.test_resolve:Boom"]
[policy.get]
timeout = "3s"
breaker = { name = "api", failures = 2, open_for = "30s", probes = 1, on = ["OSError"] }
when_rejected = "wait"

[policy.put]
retry = { max_attempts = 2, delay = ["100ms", "1s"], never = ["ValueError"] }
breaker = {}

[policy.plain]
without = ["timeout", "hedge"]

[variant.bare]
policy = "none"

[variant.same]

[variant.patient.policy.get]
timeout = 60
without = ["breaker"]

[variant.patient.policy.more]
retry = { max_attempts = 9, delay = "linear 1s" }
"""


def test_policies_become_plain_values() -> None:
    options = policy_options(scenario_of(rest=POLICIES))
    assert options == {
        "get": {
            "retry": {
                "max_attempts": 4,
                "delay": {"kind": "exponential", "base": 0.2, "cap": 5.0},
                "jitter": "full",
                "on": (OSError, Boom),
            },
            "timeout": 3.0,
            "breaker": {"name": "api", "failures": 2, "open_for": 30.0, "probes": 1, "on": (OSError,)},
            "when_rejected": "wait",
        },
        "put": {
            "retry": {
                "max_attempts": 2,
                "delay": {"kind": "custom", "delays": (0.1, 1.0)},
                "never": (ValueError,),
            },
            "breaker": {"name": "put"},
        },
        "plain": {"timeout": None, "hedge": None},
    }
    assert type(options["get"]["timeout"]) is float
    json.dumps(options, default=lambda value: value.__name__)


def test_a_variant_stands_above_the_scenario_part_by_part() -> None:
    scenario = scenario_of(rest=POLICIES)
    patient, itself = policy_options(scenario, "patient"), policy_options(scenario)
    assert patient["get"] == itself["get"] | {"timeout": 60.0, "breaker": None}
    assert patient["put"] == itself["put"]
    assert patient["more"] == {
        "retry": {"max_attempts": 9, "delay": {"kind": "linear", "base": 1.0, "cap": None}}
    }
    assert policy_options(scenario, "same") == itself


def test_a_variant_may_take_all_policies_away() -> None:
    options = policy_options(scenario_of(rest=POLICIES), "bare")
    assert options == {EVERY_TASK: dict.fromkeys(PARTS)}


def test_a_variant_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(NotFound, match=r"x\.toml has no variant 'patent'\. Did you mean 'patient'\?"):
        policy_options(scenario_of(rest=POLICIES), "patent")
    with pytest.raises(NotFound, match=r"has no variant 'zzz'\. It has: bare, same, patient\."):
        policy_options(scenario_of(rest=POLICIES), "zzz")
    with pytest.raises(NotFound, match=r"has no variant 'a'\. It has: none\."):
        policy_options(scenario_of(), "a")


def test_an_exception_of_a_policy_that_is_not_there_is_located() -> None:
    rest = (
        '[policy.get]\nretry = { max_attempts = 2, on = ["OSError", "OsErorr"] }\n'
        'breaker = { on = ["Nope"] }\n'
        '[variant.a.policy.put]\nretry = { max_attempts = 1, never = ["ValuError"] }\n'
    )
    with pytest.raises(ScenarioInvalid) as caught:
        policy_options(scenario_of(rest=rest), "a")
    assert str(caught.value).splitlines() == [
        "x.toml:8: policy.get.retry.on[2]: there is no built-in exception 'OsErorr'. Did you mean 'OSError'?",
        "x.toml:9: policy.get.breaker.on[1]: there is no built-in exception 'Nope'. "
        "Write 'module:Class' for one that is not built in.",
        "x.toml:11: variant.a.policy.put.retry.never[1]: there is no built-in exception 'ValuError'. "
        "Did you mean 'ValueError'?",
    ]
