from dataclasses import replace

import pytest
from hypothesis import given, settings

from asyncflow import states
from asyncflow.errors import AttemptTimedOut, BreakerOpen
from asyncflow.history import Attempt, ErrorText, History, explain, fold
from asyncflow.history.record import Fault, standing, strike_text
from asyncflow.signals import FAIL, RETRY
from tests.events import HEADER, Story, fail_parse, flaky_network, read_back, stories


def of(story, now=None):
    return fold(story.header, story.events, now)


def one(*moves):
    """The history of one task that made these moves: (offset, attempt, state)."""
    story = Story()
    number = story.call(0.0, "parse")
    for offset, attempt, state in moves:
        story.end(offset, number, attempt, state)
    return of(story).tasks[0]


def test_a_run_that_recovered_shows_its_tries_calls_and_waits():
    history = of(flaky_network())
    posts, users, both, load = history.tasks
    assert [(task.attempt_count, task.call_count) for task in history.tasks] == [
        (4, 3),
        (4, 2),
        (1, 1),
        (1, 1),
    ]
    assert [attempt.outcome for attempt in posts.attempts] == ["failed", "refused", "failed", "succeeded"]
    assert [attempt.called for attempt in users.attempts] == [True, False, False, True]
    assert [(wait.started, wait.ended) for wait in posts.waits] == [(0.17, 1.07), (1.07, 2.7), (3.0, 4.9)]
    assert (both.upstream, load.upstream) == ((posts.number, users.number), (both.number,))
    assert (history.attempts, history.calls, history.is_over, history.ended) == (10, 7, True, 6.58)
    assert history.waited == pytest.approx(4.43 + 4.54)


def test_faults_are_kept_with_the_attempt_that_they_struck():
    posts = of(flaky_network()).tasks[0]
    assert [[fault.do for fault in attempt.faults] for attempt in posts.attempts] == [
        ["reset"],
        [],
        ["stall"],
        [],
    ]


def test_a_fault_that_is_told_after_its_attempt_is_added_to_it():
    story = Story()
    number = story.call(0.0, "parse")
    story.start(0.1, number)
    story.retry(0.2, number, 1, 0.1)
    story.start(0.3, number, 2)
    story.fault(0.35, number, 1, "late")
    story.fault(0.36, number, 7, "nowhere")
    first, second = of(story).tasks[0].attempts
    assert ([fault.do for fault in first.faults], second.faults) == (["late"], ())


def test_a_fault_of_no_task_belongs_to_the_run_alone():
    story = Story()
    story.fault(0.1, 0, 0, "reset", "connection 1")
    assert of(story).faults == (Fault(0.1, 0, 0, "connection 1", "reset"),)


def test_breaker_changes_are_in_order_and_spelled_one_way():
    changes = [(change.breaker, change.old, change.new) for change in of(flaky_network()).breakers[:2]]
    assert changes == [("posts-api", "closed", "open"), ("posts-api", "open", "half-open")]


def test_events_read_back_from_a_store_fold_to_the_same_history():
    story = fail_parse()
    assert fold(story.header, read_back(story.header, story.events)) == of(story)


def test_the_error_of_a_failed_task_keeps_type_text_and_notes():
    parsed = of(fail_parse()).tasks[2]
    assert parsed.state.error == ErrorText(
        "ValueError", "unexpected null in 'company'", ("task parse_complaints, attempt 1",)
    )
    assert parsed.attempts[0].error == parsed.state.error
    assert (str(parsed.state.error), str(ErrorText("KeyError", ""))) == (
        "ValueError: unexpected null in 'company'",
        "KeyError",
    )


def test_a_blocked_task_is_there_from_its_call_with_no_attempts():
    story = fail_parse()
    early = fold(story.header, story.events[:8])
    assert [(task.name, task.state.name) for task in early.tasks][-1] == ("store_complaints", "Pending")
    assert of(story).tasks[3].attempts == ()


def test_an_attempt_in_flight_ends_now():
    story = Story()
    number = story.call(0.0, "parse")
    story.start(0.5, number)
    history = of(story, now=2.0)
    (attempt,) = history.tasks[0].attempts
    assert (attempt.outcome, attempt.started, attempt.ended) == ("running", 0.5, 2.0)
    assert (history.ended, history.is_over, history.attempts, history.calls) == (2.0, False, 1, 1)


