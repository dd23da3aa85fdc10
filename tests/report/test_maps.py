"""How maps are told by history and views: one lane with counts, elements when there are few or on request."""

import asyncio
import json
from dataclasses import replace

import pytest

from asyncflow import Retry, flow, signals, states, task, unmapped
from asyncflow.history import History, fold
from asyncflow.report.canvas import Look, text_of
from asyncflow.report.data import run_to_json
from asyncflow.report.live import _Watched
from asyncflow.report.show import show
from asyncflow.report.timeline import timeline
from tests.engine.kit import play
from tests.events import Story, read_back

TIMES = "\u00d7"


@task(retry=Retry(2, delay=1.0))
async def fetch(number, tries):
    tries[number] = tries.get(number, 0) + 1
    await asyncio.sleep(1)
    if number == 1 or (number == 2 and tries[number] == 1):
        raise OSError(number)
    if number == 3:
        raise signals.SKIP("no news")
    return number


@flow
async def fetching(count):
    tries = {}
    return fetch.map(range(count), unmapped(tries), tolerate=1, max_running=count or 1)


def history_of(count):
    run = play(fetching, count=count)
    return run, fold(run.header, read_back(run.header, run.events))


def lines_of(history, **options):
    return [text_of(line) for line in timeline(history, Look(width=80), **options)]


def test_a_map_is_one_lane_with_the_counts_of_its_elements():
    _, history = history_of(100)
    lines = lines_of(history)
    assert len(lines) == 4
    assert f"fetch {TIMES}100  ✓ 97 ✓ 1 ↻ 1 » 1 ✗" in lines[2]
    assert lines[2].endswith("  102")
    shown = [text_of(line) for line in show(history, Look(), 0.0)]
    assert "elements    100 of mapped tasks" in shown


def test_the_elements_of_a_small_map_have_a_row_each_and_of_a_large_one_on_request():
    _, few = history_of(3)
    assert [line.split()[0] for line in lines_of(few)[2:6]] == ["fetch", "[0]", "[1]", "[2]"]
    _, many = history_of(20)
    assert len(lines_of(many)) == 4
    assert [line.split()[0] for line in lines_of(many, elements=True)[3:23]] == [f"[{n}]" for n in range(20)]


def test_signs_without_unicode_do_not_tell_retried_successes_apart():
    _, history = history_of(100)
    lines = [text_of(line) for line in timeline(history, Look(width=80, unicode=False, encoding="ascii"))]
    assert "fetch x100  + 98 + 1 s 1 x" in lines[2]


def test_the_elements_that_have_a_story_are_told_by_show():
    _, history = history_of(100)
    told = [text_of(line) for line in show(history, Look(), 0.0)]
    assert "✗ fetch[1]  Failed  2 attempts" in told
    assert "↻ fetch[2]  Success after retry  2 attempts" in told
    assert "» fetch[3]  Skipped  1 attempt" in told
    assert not any(line.startswith("✓ fetch[0]") for line in told)


@pytest.mark.parametrize("count", [0, 1, 7, 1_500])
def test_what_is_read_back_adds_up_to_what_the_run_says(count):
    run, history = history_of(count)
    (mapped,) = history.tasks
    said = run.tasks[0].state.detail["elements"]
    assert dict(mapped.elements.states) == said["states"]
    assert (mapped.attempt_count, mapped.call_count) == (said["attempts"], said["calls"])
    assert history.attempts == said["attempts"]
    assert mapped.repeats == said["attempts"] - count
    assert len(history.elements_of(mapped)) == min(count, 1_000)
    assert mapped.elements.expected == count


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_at_any_moment_the_elements_add_up_to_those_that_were_started(share):
    run = play(fetching, count=50)
    events = run.events[: int(len(run.events) * share)]  # as if the process had died
    history = fold(run.header, events)
    started = sum(event.kind == "task_called" and "index" in event.detail for event in events)
    mapped = history.tasks[0]
    assert mapped.elements.total == started
    assert mapped.state.name == "Running"


@pytest.mark.parametrize("count", [5, 60, 1_500])
def test_the_live_view_keeps_little_and_counts_the_same(count):
    run, whole = history_of(count)
    watched = _Watched(run.header, 0.0)
    for event in run.events:
        watched.add(event)
    assert watched.history is not None, "a map is one task of the run, however many elements it has"
    seen = watched.history.view()
    assert seen.tasks[0].elements == whole.tasks[0].elements
    assert len(seen.elements) <= 10
    group = watched.tally.groups["fetch"]
    assert group.states == dict(whole.tasks[0].elements.states)
    assert (group.attempts, group.calls) == (whole.attempts, whole.calls)
    assert len(watched.lines(Look(), 20)) <= 12


def test_live_counts_are_right_before_the_map_is_over():
    run = play(fetching, count=60)
    events = run.events[:-3]  # without the map's own end, which says it all
    live, whole = History(run.header, keep=5), History(run.header)
    for event in events:
        live.add(event)
        whole.add(event)
    assert live.view().tasks[0].elements == whole.view().tasks[0].elements
    assert whole.view().tasks[0].elements.retried == 1


def test_a_run_of_very_many_tasks_tells_a_map_by_name():
    story = Story()
    for number in range(45):
        one = story.call(0.0, f"step_{number}")
        story.start(0.1, one)
        story.end(0.2, one, 1, states.Success())
    _, history = history_of(10)
    both = replace(
        fold(story.header, story.events), tasks=history.tasks + fold(story.header, story.events).tasks
    )
    both = replace(both, elements=history.elements)
    assert any(f"fetch {TIMES}10" in line for line in lines_of(both, rows=46))


def test_as_data_a_map_has_its_counts_and_its_elements():
    _, history = history_of(3)
    told = json.loads(json.dumps(run_to_json(history)))["tasks"][0]["map"]
    assert told["states"] == {"Success": 2, "Failed": 1}
    assert (told["retried"], told["expected"]) == (1, 3)
    assert [(one["index"], one["key"], one["state"]) for one in told["elements"]] == [
        (0, "fetch[0]", "Success"),
        (1, "fetch[1]", "Failed"),
        (2, "fetch[2]", "Success"),
    ]


def test_a_map_that_is_pending_or_empty_is_an_ordinary_row():
    _, history = history_of(0)
    assert "✓ Success" in lines_of(history)[2]
