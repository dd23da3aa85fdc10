import json
from dataclasses import replace
from datetime import UTC

from hypothesis import given, settings

from asyncflow import states
from asyncflow.history import fold
from asyncflow.report.canvas import Look, text_of
from asyncflow.report.data import run_to_json
from asyncflow.report.show import next_command, show
from asyncflow.signals import TRIGGERFAIL
from tests.events import HEADER, Story, fail_parse, flaky_network, stories


def shown(story, **look):
    history = fold(story.header, story.events)
    return [text_of(line) for line in show(history, Look(**look), story.header.started + 190, zone=UTC)]


def test_a_failed_run_is_shown_with_its_facts_and_why():
    assert shown(fail_parse())[:11] == [
        "quiet-heron  complaints etl  scenario fail_parse  seed 7",
        "✗ Failed  some reference tasks failed.",
        "",
        "flow        complaints etl",
        "started     2026-11-21 23:30:01 +0000 (3 min ago)",
        "took        413 ms",
        "tasks       4: 2 Success, 1 Failed, 1 TriggerFailed",
        "attempts    4",
        "waited      159 ms in all between attempts",
        "faults      2 injected",
        "parameters  size=10",
    ]
    assert shown(fail_parse(), width=90)[20:] == [
        "✗ parse_complaints  Failed  1 attempt",
        "    1  ▒ failed  at 403 ms, took 8 ms",
        "       ⚡ raise at task parse_complaints, attempt 1",
        "       Attempt 1 failed with ValueError and was not retried: no retry policy.",
        "       ValueError: unexpected null in 'company'",
        "       note: task parse_complaints, attempt 1",
        "",
        "⇡ store_complaints  TriggerFailed  the body never ran",
        "  all_successful refused: parse_complaints is Failed",
        "",
        "↻ get_complaints  Success after retry  2 attempts",
        "    1  ▒ failed  at 2 ms, took 118 ms",
        "       ⚡ reset at task t, attempt 1",
        "       Attempt 1 of 4 failed: ConnectionResetError is in `on`; attempt 2 of 4 follows in",
        "       159 ms: the backoff allows up to 200 ms and full jitter drew 159 ms.",
        "       ConnectionResetError: peer reset",
        "    2  █ succeeded  at 279 ms, took 123 ms",
    ]


def test_calls_are_told_apart_from_attempts_where_they_differ():
    assert "attempts    10, of which 7 called the body" in shown(flaky_network())


def test_a_simulated_run_and_a_variant_say_so():
    lines = shown(Story(replace(HEADER, variant="no-policy", world="simulated")))
    assert "variant no-policy  simulated  seed 7" in lines[0]
    assert "variant     no-policy" in lines
    assert "world       simulated with seed 7, in virtual time" in lines


def test_a_run_that_is_not_over_says_how_long_it_goes_on():
    story = Story()
    number = story.call(0.0, "parse")
    story.start(2.5, number)
    lines = shown(story)
    assert "so far      2.50 s" in lines
    assert lines[1].startswith("▸ Running")


def test_a_run_without_tasks_is_shown():
    story = Story()
    story.over(0.1, states.Failed("the body raised", KeyError("x")))
    assert "tasks       none" in shown(story)


def test_notices_and_long_stories_are_shown_within_bounds():
    story = Story()
    for at in range(40):
        number = story.call(0.0, f"task_{at}")
        for attempt in range(1, 30):
            story.start(attempt, number, attempt)
            story.retry(attempt + 0.5, number, attempt, 0.5)
        story.end(40.0, number, 30, states.Failed("gone", OSError("gone\nfor good")))
    story.say(41.0, "handler_failed", 1, error="state handler 'alert' raised KeyError")
    lines = shown(story)
    assert "… and 10 more tasks" in lines
    assert "· state handler 'alert' raised KeyError" in lines
    assert "  OSError: gone" in lines
    assert "  for good" in lines
    assert sum("▒ failed  at" in line for line in lines) == 30 * 20


def test_each_failure_is_told_once():
    story = Story()
    for at, state in enumerate(
        [
            states.TriggerFailed("TRIGGERFAIL: the trigger said no", TRIGGERFAIL("the trigger said no")),
            states.Failed("the handler 'alert' raised KeyError", KeyError("x")),
            states.Cancelled("by the user"),
        ]
    ):
        story.end(0.1, story.call(0.0, f"task_{at}"), 0, state)
    skipped = story.call(0.0, "skipped")
    story.start(0.2, skipped)
    story.end(0.3, skipped, 1, states.Skipped("nothing new"))
    story.over(0.4, states.Failed())
    lines = shown(story)
    start = lines.index("⇡ task_0  TriggerFailed  the body never ran")
    assert [line for line in lines[start:] if line] == [
        "⇡ task_0  TriggerFailed  the body never ran",
        "  the trigger said no",
        "✗ task_1  Failed  the body never ran",
        "  the handler 'alert' raised KeyError",
        "  KeyError: 'x'",
        "■ task_2  Cancelled  the body never ran",
        "  by the user",
        "» skipped  Skipped  1 attempt",
        "  nothing new",
        "    1  ▓ skipped  at 200 ms, took 100 ms",
    ]


