from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow import states
from asyncflow.scenario.always import check_always
from asyncflow.scenario.check import Check
from asyncflow.scenario.format import Expectations
from asyncflow.scenario.load import loads
from tests.events import Story, stories
from tests.scenario.rehearsing import rehearse


def always(*tables: str) -> list[Expectations]:
    text = "".join(f"[[expect.always]]\n{table}\n" for table in tables)
    return loads(f"format = 1\nflow = 'm:f'\n{text}").expect.always


def a_story() -> Story:
    """A task that fails once, is repeated and succeeds."""
    story = Story()  # events 0 and 1: the run and its flow start
    task = story.call(0.001, "parse")  # 2
    story.start(0.002, task)  # 3
    story.retry(0.003, task, 1, 0.01, ValueError("no"))  # 4
    story.start(0.013, task, 2)  # 5
    story.end(0.014, task, 2, states.Success())  # 6
    story.flow(0.015, states.Success())  # 7
    return story


def checked(*tables: str) -> list[Check]:
    story = a_story()
    return check_always(always(*tables), story.header, story.events)


def test_a_claim_that_is_true_after_every_event_holds() -> None:
    assert checked("attempts.parse = { max = 2 }\nflow = ['Pending', 'Running', 'Success']") == [
        Check("always, the flow is Pending or Running or Success", True),
        Check("always, parse has at most 2 attempts", True),
    ]


def test_a_claim_that_was_false_once_is_broken_at_the_first_event_that_made_it_so() -> None:
    assert checked("attempts.parse = { max = 1 }") == [
        Check(
            "always, parse has at most 1 attempt",
            False,
            "2 attempts at event 5 (state_changed), 13 ms into the run",
        )
    ]


def test_a_claim_that_is_true_again_later_stays_broken() -> None:
    (check,) = checked("tasks.parse = ['Pending', 'Running', 'Success']")
    assert not check.held
    assert check.detail == "Retrying at event 4 (state_changed), 3 ms into the run"


def test_a_claim_that_is_true_at_the_end_only_is_broken_at_once() -> None:
    (check,) = checked("attempts.parse = 2")
    assert check.detail == "0 attempts at event 0 (run_started), 0 s into the run"


def test_nothing_is_claimed_of_a_task_before_it_is_called() -> None:
    (check,) = checked("tasks.parse = ['Pending', 'Running', 'Retrying', 'Success']")
    assert check.held
    assert checked("tasks.other = 'Success'") == []


def test_calls_are_counted_at_any_moment_too() -> None:
    assert [check.held for check in checked("calls.parse = { max = 2 }", "calls.parse = { max = 1 }")] == [
        True,
        False,
    ]


def test_each_table_is_a_claim_of_its_own() -> None:
    first, second = checked("attempts.parse = { max = 1 }", "attempts.parse = { max = 9 }")
    assert (first.held, second.held) == (False, True)
    assert len(checked("attempts.parse = { max = 1 }", "attempts.parse = { max = 1 }")) == 1


@settings(deadline=None)
@given(stories(), st.sets(st.sampled_from(sorted(states.BY_NAME)), min_size=1, max_size=13))
def test_a_broken_claim_was_true_until_the_event_that_it_names(story: Story, names: set[str]) -> None:
    claim = always(f"flow = {sorted(names)}")
    (check,) = check_always(claim, story.header, story.events)
    found = re.match(r"\w+ at event (\d+) ", check.detail)
    assert check.held == (found is None)
    first = len(story.events) if found is None else int(found[1])
    assert all(check.held for check in check_always(claim, story.header, story.events[:first]))
    assert found is None or not check_always(claim, story.header, story.events[: first + 1])[0].held


def test_nothing_expected_is_nothing_checked() -> None:
    assert checked() == []


def test_a_rehearsal_that_breaks_an_always_on_the_way_is_violated(tmp_path: Path) -> None:
    text = (
        "[[fault]]\nat = { task = 'fetch', attempt = 1 }\ndo = 'raise'\nerror = 'OSError'\n"
        "[policy.fetch]\nretry = { max_attempts = 2 }\n"
        "[expect]\nflow = 'Success'\n[[expect.always]]\ntasks.fetch = ['Pending', 'Running', 'Success']\n"
    )
    report = rehearse(tmp_path, text)
    assert report.verdict == "violated"
    assert report.sentence.startswith(
        "Violated: expected that always, fetch is Pending or Running or Success, but found Retrying at event "
    )
    assert [check.held for check in report.checks] == [False, True]


def test_a_rehearsal_may_hold_all_the_way(tmp_path: Path) -> None:
    text = "[expect]\nflow = 'Success'\n[[expect.always]]\nattempts.fetch = { max = 1 }\n"
    assert rehearse(tmp_path, text).verdict == "held"
