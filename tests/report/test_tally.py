import pytest
from hypothesis import given, settings

from asyncflow import states
from asyncflow.history import fold
from asyncflow.report.tally import Activity, Tally, base_name, tally_of
from tests.events import Story, read_back, stories
from tests.report.stories import many


def tally(events):
    made = Tally()
    for event in events:
        made.add(event)
    return made


def figures(made):
    return {name: (group.states, group.attempts, group.calls) for name, group in made.groups.items()}


def test_task_runs_are_counted_by_name_and_state():
    fetch, parse = tally(many().events).groups.values()
    assert (fetch.name, fetch.size, fetch.states, fetch.attempts) == (
        "fetch",
        300,
        {"Success": 298, "Failed": 2},
        300,
    )
    assert (parse.name, parse.worst(), fetch.worst()) == ("parse", "Success", "Failed")


def test_refused_tries_are_attempts_and_no_calls():
    story = Story()
    number = story.call(0.0, "fetch")
    story.start(0.1, number)
    story.fault(0.15, number, 1)
    story.retry(0.2, number, 1, 1.0, None, called=False)
    story.retry(1.2, number, 2, 1.0, None, called=False)
    story.start(2.2, number, 3)
    group = tally(story.events).groups["fetch"]
    assert (group.attempts, group.calls, group.faults, group.states) == (3, 1, 1, {"Running": 1})


def test_finished_task_runs_take_no_memory():
    made = tally(many().events)
    assert made.size == 301
    assert made._unfinished == {}


def test_a_crashed_task_run_that_goes_on_is_counted_once():
    story = Story()
    number = story.call(0.0, "fetch")
    story.start(0.1, number)
    story.end(0.2, number, 1, states.Crashed())
    story.retry(0.2, number, 1, 0.0)
    story.start(0.3, number, 2)
    assert tally(story.events).groups["fetch"].states == {"Running": 1}


def test_what_comes_after_the_end_of_a_task_run_changes_nothing():
    made = tally(many(3).events)
    before = figures(made)
    made.add((9.0, "state_changed", 1, 1, states.Running()))
    made.add((9.0, "fault_injected", 1, 1, {"at": "x", "do": "raise"}))
    assert figures(made) == before


@pytest.mark.parametrize(
    ("name", "base"),
    [("fetch[3]", "fetch"), ("fetch", "fetch"), ("[3]", "[3]"), ("a[b][2]", "a[b]"), ("a]", "a]")],
)
def test_a_maps_index_is_no_part_of_the_name(name, base):
    assert base_name(name) == base


def test_activity_is_the_mean_number_in_flight():
    activity = Activity()
    for offset, by in ((0.0, 2), (5.0, -1), (7.5, -1)):
        activity.change(offset, by)
    assert activity.levels(10.0, 4) == pytest.approx([2, 2, 1, 0], abs=0.01)


def test_activity_keeps_its_sum_when_time_outgrows_it():
    activity = Activity(resolution=0.001)
    activity.change(0.0, 3)
    activity.change(1000.0, -3)
    activity.change(999.0, 1)  # told late: counts from what is known
    activity.change(2000.0, -1)
    assert sum(activity.levels(2000.0, 20)) * 100 == pytest.approx(3 * 1000 + 1000, rel=0.02)
    assert activity.levels(0.0, 3) == [0.0, 0.0, 0.0]


@settings(max_examples=40)
@given(stories())
def test_counting_events_equals_counting_the_folded_history(story):
    named = [event for event in story.events if event.kind != "fault_injected"]
    whole = tally_of(fold(story.header, named))
    assert figures(tally(named)) == figures(whole) == figures(tally(read_back(story.header, named)))
