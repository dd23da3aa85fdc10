"""What policies decide beside the ends of attempts: the sentence of each, and what views make of them."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from asyncflow import states
from asyncflow.events import Kind
from asyncflow.history import fold
from asyncflow.history.decisions import DECISIONS, breaker_story
from asyncflow.history.notices import NOTICES
from asyncflow.history.why import explain
from asyncflow.report.canvas import Look, text_of
from asyncflow.report.data import run_to_json
from asyncflow.report.show import show
from asyncflow.report.timeline import timeline
from tests.events import Story, read_back

HEDGE = {"hedge": 1, "after": 0.05, "delay": 0.05}
ENDED = {"hedge": 1, "seconds": 0.02, "attempts": 1, "calls": 1, "error": None}


@pytest.mark.parametrize(
    ("kind", "detail", "text"),
    [
        (
            "hedge_started",
            {**HEDGE, "cause": "slow"},
            "hedge 1 was started, since no answer had come for 50 ms",
        ),
        (
            "hedge_started",
            {**HEDGE, "cause": "failed", "after": 0.012},
            "hedge 1 was started after 12 ms, since the one before it had failed",
        ),
        ("hedge_started", {**HEDGE, "cause": "at once"}, "hedge 1 was started at once"),
        ("hedge_ended", {**ENDED, "end": "won"}, "hedge 1 had the answer first, after 20 ms"),
        (
            "hedge_ended",
            {**ENDED, "end": "won", "attempts": 3},
            "hedge 1 had the answer first, after 20 ms and 3 attempts",
        ),
        ("hedge_ended", {**ENDED, "end": "late"}, "hedge 1 had its answer too late, after 20 ms"),
        ("hedge_ended", {**ENDED, "end": "cancelled"}, "hedge 1 was cancelled after 20 ms"),
        (
            "hedge_ended",
            {**ENDED, "end": "refused", "error": "RateLimited: no permit"},
            "hedge 1 was refused after 20 ms: RateLimited: no permit",
        ),
        (
            "hedge_ended",
            {**ENDED, "end": "failed", "error": "OSError: gone"},
            "hedge 1 failed after 20 ms: OSError: gone",
        ),
        (
            "fell_back",
            {"to": "value", "error": "OSError: gone", "age": None, "failed": None},
            "fell back to the value after OSError: gone",
        ),
        (
            "fell_back",
            {"to": "cached", "error": "OSError: gone", "age": 90.0, "failed": None},
            "fell back to the last good result, 1 min 30 s old, after OSError: gone",
        ),
        (
            "fell_back",
            {"to": "function", "error": "OSError: gone", "age": None, "failed": "KeyError: 'x'"},
            "the fallback failed with KeyError: 'x', after OSError: gone",
        ),
        ("admission_delayed", {"gate": "bulkhead", "name": "db"}, "waits for a place in bulkhead 'db'"),
        (
            "admission_waited",
            {"gate": "rate limit", "name": "api", "seconds": 0.5, "admitted": True},
            "waited 500 ms for a permit of rate limit 'api'",
        ),
        (
            "admission_waited",
            {"gate": "bulkhead", "name": None, "seconds": 2.0, "admitted": False},
            "waited 2 s for a place in the bulkhead, and did not get it",
        ),
    ],
)
def test_each_decision_is_told_in_one_sentence(kind: str, detail: dict[str, Any], text: str) -> None:
    assert DECISIONS[kind](detail) == text


@pytest.mark.parametrize("kind", [*DECISIONS, *NOTICES])
def test_a_record_of_a_newer_or_older_version_is_told_too(kind: str) -> None:
    assert kind in get_args(Kind)
    assert (DECISIONS.get(kind) or NOTICES[kind])({})


OPENED = {
    "breaker": "api",
    "old": "closed",
    "new": "open",
    "why": "after 3 failures in a row",
    "probe_in": 0.3,
}


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        (OPENED, "breaker 'api' opened after 3 failures in a row; a probe may try in 300 ms"),
        (
            {**OPENED, "probe_in": None},
            "breaker 'api' opened after 3 failures in a row; no probe will try",
        ),
        (
            {"breaker": "api", "old": "open", "new": "half-open", "probes": 2},
            "breaker 'api' is half-open: 2 probes may try",
        ),
        (
            {"breaker": "api", "old": "half-open", "new": "closed"},
            "breaker 'api' closed, since what was tried went well",
        ),
        ({"breaker": "api", "old": "closed", "new": "open"}, "breaker 'api' went from closed to open"),
    ],
)
def test_a_breaker_says_why_it_changed(detail: dict[str, Any], text: str) -> None:
    assert breaker_story(detail) == text


def hedged() -> Story:
    """A call that hangs and is hedged twice, one that waited for a place, and one that fell back."""
    story = Story()
    slow, late, down = (story.call(0.0, name) for name in ("slow", "late", "down"))
    for number in (slow, late, down):
        story.start(0.0, number)
    story.decided(0.1, "hedge_started", slow, 1, hedge=1, after=0.1, cause="slow", delay=0.1)
    story.decided(0.2, "hedge_started", slow, 1, hedge=2, after=0.2, cause="slow", delay=0.1)
    story.decided(0.6, "admission_waited", late, 1, gate="bulkhead", name="db", seconds=0.6, admitted=True)
    story.decided(
        0.5, "hedge_ended", slow, 1, hedge=1, seconds=0.4, end="won", attempts=1, calls=1, error=None
    )
    story.decided(0.5, "hedge_ended", slow, 1, hedge=2, seconds=0.3, end="cancelled", attempts=1, calls=1)
    said = "Hedge 1 had the answer first, 500 ms after the call began."
    story.end(0.5, slow, 1, states.Success(said, 1, {"how": "by hedge", "hedge": 1, "seconds": 0.5}))
    story.end(1.0, late, 1, states.Success())
    story.decided(1.0, "fell_back", down, 1, to="value", error="OSError: gone", age=None, failed=None)
    said = "Fell back to the value after OSError: gone."
    story.end(1.0, down, 1, states.Success(said, 0, {"how": "by fallback", "fallback": "value"}))
    story.over(1.0)
    return story


@pytest.mark.parametrize("stored", [False, True])
def test_what_was_decided_is_folded_live_and_from_a_store(stored: bool) -> None:
    story = hedged()
    events = read_back(story.header, story.events) if stored else story.events
    slow, late, down = fold(story.header, events).tasks

    assert [(hedge.number, hedge.started, hedge.ended, hedge.end) for hedge in slow.hedges] == [
        (1, 0.1, 0.5, "won"),
        (2, 0.2, 0.5, "cancelled"),
    ]
    assert [one.kind for one in slow.decisions] == [
        "hedge_started",
        "hedge_started",
        "hedge_ended",
        "hedge_ended",
    ]
    (attempt,) = late.attempts
    assert (attempt.started, attempt.begun, attempt.waited) == (0.0, 0.6, 0.6)
    assert fold(story.header, events).held_up == 0.6
    assert [one.text for one in down.decisions] == ["fell back to the value after OSError: gone"]


def test_a_hedge_that_is_on_its_way_ends_at_the_instant_of_the_view() -> None:
    story = Story()
    number = story.call(0.0, "slow")
    story.start(0.0, number)
    story.decided(0.1, "hedge_started", number, 1, hedge=1, after=0.1, cause="slow", delay=0.1)
    (hedge,) = fold(story.header, story.events, now=5.0).tasks[0].hedges

    assert (hedge.ended, hedge.end) == (5.0, "")


def test_a_wait_that_is_not_over_is_drawn_and_told_as_one() -> None:
    story = Story()
    number = story.call(0.0, "late")
    story.start(0.0, number)
    story.decided(0.0, "admission_delayed", number, 1, gate="bulkhead", name="db")
    early = fold(story.header, story.events, now=5.0)
    story.decided(8.0, "admission_waited", number, 1, gate="bulkhead", name="db", seconds=8.0, admitted=True)
    late = fold(story.header, story.events, now=9.0)

    assert [one.text for one in early.tasks[0].decisions] == ["waits for a place in bulkhead 'db'"]
    assert early.tasks[0].attempts[0].waited == 5.0
    assert "╌╌ 5 s ╌╌" in text_of(timeline(early, Look(width=80))[2])
    assert [one.text for one in late.tasks[0].decisions] == ["waited 8 s for a place in bulkhead 'db'"]
    assert late.tasks[0].attempts[0].waited == 8.0


def test_each_attempt_has_its_own_wait() -> None:
    story = Story()
    number = story.call(0.0, "late")
    story.start(0.0, number, 1)
    story.decided(2.0, "admission_waited", number, 1, gate="bulkhead", name="db", seconds=2.0, admitted=True)
    story.retry(3.0, number, 1, 0.0, OSError("gone"))
    story.start(3.0, number, 2)
    story.end(6.0, number, 2, states.Success("", 1, {"how": "after retry"}))
    (late,) = fold(story.header, story.events).tasks

    assert [attempt.waited for attempt in late.attempts] == [2.0, 0.0]


def test_an_attempt_that_was_cut_while_it_waited_called_no_body() -> None:
    story = Story()
    number = story.call(0.0, "late")
    story.start(0.0, number)
    story.decided(2.0, "admission_waited", number, 1, gate="bulkhead", name="db", seconds=2.0, admitted=False)
    story.end(2.0, number, 1, states.TimedOut("the deadline was over"))
    (late,) = fold(story.header, story.events).tasks

    assert (late.attempt_count, late.call_count) == (1, 0)
    assert late.attempts[0].outcome == "timed out"


def test_attempts_are_explained_by_what_stood_in_for_them() -> None:
    slow, _, down = fold(hedged().header, hedged().events).tasks

    assert explain(slow.attempts[0]) == (
        "Attempt 1 was given up: hedge 1 had the answer first, 500 ms after the call began."
    )
    assert explain(down.attempts[0]) == "Attempt 1 failed: fell back to the value after OSError: gone."


def test_the_timeline_has_the_wait_before_the_body_and_a_row_for_each_hedge() -> None:
    story = hedged()
    lines = [text_of(line) for line in timeline(fold(story.header, story.events), Look(width=80))]

    names = [line.split("  ")[0] for line in lines[2:7]]
    assert names == ["slow", "", "", "late", "down"]
    assert "  hedge 1  ✓ won" in lines[3]
    assert "  hedge 2  ■ cancelled" in lines[4]
    assert "╌╌ 600 ms ╌╌" in lines[5]
    assert lines[5].index("1█") > lines[5].index("600 ms")


def test_show_tells_each_decision_once_with_its_time() -> None:
    story = hedged()
    story.breaker(1.0, "api", "closed", "open")
    text = "\n".join(
        text_of(line)
        for line in show(fold(story.header, story.events), Look(width=120), story.header.started)
    )

    assert "· at 100 ms, hedge 1 was started, since no answer had come for 100 ms" in text
    assert "· at 600 ms, waited 600 ms for a place in bulkhead 'db'" in text
    assert text.count("fell back to the value") == 1
    assert "held up     600 ms in all to be admitted" in text
    assert "█ at 1 s, breaker 'api' went from closed to open" in text


def test_the_json_form_has_decisions_and_hedges() -> None:
    story = hedged()
    slow, late, _ = run_to_json(fold(story.header, story.events))["tasks"]

    assert slow["hedges"][0] == {"number": 1, "started_s": 0.1, "ended_s": 0.5, "end": "won", "calls": 1}
    assert late["decisions"] == [
        {
            "offset_s": 0.6,
            "attempt": 1,
            "kind": "admission_waited",
            "text": "waited 600 ms for a place in bulkhead 'db'",
        }
    ]
    assert late["tries"][0]["held_up_s"] == 0.6
