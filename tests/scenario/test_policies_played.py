"""Every part of a policy that a file can say, played in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest

from asyncflow.errors import ScenarioInvalid
from tests.scenario.rehearsing import prepared, rehearse

FLOWS = "tests.scenario.policy_flows"
FAILS = "[[fault]]\nat = { task = 'ask' }\ndo = 'raise'\nerror = 'ConnectionError: down'\n"
FAILS_FIRST = FAILS.replace("'ask' }", "'ask', attempt = 1 }")
HANGS = "[[fault]]\nat = { task = 'ask', attempt = 1 }\ndo = 'hang'\n"

PLAYED = {
    "a budget lets a share of the calls retry, and no more": (
        "at_once",
        FAILS
        + "[policy.ask]\nretry = { max_attempts = 2, delay = '1s', budget = { name = 'b', floor = 1 } }\n"
        "[expect]\nflow = 'Failed'\nattempts = { ask = 4 }",
    ),
    "a decorrelated delay is at least its base": (
        "once",
        FAILS_FIRST + "[policy.ask]\nretry = { max_attempts = 2, delay = 'decorrelated 1s cap 5s' }\n"
        "[expect]\nflow = 'Success'\n[[expect.events]]\nkind = 'fault_injected'\ncount = 1",
    ),
    "a breaker with a window opens at a rate of failures": (
        "in_turn",
        FAILS + "[policy.ask]\nbreaker = { window = 4, failure_rate = 0.5, min_calls = 4, open_for = '1m' }\n"
        "[expect]\nattempts = { ask = 5 }\ncalls = { ask = 4 }\nbreaker = { ask = ['closed', 'open'] }",
    ),
    "a breaker opens for slow calls": (
        "in_turn",
        "[policy.ask]\nbreaker = { window_for = '1m', slow_after = '50ms', slow_rate = 1, min_calls = 2 }\n"
        "[expect]\nattempts = { ask = 5 }\ncalls = { ask = 2 }\nbreaker = { ask = ['closed', 'open'] }",
    ),
    "what a breaker ignores does not open it": (
        "in_turn",
        FAILS + "[policy.ask]\nbreaker = { failures = 1, ignore = ['ConnectionError'] }\n"
        "[expect]\ncalls = { ask = 5 }\nbreaker = { ask = ['closed'] }",
    ),
    "a breaker that is forced open refuses everything": (
        "in_turn",
        "[policy.ask]\nbreaker = { mode = 'forced-open' }\n"
        "[expect]\nattempts = { ask = 5 }\ncalls = { ask = 0 }",
    ),
    "a breaker that only counts tells once that it would have opened": (
        "in_turn",
        FAILS + "[policy.ask]\nbreaker = { failures = 2, mode = 'metrics-only' }\n"
        "[expect]\ncalls = { ask = 5 }\nevents = [{ kind = 'breaker_exceeded', count = 1 }]",
    ),
    "a full bulkhead refuses": (
        "at_once",
        "[policy.ask]\nbulkhead = { limit = 1 }\n[expect]\nflow = 'Failed'\ncalls = { ask = 1 }\n"
        "tasks = { 'ask#1' = 'Success', 'ask#2' = 'Failed' }",
    ),
    "a bulkhead with a queue lets calls wait for their turn": (
        "at_once",
        "[policy.ask]\nbulkhead = { limit = 1, queue = 5, name = 'b' }\n[expect]\nflow = 'Success'\n"
        "calls = { ask = 3 }\nwithin = '310ms'\nevents = [{ kind = 'admission_waited', count = 2 }]",
    ),
    "a bulkhead may adapt": (
        "at_once",
        "[policy.ask]\nbulkhead = { limit = 1, adaptive = 'vegas' }\n[expect]\ncalls = { ask = 1 }",
    ),
    "a rate limit refuses what is too much": (
        "at_once",
        "[policy.ask]\nrate_limit = { calls = 2, per = '1m' }\n"
        "[expect]\nflow = 'Failed'\ncalls = { ask = 2 }",
    ),
    "a rate limit may be waited for": (
        "at_once",
        "[policy.ask]\nrate_limit = { calls = 1, per = '1s', burst = 1 }\nwhen_rejected = 'wait'\n"
        "[expect]\nflow = 'Success'\nwithin = '2110ms'\nevents = [{ kind = 'admission_waited', count = 2 }]",
    ),
    "a deadline makes room for a wait": (
        "at_once",
        "[policy.ask]\nrate_limit = { calls = 1, per = '1s', burst = 1 }\ndeadline = '1500ms'\n"
        "[expect]\nflow = 'Failed'\ntasks = { 'ask#2' = 'Success', 'ask#3' = 'Failed' }\ncalls = { ask = 2 }",
    ),
    "a throttle keeps most calls back once none is accepted": (
        "in_turn",
        "parameters = { count = 60 }\n" + FAILS + "[policy.ask]\nthrottle = 0.9\n"
        "[expect]\nattempts = { ask = 60 }\ncalls = { ask = { min = 20, max = 45 } }",
    ),
    "a deadline ends a call that hangs": (
        "once",
        HANGS + "[policy.ask]\ndeadline = '2s'\nretry = { max_attempts = 9 }\n"
        "[expect]\nflow = 'Failed'\ntasks = { ask = 'TimedOut' }\nattempts = { ask = 1 }\nwithin = '2s'",
    ),
    "a hedge answers for a call that hangs": (
        "once",
        HANGS + "[policy.ask]\nhedge = { after = '50ms' }\n[expect]\nflow = 'Success'\nwithin = '151ms'\n"
        "attempts = { ask = 1 }\nevents = [{ kind = 'hedge_started', count = 1 }, { kind = 'hedge_ended' }]",
    ),
    "a value stands in for a failure": (
        "once",
        FAILS + "[policy.ask]\nfallback = { value = [0] }\nretry = { max_attempts = 2 }\n"
        "[expect]\nflow = 'Success'\nresult = [0]\nattempts = { ask = 2 }\nevents = [{ kind = 'fell_back' }]",
    ),
    "a function stands in for a failure": (
        "once",
        FAILS + f"[policy.ask]\nfallback = {{ function = '{FLOWS}:instead', on = ['OSError'] }}\n"
        "[expect]\nflow = 'Success'\nresult = 'instead of ConnectionError'",
    ),
}


@pytest.mark.parametrize(("flow", "text"), PLAYED.values(), ids=PLAYED.keys())
def test_a_part_of_a_policy_does_what_the_file_says(flow: str, text: str, tmp_path: Path) -> None:
    report = rehearse(tmp_path, f"world = 'simulated'\n{text}", f"{FLOWS}:{flow}")
    assert report.verdict == "held", [check for check in report.checks if not check.held]


@pytest.mark.parametrize(("flow", "text"), PLAYED.values(), ids=PLAYED.keys())
def test_without_the_policies_the_same_expectations_are_false(flow: str, text: str, tmp_path: Path) -> None:
    variant = "\n[variant.none]\npolicy = 'none'\n"
    report = rehearse(tmp_path, f"world = 'simulated'\n{text}{variant}", f"{FLOWS}:{flow}", variant="none")
    assert report.verdict in ("violated", "stuck")


def test_a_policy_that_contradicts_the_code_is_an_error_of_the_file() -> None:
    with pytest.raises(ScenarioInvalid) as caught:
        prepared("[policy.timed]\ndeadline = '3s'", f"{FLOWS}:timed_once")
    assert str(caught.value) == (
        "x.toml:4: policy.timed: timeout=5 is longer than deadline=3 and would never strike; "
        "make it shorter or leave it out. Together with what the code declares, this can't work"
    )


def test_what_contradicts_the_code_may_be_taken_away_by_the_file() -> None:
    prepared("[policy.timed]\ndeadline = '3s'\nwithout = ['timeout']", f"{FLOWS}:timed_once")


SHOPS = (
    "[policy.ask]\nbreaker = { name = 'shop' }\n"
    "retry = { max_attempts = 2, budget = { name = 'shop', floor = 1 } }"
)


def test_a_name_that_a_called_task_has_with_other_settings_is_an_error_before_anything_is_played() -> None:
    with pytest.raises(ScenarioInvalid) as caught:
        prepared(SHOPS, f"{FLOWS}:ask_and_buy")
    assert [line.partition(": ")[2] for line in str(caught.value).splitlines()] == [
        f"policy.ask.{part}: {kind} 'shop' has other settings in the code, at task 'buy'; "
        "give them one setting or two names"
        for part, kind in (("breaker", "breaker"), ("retry", "budget"))
    ]


@pytest.mark.parametrize(
    ("text", "flow"),
    [
        (SHOPS, "once"),
        (SHOPS + "\n[policy.buy]\nwithout = ['breaker', 'retry']", "ask_and_buy"),
        ("[policy.ask]\nbreaker = { name = 'shop', failures = 2 }", "ask_and_buy"),
    ],
    ids=["in a flow that does not call it", "which the file takes away", "with the same settings"],
)
def test_a_name_may_be_that_of_a_policy_in_the_code(text: str, flow: str) -> None:
    prepared(text, f"{FLOWS}:{flow}")


def test_a_fallback_stands_in_for_the_errors_that_it_names_alone(tmp_path: Path) -> None:
    text = "[policy.ask]\nfallback = { value = 0, on = ['KeyError'] }\n[expect]\nflow = 'Failed'"
    report = rehearse(tmp_path, f"world = 'simulated'\n{FAILS}{text}", f"{FLOWS}:once")
    assert report.verdict == "held"
