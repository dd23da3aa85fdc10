from __future__ import annotations

from typing import Any

import pytest

from asyncflow import Breaker, Policy, Retry, exponential, task
from asyncflow.errors import NotFound, ScenarioInvalid
from asyncflow.policies import (
    AIMD,
    Budget,
    Bulkhead,
    Fallback,
    Gradient2,
    Hedge,
    RateLimit,
    Throttle,
    Vegas,
)
from asyncflow.scenario.load import loads
from asyncflow.scenario.policies import adapter


@task
async def plain() -> None: ...


@task(retry=Retry(3, delay=exponential(1.0)), timeout=2.0, breaker=Breaker("code", failures=2))
async def clad() -> None: ...


def instead(error: BaseException) -> str:
    return str(error)


def adapted(declared: Any, text: str, variant: str | None = None) -> Policy:
    adapt = adapter(loads(f"format = 1\nflow = 'm:f'\n{text}", "x.toml"), variant)
    policy: Policy = declared.policy if adapt is None else adapt(declared).policy
    return policy


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("timeout = '300ms'", Policy(timeout=0.3)),
        ("retry = { max_attempts = 2 }", Policy(retry=Retry(2))),
        ("retry = { max_attempts = 2, delay = '20ms' }", Policy(retry=Retry(2, delay=0.02))),
        ("retry = { max_attempts = 2, delay = '20ms cap 5ms' }", Policy(retry=Retry(2, delay=0.005))),
        (
            "retry = { max_attempts = 2, delay = 'exponential 200ms cap 5s', jitter = 'full' }",
            Policy(retry=Retry(2, delay=exponential(0.2, cap=5.0), jitter="full")),
        ),
        ("retry = { max_attempts = 4, delay = ['1s', 2] }", Policy(retry=Retry(4, delay=(1.0, 2.0)))),
        (
            "retry = { max_attempts = 2, on = ['OSError', 'KeyError'], never = ['FileNotFoundError'] }",
            Policy(retry=Retry(2, on=(OSError, KeyError), never=(FileNotFoundError,))),
        ),
        ("breaker = {}", Policy(breaker=Breaker("plain"))),
        (
            "breaker = { name = 'api', failures = 3, open_for = '1m', probes = 2, on = ['OSError'] }",
            Policy(breaker=Breaker("api", 3, 60.0, probes=2, on=(OSError,))),
        ),
        (
            "retry = { max_attempts = 2, delay = 'decorrelated 200ms cap 5s' }",
            Policy(retry=Retry(2, delay=exponential(0.2, cap=5.0), jitter="decorrelated")),
        ),
        (
            "retry = { max_attempts = 2, delay = 'exponential 200ms cap 5s', jitter = 'decorrelated' }",
            Policy(retry=Retry(2, delay=exponential(0.2, cap=5.0), jitter="decorrelated")),
        ),
        (
            "retry = { max_attempts = 2, budget = { name = 'api' } }",
            Policy(retry=Retry(2, budget=Budget("api"))),
        ),
        (
            "retry = { max_attempts = 2, budget = { name = 'api', share = 0.1, floor = 1 } }",
            Policy(retry=Retry(2, budget=Budget("api", share=0.1, floor=1))),
        ),
        (
            "breaker = { window = 10, failure_rate = 0.5, min_calls = 5, ignore = ['KeyError'] }",
            Policy(breaker=Breaker("plain", window=10, failure_rate=0.5, min_calls=5, ignore=(KeyError,))),
        ),
        (
            "breaker = { window_for = '20s', slow_after = '4s', slow_rate = 0.5, half_open_for = '1s' }",
            Policy(
                breaker=Breaker("plain", window_for=20.0, slow_after=4.0, slow_rate=0.5, half_open_for=1.0)
            ),
        ),
        (
            "breaker = { open_for = '5s', grow = 1.5, max_open_for = '1m', mode = 'metrics-only' }",
            Policy(breaker=Breaker("plain", open_for=5.0, grow=1.5, max_open_for=60.0, mode="metrics-only")),
        ),
        (
            "rate_limit = { calls = 3, per = '1m', name = 'x' }",
            Policy(rate_limit=RateLimit(3, 60.0, name="x")),
        ),
        (
            "rate_limit = { calls = 3, per = 1, burst = 1, name = 'x' }",
            Policy(rate_limit=RateLimit(3, 1.0, burst=1, name="x")),
        ),
        ("bulkhead = { limit = 2, queue = 3, name = 'x' }", Policy(bulkhead=Bulkhead(2, queue=3, name="x"))),
        (
            "bulkhead = { limit = 20, name = 'x', adaptive = 'vegas' }",
            Policy(bulkhead=Bulkhead(20, name="x", adaptive=Vegas())),
        ),
        (
            "bulkhead = { limit = 20, name = 'x', adaptive = 'gradient' }",
            Policy(bulkhead=Bulkhead(20, name="x", adaptive=Gradient2())),
        ),
        (
            "bulkhead = { limit = 20, name = 'x', adaptive = 'aimd' }",
            Policy(bulkhead=Bulkhead(20, name="x", adaptive=AIMD())),
        ),
        ("throttle = 0.5", Policy(throttle=Throttle(0.5))),
        ("deadline = '3s'", Policy(deadline=3.0)),
        ("hedge = { after = '50ms' }", Policy(hedge=Hedge(0.05))),
        (
            "hedge = { after = '1s', quantile = 0.95, max_hedges = 2 }",
            Policy(hedge=Hedge(1.0, quantile=0.95, max_hedges=2)),
        ),
        ("fallback = { value = [] }", Policy(fallback=Fallback(value=[]))),
        (
            f"fallback = {{ function = '{__name__}:instead', on = ['OSError'] }}",
            Policy(fallback=Fallback(function=instead, on=(OSError,))),
        ),
        ("fallback = { cached = true }", Policy(fallback=Fallback(cached=True))),
        ("fallback = { cached = true, value = 0 }", Policy(fallback=Fallback(value=0, cached=True))),
        ("when_rejected = 'wait'", Policy(when_rejected="wait")),
        ("without = ['retry']", Policy()),
    ],
)
def test_a_task_gets_the_policies_that_the_file_says(text: str, policy: Policy) -> None:
    assert adapted(plain, f"[policy.plain]\n{text}") == policy