def test_a_run_without_an_end_and_without_a_now_ends_with_its_newest_event():
    story = Story()
    number = story.call(0.0, "parse")
    story.start(0.5, number)
    story.say(3.0, "thread_abandoned", number, threads=2)
    history = of(story)
    assert (history.ended, history.tasks[0].attempts[0].ended) == (3.0, 3.0)
    assert history.notices[0].text == "parse: a thread was given up, its body does not end; abandoned now: 2"


def test_what_the_cache_said_is_told_of_the_task():
    story = Story()
    one, other = story.call(0.0, "get"), story.call(0.0, "get")
    story.say(0.1, "cache_missed", one, reason="no entry", text="There is no cache entry yet.")
    story.say(0.1, "cache_missed", other, reason="no entry", text="There is no cache entry yet.")
    story.say(0.2, "cache_not_kept", other, text="an object can't be written as data")
    assert [task.cache for task in of(story).tasks] == [
        "There is no cache entry yet.",
        "The result was not kept: an object can't be written as data.",
    ]


def test_a_now_before_the_newest_event_is_the_newest_event():
    story = Story()
    story.call(4.0, "parse")
    assert of(story, now=1.0).ended == 4.0


def test_a_wait_in_progress_ends_now_and_says_that_it_is_not_over():
    story = Story()
    number = story.call(0.0, "parse")
    story.start(0.1, number)
    story.retry(0.2, number, 1, 9.0, reason="peer reset")
    (wait,) = of(story, now=5.2).tasks[0].waits
    assert (wait.started, wait.ended, wait.is_over, wait.reason) == (0.2, 5.2, False, "peer reset")


@pytest.mark.parametrize(
    ("moves", "outcomes"),
    [
        ([(1, 1, states.Running()), (2, 1, states.Success())], ["succeeded"]),
        ([(1, 1, states.Running()), (2, 1, states.Success("", None, {"how": "by fallback"}))], ["failed"]),
        ([(1, 1, states.Running()), (2, 1, states.Success("", None, {"how": "by signal"}))], ["signalled"]),
        ([(1, 1, states.Running()), (2, 1, states.Success("", None, {"how": "by handler"}))], ["succeeded"]),
        ([(1, 1, states.Running()), (2, 1, states.Skipped())], ["skipped"]),
        ([(1, 1, states.Running()), (2, 1, states.Failed("", FAIL("no")))], ["failed"]),
        ([(1, 1, states.Running()), (2, 1, states.TimedOut("", AttemptTimedOut("3 s")))], ["timed out"]),
        ([(1, 1, states.Running()), (2, 1, states.Retrying("", AttemptTimedOut("3 s")))], ["timed out"]),
        ([(1, 1, states.Running()), (2, 1, states.Retrying("", RETRY("again")))], ["signalled"]),
        ([(1, 1, states.Running()), (2, 1, states.Retrying("", None, {"called": False}))], ["refused"]),
        ([(1, 1, states.Retrying("", BreakerOpen("open"), {"called": False}))], ["refused"]),
        ([(1, 1, states.Failed("", BreakerOpen("open"), {"called": False}))], ["refused"]),
        ([(1, 1, states.Running()), (2, 1, states.Paused())], ["paused"]),
        ([(1, 1, states.Running()), (2, 1, states.Cancelled())], ["cancelled"]),
        ([(1, 0, states.Cancelled())], []),
        ([(1, 0, states.Cached())], []),
        ([(1, 0, states.Scheduled()), (2, 1, states.Running())], ["running"]),
    ],
)
def test_each_way_to_end_an_attempt_has_its_word(moves, outcomes):
    assert [attempt.outcome for attempt in one(*moves).attempts] == outcomes


def test_a_crashed_attempt_that_is_tried_again_is_one_attempt_that_was_retried():
    task = one(
        (1, 1, states.Running()),
        (9, 1, states.Crashed()),
        (9, 1, states.Retrying("", None, {"reason": "on_crash='retry'"})),
        (9, 2, states.Running()),
        (10, 2, states.Success()),
    )
    first, second = task.attempts
    assert (first.outcome, first.retried, first.reason, second.outcome) == (
        "crashed",
        True,
        "on_crash='retry'",
        "succeeded",
    )
    assert (task.attempt_count, task.call_count) == (2, 2)


