"""Every kind of expectation holds when it is true, and says what was found when it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asyncflow.scenario.check import Check, counted, either
from asyncflow.scenario.expectations import Facts, check_all, check_now
from asyncflow.scenario.format import Expectations
from asyncflow.scenario.homes import Homes
from asyncflow.scenario.load import loads
from asyncflow.scenario.stage import Stage
from asyncflow.scenario.values import Range
from asyncflow.scenario.worlds import world_for
from tests.scenario.rehearsing import prepared, rehearse

STORY = """
[parameters]
times = 3

[[fault]]
at = { task = 'echo', call = 2, attempt = [1, 2] }
do = 'raise'
error = 'OSError'

[[fault]]
at = { task = 'echo', call = 3 }
do = 'signal'
signal = 'SKIP'

[policy.echo]
retry = { max_attempts = 2 }
breaker = { name = 'echoes', failures = 2, open_for = '1h' }
"""
"""Three calls of `echo`: a Success at once, a failure of two attempts that opens the breaker, and a skip."""


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    rehearsal = prepared(STORY, "echoing", seed=7)
    homes = Homes(tmp_path_factory.mktemp("runs"))
    return Stage(rehearsal, world_for(rehearsal), homes, with_faults=True).run()


def expected(text: str) -> Expectations:
    return loads(f"format = 1\nflow = 'm:f'\n[expect]\n{text}").expect


@pytest.mark.parametrize(
    ("text", "what", "found"),
    [
        ("flow = 'Failed'", "the flow ends Failed", None),
        ("flow = 'Success'", "the flow ends Success", "Failed"),
        ("flow = ['Success', 'Failed']", "the flow ends Success or Failed", None),
        ("flow = ['Success', 'Skipped']", "the flow ends Success or Skipped", "Failed"),
        ("tasks.'echo#1' = 'Success'", "echo#1 ends Success", None),
        ("tasks.'echo#2' = 'Failed'", "echo#2 ends Failed", None),
        ("tasks.'echo#3' = 'Success'", "echo#3 ends Success", "Skipped"),
        ("tasks.'echo#4' = 'Success'", "echo#4 ends Success", "no call of it"),
        ("tasks.echo = ['Success', 'Failed', 'Skipped']", "echo ends Success or Failed or Skipped", None),
        ("tasks.echo = 'Success'", "echo ends Success", "Success, Failed, Skipped"),
        ("tasks.other = 'Success'", "other ends Success", "no call of it"),
        ("attempts.echo = 4", "echo has 4 attempts", None),
        ("attempts.echo = 5", "echo has 5 attempts", "4 attempts"),
        ("attempts.echo = { min = 4, max = 4 }", "echo has 4 to 4 attempts", None),
        ("attempts.echo = { max = 3 }", "echo has at most 3 attempts", "4 attempts"),
        ("attempts.echo = { min = 5 }", "echo has at least 5 attempts", "4 attempts"),
        ("attempts.'echo#1' = 1", "echo#1 has 1 attempt", None),
        ("attempts.'echo#2' = 2", "echo#2 has 2 attempts", None),
        ("attempts.other = 0", "other has 0 attempts", None),
        ("calls.echo = 4", "echo has 4 calls", None),
        ("calls.echo = 3", "echo has 3 calls", "4 calls"),
        ("calls.'echo#1' = 2", "echo#1 has 2 calls", "1 call"),
        ("breaker.echoes = ['closed', 'open']", "breaker echoes goes closed > open", None),
        ("breaker.echoes = ['closed']", "breaker echoes goes closed", "closed > open"),
        (
            "breaker.echos = ['closed']",
            "breaker echos goes closed",
            "no such breaker; around the tasks there are: echoes",
        ),
        ("within = '10s'", "the run takes at most 10 s", None),
        ("events = [{ kind = 'run_ended' }]", "run_ended happens at least 1 time", None),
        ("events = [{ kind = 'task_called', count = 3 }]", "task_called happens 3 times", None),
        ("events = [{ kind = 'task_called', count = 2 }]", "task_called happens 2 times", "3 times"),
        (
            "events = [{ kind = 'task_called', task = 'other', count = 0 }]",
            "task_called of other happens 0 times",
            None,
        ),
        (
            "events = [{ kind = 'fault_injected', task = 'echo', attempt = 2 }]",
            "fault_injected of echo, attempt 2, happens at least 1 time",
            None,
        ),
        (
            "events = [{ kind = 'fault_injected', attempt = 3 }]",
            "fault_injected, attempt 3, happens at least 1 time",
            "0 times",
        ),
        (
            "events = [{ kind = 'handler_failed', task = 'echo', count = { min = 1, max = 2 } }]",
            "handler_failed of echo happens 1 to 2 times",
            "0 times",
        ),
        ("result = 6", "the flow's value is 6", "none, since the flow ended Failed"),
    ],
)
def test_a_claim_holds_or_says_what_was_found(facts: Facts, text: str, what: str, found: str | None) -> None:
    assert check_all(expected(text), facts) == [Check(what, found is None, found or "")]


def test_the_story_above_is_what_it_says(facts: Facts) -> None:
    assert [(run.key, run.state.name, run.attempt_count) for run in facts.history.tasks] == [
        ("echo", "Success", 1),
        ("echo#2", "Failed", 2),
        ("echo#3", "Skipped", 1),
    ]


def test_the_checks_are_in_the_order_of_the_format(facts: Facts) -> None:
    text = """
    within = '10s'
    breaker.echoes = ['closed']
    events = [{ kind = 'run_ended' }]
    result = 1
    rows = [{ database = 'a.db', table = 't', count = 1 }]
    calls.echo = 1
    attempts.echo = 1
    tasks.echo = 'Success'
    flow = 'Failed'
    """
    whats = [check.what.split()[:2] for check in check_all(expected(text), facts)]
    assert whats == [
        *(["the", "flow"], ["echo", "ends"], ["echo", "has"], ["echo", "has"], ["t", "in"]),
        *(["the", "flow's"], ["run_ended", "happens"], ["breaker", "echoes"], ["the", "run"]),
    ]


def test_nothing_expected_is_nothing_checked(facts: Facts) -> None:
    assert check_all(expected(""), facts) == []


def test_a_run_that_takes_longer_than_it_may_says_how_long(tmp_path: Path) -> None:
    report = rehearse(tmp_path, "[parameters]\nseconds = 0.02\n[expect]\nwithin = '10ms'", "napping")
    (check,) = report.checks
    assert (check.what, check.held) == ("the run takes at most 10 ms", False)
    assert check.detail.endswith(" ms")


def test_what_is_claimed_at_any_moment_is_said_so(facts: Facts) -> None:
    text = "flow = 'Failed'\ntasks = { 'echo#1' = 'Failed', other = 'Failed' }\nattempts.echo = 4\n"
    assert check_now(expected(text), facts.history) == [
        Check("the flow is Failed", True),
        Check("echo#1 is Failed", False, "Success"),
        Check("echo has 4 attempts", True),
    ]


# ---------------------------------------------------------------------- the flow's value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("tuple", "[1, [2, 3]]"),
        ("dataclass", "{ x = 1, y = [2] }"),
        ("date", "2024-05-17"),
        ("date", "'2024-05-17'"),
        ("keys", "{ 1 = 'one' }"),
        ("set", "[1, 2, 3]"),
        ("decimal", "'1.50'"),
        ("nested", "{ a = [{ b = 1.5, c = true }] }"),
    ],
)
def test_a_value_is_compared_as_json_says_it(tmp_path: Path, kind: str, text: str) -> None:
    report = rehearse(tmp_path, f"[parameters]\nkind = '{kind}'\n[expect]\nresult = {text}", "giving")
    assert report.sentence == "Held: no fault was in the way and the flow ended Success, as expected."


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("tuple", "[1, [2, 3]]"),
        ("nothing", "None"),
        ("long", "[0, 1, 2, 3, 4, 5, ...]"),
        ("text", "'" + "a" * 47 + "..." + "a" * 48 + "'"),
        ("object", "<object object at 0x"),
        ("surrogate", "'\\ud800'"),
        ("round", "[[[[[[[...]]]]]]]"),
        ("mute", "<Mute instance at 0x"),
        ("array", "a value of array whose text can't be made: AttributeError"),
        ("uncomparable", "<Uncomparable>"),
        ("huge", "1" + "0" * 17 + "..." + "0" * 19),
        ("infinite", "None"),
    ],
)
def test_any_value_can_be_told(tmp_path: Path, kind: str, found: str) -> None:
    report = rehearse(tmp_path, f"[parameters]\nkind = '{kind}'\n[expect]\nresult = 0", "giving")
    (check,) = report.checks
    assert (check.what, check.held) == ("the flow's value is 0", False)
    assert check.detail.startswith(found)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 rows"),
        (1, "1 row"),
        (1234, "1,234 rows"),
        (Range(min=1), "at least 1 row"),
        (Range(max=1), "at most 1 row"),
        (Range(min=2, max=4), "2 to 4 rows"),
    ],
)
def test_a_count_is_said_in_words(count: Any, text: str) -> None:
    assert counted(count, "row") == text


def test_alternatives_are_said_in_words() -> None:
    assert either("Failed") == "Failed"
    assert either(["Failed", "TimedOut", "Skipped"]) == "Failed or TimedOut or Skipped"