def test_a_start_that_no_calendar_has_is_told_so():
    story = Story(replace(HEADER, started=1e20))
    assert any("at an unknown time" in line for line in shown(story))


def test_what_to_try_next_is_a_command_that_can_be_pasted():
    assert next_command(HEADER) == ("Run it again", "python -m asyncflow scenario fail_parse --seed 7")
    assert next_command(replace(HEADER, scenario="my file.toml", seed=None)) == (
        "Run it again",
        "python -m asyncflow scenario 'my file.toml'",
    )
    played = replace(HEADER, variant="no policy", world="simulated")
    assert next_command(played) == (
        "Run it again",
        "python -m asyncflow scenario fail_parse --variant 'no policy' --seed 7 --world simulated",
    )
    assert next_command(replace(HEADER, scenario=None)) == (
        "As data",
        "python -m asyncflow show quiet-heron --json",
    )


def test_the_json_form_tells_the_run_its_tasks_and_their_tries():
    data = run_to_json(fold(fail_parse().header, fail_parse().events))
    assert (data["v"], data["run"], data["flow"]["state"], data["is_over"]) == (1, HEADER.id, "Failed", True)
    assert (data["attempts"], data["calls"], data["duration_s"]) == (4, 4, 0.413)
    _, raw, parsed, stored = data["tasks"]
    assert (raw["state"], raw["how"], raw["attempts"], raw["calls"], raw["upstream"]) == (
        "Success",
        "after retry",
        2,
        2,
        [],
    )
    assert raw["tries"][0]["detail"]["delay"] == 0.159
    assert raw["waits"][0]["state"] == "Retrying"
    assert parsed["error"] == {
        "type": "ValueError",
        "text": "unexpected null in 'company'",
        "notes": ["task parse_complaints, attempt 1"],
    }
    assert parsed["tries"][0]["why"].endswith("was not retried: no retry policy.")
    assert parsed["tries"][0]["faults"][0]["at"] == {"task": "parse_complaints", "attempt": 1}
    assert (stored["tries"], stored["upstream"]) == ([], [3, 1])


def test_a_hit_a_miss_and_a_kept_result_are_told_in_sentences():
    story = Story()
    one, other = story.call(0.0, "first"), story.call(0.0, "second")
    story.end(0.1, one, 0, states.Cached("Computed 5 min ago by run quiet-heron."))
    story.say(0.1, "cache_missed", other, reason="expired", text="The cache entry expired 2 h ago.")
    story.start(0.1, other)
    story.end(0.2, other, 1, states.Success("Kept until noon.", 1, {"expires": 1.0}))
    text = "\n".join(shown(story))
    said = "The cache entry expired 2 h ago."
    assert all(told in text for told in ("Computed 5 min ago by run quiet-heron.", said, "Kept until noon."))
    assert run_to_json(fold(story.header, story.events))["tasks"][1]["cache"] == said


def test_the_json_form_has_breakers_and_notices():
    story = flaky_network()
    story.say(7.0, "thread_abandoned", 1, threads=1)
    data = run_to_json(fold(story.header, story.events))
    assert data["breakers"][0] == {
        "breaker": "posts-api",
        "old": "closed",
        "new": "open",
        "offset_s": 0.4,
        "text": "breaker 'posts-api' went from closed to open",
    }
    assert data["notices"][0]["task"] == 1


@settings(max_examples=30)
@given(stories())
def test_the_json_form_of_any_run_is_json(story):
    data = run_to_json(fold(story.header, story.events))
    assert json.loads(json.dumps(data)) == json.loads(json.dumps(data, sort_keys=True))


def test_waits_for_slots_and_what_was_rolled_back_are_shown():
    story = Story()
    charge = story.call(0.0, "charge")
    story.end(0.0, charge, 0, states.Pending("Waits for a slot of tag 'db'.", None, {"slots": ["tag 'db'"]}))
    story.start(2.0, charge)
    story.end(3.0, charge, 1, states.Success())
    story.say(4.0, "rolled_back", charge, key="charge", hook="refund", attempts=1)
    story.over(4.0, states.Failed("Some reference tasks failed. Rolled back: charge."))
    history = fold(story.header, story.events)
    text = "\n".join(shown(story))
    assert "queued      2 s in all for slots" in text
    assert "↶ charge  Success, rolled back  1 attempt" in text
    assert "2 s: Waits for a slot of tag 'db'." in text
    data = run_to_json(history)
    assert (data["queued_s"], data["waited_s"], data["tasks"][0]["rolled_back"]) == (2.0, 0.0, True)