def test_a_waiting_states_message_is_the_reason_when_the_decision_gives_none():
    assert one((1, 0, states.Paused("until Anna says so"))).waits[0].reason == "until Anna says so"
    assert one((1, 0, states.Paused())).waits[0].reason == ""


def test_an_edge_added_after_the_call_counts_once():
    story = Story()
    story.call(0.0, "table")
    number = story.call(0.0, "store")
    story.say(0.0, "edge_added", number, upstream=1)
    story.say(0.0, "edge_added", number, upstream=1)
    assert of(story).tasks[1].upstream == (1,)


def test_a_call_may_carry_the_engines_own_object():
    class Call:
        def to_json(self):
            return {"name": "parse", "key": "/parse", "upstream": [3]}

    (task,) = fold(HEADER, [(0.0, "task_called", 1, 0, Call())]).tasks
    assert (task.name, task.key, task.upstream) == ("parse", "/parse", (3,))


def test_a_journal_whose_beginning_is_missing_still_folds():
    story = fail_parse()
    history = fold(story.header, story.events[6:])
    assert [task.name for task in history.tasks][:2] == ["task 1", "task 2"]


def test_a_state_that_is_not_known_here_is_kept_by_name_and_is_not_final():
    odd = standing({"state": "Levitating", "message": "new in a later version"})
    assert (odd.name, odd.is_final, odd.is_failed) == ("Levitating", False, False)
    assert standing("odd").name == "odd"


def test_keeping_a_few_attempts_bounds_the_memory_and_not_the_counts():
    story = Story()
    number = story.call(0.0, "poll")
    for attempt in range(1, 101):
        story.start(attempt, number, attempt)
        story.fault(attempt, number, attempt)
        story.breaker(attempt, "cfpb", "closed", "open")
        story.retry(attempt + 0.5, number, attempt, 0.5)
    history = History(story.header, keep=5)
    sizes = set()
    for event in story.events:
        history.add(event)
        seen = history.view()
        sizes.add(len(seen.tasks[0].attempts) if seen.tasks else 0)
    (task,) = history.view().tasks
    assert max(sizes) <= 11
    assert (task.attempt_count, task.call_count, task.attempts[-1].number) == (100, 100, 100)
    assert max(len(seen.faults), len(seen.breakers)) <= 10


ATTEMPT = Attempt(1, 0.0, 0.1, "failed")
NUMBERS = {"max_attempts": 4, "delay": 0.159, "bound": 0.2, "jitter": "full"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"outcome": "running"}, "Attempt 1 is in flight."),
        ({"outcome": "succeeded"}, "Attempt 1 succeeded."),
        ({"outcome": "cancelled"}, "Attempt 1 was cancelled and was not retried."),
        (
            {"error": ErrorText("ValueError", "null"), "reason": "ValueError is not retried."},
            "Attempt 1 failed and was not retried: ValueError is not retried.",
        ),
        (
            {"error": ErrorText("ValueError", "null"), "reason": "no retry policy"},
            "Attempt 1 failed with ValueError and was not retried: no retry policy.",
        ),
        (
            {"retried": True, "detail": NUMBERS},
            "Attempt 1 of 4 failed and was retried after 159 ms: full jitter drew 159 ms of at most 200 ms.",
        ),
        (
            {"retried": True, "detail": NUMBERS, "reason": "the server asked for it, jitter left out"},
            "Attempt 1 of 4 failed and was retried after 159 ms: the server asked for it, jitter left out.",
        ),
        (
            {"retried": True, "detail": {"delay": 2.0, "jitter": "none", "bound": 2.0}},
            "Attempt 1 failed and was retried after 2 s.",
        ),
        ({"retried": True, "detail": {"jitter": "full"}}, "Attempt 1 failed and was retried."),
        (
            {
                "outcome": "refused",
                "called": False,
                "retried": True,
                "detail": {"delay": 1.22},
                "reason": "cfpb is open",
            },
            "Attempt 1 was refused before the body ran and was retried after 1.22 s: cfpb is open.",
        ),
        (
            {
                "retried": True,
                "detail": NUMBERS,
                "error": ErrorText("OSError", "down"),
                "reason": "OSError is in `on`; attempt 2 of 4 follows in 159 ms: the backoff allows up to "
                "200 ms and full jitter drew 159 ms",
            },
            "Attempt 1 of 4 failed: OSError is in `on`; attempt 2 of 4 follows in 159 ms: the backoff allows "
            "up to 200 ms and full jitter drew 159 ms.",
        ),
        (
            {"outcome": "signalled", "reason": "SUCCESS was raised"},
            "Attempt 1 ended by a signal: SUCCESS was raised.",
        ),
        ({"outcome": "timed out"}, "Attempt 1 ran out of time and was not retried."),
    ],
)
def test_one_sentence_says_why_an_attempt_was_or_was_not_retried(changes, sentence):
    assert explain(replace(ATTEMPT, **changes)) == sentence


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ({"task": "parse", "attempt": 1}, "raise at task parse, attempt 1"),
        ("fetch/connect", "raise at fetch/connect"),
        (None, "raise"),
    ],
)
def test_a_fault_is_told_with_its_address(at, text):
    assert strike_text("raise", at) == text