def test_what_the_file_does_not_mention_stays_as_the_code_declares_it() -> None:
    assert adapted(clad, "[policy.clad]\ntimeout = 5") == clad.policy.replace(timeout=5.0)
    assert adapted(clad, "[policy.clad]\nwithout = ['breaker', 'retry']") == Policy(timeout=2.0)
    assert adapted(clad, "[policy.plain]\ntimeout = 5") == clad.policy
    assert adapted(clad, "") is clad.policy


def test_a_file_without_policies_changes_nothing() -> None:
    assert adapter(loads("format = 1\nflow = 'm:f'\n")) is None


VARIANTS = """
[policy.plain]
timeout = '1s'
retry = { max_attempts = 2 }
[variant.other.policy.plain]
timeout = '2s'
[variant.other.policy.clad]
without = ['breaker']
[variant.none]
policy = 'none'
[variant.same]
"""


def test_a_variants_policies_stand_above_those_of_the_scenario_part_by_part() -> None:
    assert adapted(plain, VARIANTS) == Policy(timeout=1.0, retry=2)
    assert adapted(plain, VARIANTS, "other") == Policy(timeout=2.0, retry=2)
    assert adapted(clad, VARIANTS, "other") == clad.policy.replace(breaker=None)
    assert adapted(plain, VARIANTS, "same") == Policy(timeout=1.0, retry=2)


def test_policy_none_takes_all_policies_from_all_tasks() -> None:
    assert adapted(plain, VARIANTS, "none").is_empty
    assert adapted(clad, VARIANTS, "none").is_empty


