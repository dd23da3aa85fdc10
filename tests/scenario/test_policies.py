from __future__ import annotations

from typing import Any

import pytest

from asyncflow import Breaker, Policy, Retry, exponential, task
from asyncflow.errors import NotFound, ScenarioInvalid
from asyncflow.scenario.load import loads
from asyncflow.scenario.policies import adapter


@task
async def plain() -> None: ...


@task(retry=Retry(3, delay=exponential(1.0)), timeout=2.0, breaker=Breaker("code", failures=2))
async def clad() -> None: ...


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
                f"x.toml:4: policy.a.retry: on: BaseException {NO_FAILURE}",
                f"x.toml:5: policy.a.breaker: on: SystemExit {NO_FAILURE}",
            ],
        ),
        (
            "[policy.a]\n[variant.v.policy.a]\nretry = { max_attempts = 2, never = ['BaseException'] }",
            "v",
            [f"x.toml:5: variant.v.policy.a.retry: never: BaseException {NO_FAILURE}"],
        ),
        (
            "[policy.a]\nretry = { max_attempts = 2, on = ['SystemExit'] }\n"
            "[variant.v.policy.a]\ntimeout = 1",
            "v",
            [f"x.toml:4: policy.a.retry: on: SystemExit {NO_FAILURE}"],
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