@settings(max_examples=60)
@given(stories())
def test_any_legal_sequence_of_events_folds_and_its_counts_agree(story):
    history = of(story)
    for task in history.tasks:
        assert task.attempt_count == len(task.attempts) >= task.call_count
        assert task.call_count == sum(attempt.called for attempt in task.attempts)
        assert [attempt.number for attempt in task.attempts] == sorted({a.number for a in task.attempts})
        for span in (*task.attempts, *task.waits):
            assert 0 <= span.started <= span.ended <= history.ended
        for attempt in task.attempts:
            assert explain(attempt).startswith(f"Attempt {attempt.number}")
    assert fold(HEADER, read_back(story.header, story.events)).tasks == history.tasks


@settings(max_examples=40)
@given(stories())
def test_folding_one_by_one_equals_folding_the_whole_at_every_step(story):
    history = History(story.header)
    for count, event in enumerate(story.events, 1):
        history.add(event)
        if count % 5 == 0 or count == len(story.events):
            assert history.view() == fold(story.header, story.events[:count])


def test_time_spent_waiting_for_slots_is_told_apart_from_time_between_attempts():
    slots = states.Pending("Waits for a slot of tag 'db'.", None, {"slots": ["tag 'db'"]})
    story = Story()
    number = story.call(0.0, "parse")
    story.end(0.0, number, 0, slots)
    story.start(2.0, number)
    story.retry(3.0, number, 1, 1.0)
    story.end(4.0, number, 1, slots)
    story.start(4.5, number, 2)
    story.end(5.0, number, 2, states.Success())
    history = of(story)
    waits = [(wait.state, wait.started, wait.ended, wait.reason) for wait in history.tasks[0].waits]
    assert waits[0] == ("Pending", 0.0, 2.0, "Waits for a slot of tag 'db'.")
    assert [wait[:3] for wait in waits[1:]] == [("Retrying", 3.0, 4.0), ("Pending", 4.0, 4.5)]
    assert (history.queued, history.waited) == (2.5, 1.0)
    assert fold(story.header, read_back(story.header, story.events)).queued == 2.5


def test_what_was_rolled_back_bears_the_mark_and_what_could_not_be_is_a_notice():
    story = Story()
    charged, booked = story.call(0.0, "charge"), story.call(0.0, "book")
    for number in (charged, booked):
        story.start(0.0, number)
        story.end(1.0, number, 1, states.Success())
    story.say(2.0, "rolled_back", charged, key="charge", hook="refund", attempts=1)
    story.say(3.0, "rollback_failed", booked, key="book", hook="unbook", attempts=2, error="ValueError: no")
    history = of(story)
    assert [task.rolled_back for task in history.tasks] == [True, False]
    assert [notice.text for notice in history.notices] == ["the rollback of 'book' failed: ValueError: no"]