def test_a_task_is_changed_once_and_its_declaration_not_at_all() -> None:
    adapt = adapter(loads("format = 1\nflow = 'm:f'\n[policy.plain]\ntimeout = 1\n"))
    assert adapt is not None
    assert adapt(plain) is adapt(plain) is not plain
    assert adapt(clad) is clad
    assert plain.policy.is_empty
    assert (adapt(plain).name, adapt(plain).fn) == (plain.name, plain.fn)


NO_FAILURE = (
    "is not a failure of the body and is never handled by a policy; "
    "name an Exception or one of the signals FAIL, TRIGGERFAIL, VALIDATIONFAIL"
)


@pytest.mark.parametrize(
    ("text", "variant", "lines"),
    [
        (
            "[policy.a]\nretry = { max_attempts = 2, on = ['BaseException'] }\n"
            "breaker = { on = ['SystemExit'] }",
            None,
            [
                f"x.toml:4: policy.a.retry.on: BaseException {NO_FAILURE}",
                f"x.toml:5: policy.a.breaker.on: SystemExit {NO_FAILURE}",
            ],
        ),
        (
            "[policy.a]\n[variant.v.policy.a]\nretry = { max_attempts = 2, never = ['BaseException'] }",
            "v",
            [f"x.toml:5: variant.v.policy.a.retry.never: BaseException {NO_FAILURE}"],
        ),
        (
            "[policy.a]\nretry = { max_attempts = 2, on = ['SystemExit'] }\n"
            "[variant.v.policy.a]\ntimeout = 1",
            "v",
            [f"x.toml:4: policy.a.retry.on: SystemExit {NO_FAILURE}"],
        ),
        (
            "[policy.a]\nbreaker = { name = 'api', failures = 2 }\n"
            "[policy.b]\nbreaker = { name = 'api', failures = 2 }\n"
            "[policy.c]\nbreaker = { name = 'api', failures = 3 }",
            None,
            [
                "x.toml:8: policy.c.breaker: breaker 'api' has other settings above; "
                "give them one setting or two names"
            ],
        ),
        (
            "[policy.a]\nretry = { max_attempts = 2, budget = { name = 'api' } }\n"
            "bulkhead = { limit = 1, name = 'api' }\n"
            "[policy.b]\nretry = { max_attempts = 3, budget = { name = 'api', floor = 1 } }\n"
            "bulkhead = { limit = 2, name = 'api' }",
            None,
            [
                "x.toml:7: policy.b.retry: budget 'api' has other settings above; "
                "give them one setting or two names",
                "x.toml:8: policy.b.bulkhead: bulkhead 'api' has other settings above; "
                "give them one setting or two names",
            ],
        ),
        (
            "[policy.a]\nbulkhead = { limit = 5000, adaptive = 'vegas' }",
            None,
            [
                "x.toml:4: policy.a.bulkhead.limit: limit=5000 must be from 1 to 1000, which is what "
                "Vegas may choose; begin within these, or set lowest= and highest="
            ],
        ),
        (
            "[policy.a]\nfallback = { function = 'asyncflow:nothing' }",
            None,
            ["x.toml:4: policy.a.fallback.function: 'asyncflow' has no function 'nothing'"],
        ),
        (
            "[policy.a]\ntimeout = '5s'\ndeadline = '3s'",
            None,
            [
                "x.toml:4: policy.a.timeout: timeout=5 is longer than deadline=3 and would never strike; "
                "make it shorter or leave it out"
            ],
        ),
    ],
)
def test_a_policy_that_cant_work_is_an_error_with_its_line(
    text: str, variant: str | None, lines: list[str]
) -> None:
    with pytest.raises(ScenarioInvalid) as caught:
        adapted(plain, text, variant)
    assert str(caught.value).splitlines() == lines


def test_a_policy_that_cant_work_in_one_variant_leaves_the_others_alone() -> None:
    text = "[variant.v.policy.plain]\nretry = { max_attempts = 2, on = ['SystemExit'] }"
    assert adapted(plain, text).is_empty


def test_a_variant_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound, match=r"has no variant 'othr'\. Did you mean 'other'"):
        adapted(plain, VARIANTS, "othr")
