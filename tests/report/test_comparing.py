"""Runs side by side: one axis, one block each, and a table that fits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from asyncflow import states
from asyncflow.errors import BreakerOpen
from asyncflow.events import Event
from asyncflow.history import fold
from asyncflow.history.measures import MANY, measures_of
from asyncflow.report.canvas import Look, text_of
from asyncflow.report.comparing import MOST_NAMES, Side, comparison
from asyncflow.report.measures import measures_table
from tests.events import Story, flaky_network, stories
from tests.report.test_timeline import golden


def side(label: str, story: Story, verdict: str = "held", **more) -> Side:
    history = fold(story.header, story.events)
    return Side(label, more.pop("title", ""), verdict, history, measures_of(history), **more)


def drawn(*sides: Side, **look) -> list[str]:
    return [text_of(line) for line in comparison(sides, Look(**look))]


def tabled(*sides: Side, **look) -> list[str]:
    return [text_of(line) for line in measures_table(sides, Look(**look))]


def one_task(ends: float, breaker: bool = False) -> Story:
    story = Story()
    number = story.call(0.0, "fetch")
    story.start(0.0, number)
    if breaker:
        story.breaker(0.1, "api", "closed", "open")
    story.end(ends, number, 1, states.Success())
    story.over(ends)
    return story


def busy(count: int, fails: int = 0) -> Story:
    """Calls of one task, one every 10 ms, of which the last ones fail."""
    story = Story()
    for at in range(count):
        number = story.call(at * 0.01, "fetch")
        story.start(at * 0.01, number)
        last = at >= count - fails
        story.end(at * 0.01, number, 1, states.Failed("gone", OSError("gone")) if last else states.Success())
    story.over(count * 0.01)
    return story


def both() -> list[Side]:
    """A flow whose network is flaky, and one that ends early, with a task that is called very often."""
    often = busy(60, fails=20)
    flaky = flaky_network()
    flaky.events[-2:-2] = [
        event for at in range(40) for event in _called(100 + at, 0.1 * at, states.Success())
    ]
    return [
        side("as written", flaky, breakers=("posts-api",), expectations=(5, 5)),
        side("no-policy", often, "violated", title="The same without any policy", expectations=(2, 1)),
    ]


def _called(number: int, at: float, end: states.State) -> list[Event]:
    called = {"name": "fetch", "key": f"/fetch.{number}", "upstream": []}
    return [
        Event(at, "task_called", number, 0, called),
        Event(at, "state_changed", number, 1, states.Running()),
        Event(at + 0.05, "state_changed", number, 1, end),
    ]


def test_the_comparison_is_drawn_as_it_was_approved():
    for width, kind, lines in golden("comparison"):
        encoding = "utf-8" if kind == "unicode" else "ascii"
        look = Look(width=width, unicode=kind == "unicode", encoding=encoding)
        drawn = [*comparison(both(), look), [], *measures_table(both(), look)]
        assert [text_of(line) for line in drawn] == lines, (width, kind)


def test_all_blocks_lie_on_the_axis_of_the_longest_run():
    lines = drawn(side("as written", one_task(10.0)), side("short", one_task(5.0)), width=60)

    bars = [line.count("█") for line in lines if line.startswith("fetch")]
    assert abs((bars[0] + 1) - 2 * (bars[1] + 1)) <= 1  # the number at its start takes a cell of each


def test_the_lane_of_a_breaker_ends_with_its_run():
    lines = drawn(side("as written", one_task(10.0)), side("short", one_task(5.0, breaker=True)), width=60)

    lane = next(line for line in lines if line.startswith("breaker api"))
    bar = [line for line in lines if line.startswith("fetch")][1]
    assert len(lane) == len(bar.partition("┊")[0].rstrip() or bar)


def test_a_heading_says_verdict_state_time_and_title():
    lines = drawn(side("no-policy", one_task(5.0), "violated", title="Without any"), width=80)

    assert lines[1] == "no-policy  ✗ violated  ✓ Success after 5 s  Without any"


def test_many_runs_of_one_name_are_two_lanes_of_one_scale():
    few, lot = busy(MANY + 1), busy(10 * MANY)
    lines = drawn(side("few", few), side("lot", lot), width=80)

    calls = [line for line in lines if line.startswith("fetch")]
    assert [line.split()[1] for line in calls] == [f"\u00d7{MANY + 1}", f"\u00d7{10 * MANY}"]
    assert all("goodput" in lines[lines.index(line) + 1] for line in calls)
    assert any(line.startswith("lanes: calls begun, successes; █ is ") for line in lines)


def test_as_many_runs_of_one_name_as_can_be_read_have_a_row_each():
    lines = drawn(side("as written", busy(MANY)), width=80)

    assert sum(line.startswith("fetch ") for line in lines) == MANY


def test_of_very_many_names_those_that_are_not_well_are_shown():
    story = Story()
    for at in range(2 * MOST_NAMES):
        number = story.call(0.0, f"task_{at}")
        story.start(0.0, number)
        last = at == 2 * MOST_NAMES - 1
        story.end(1.0, number, 1, states.Failed("gone", OSError("gone")) if last else states.Success())
    story.over(1.0)
    lines = drawn(side("as written", story), width=80)

    rows = [line.split()[0] for line in lines if line.startswith("task_")]
    assert rows == [*(f"task_{at}" for at in range(MOST_NAMES - 1)), f"task_{2 * MOST_NAMES - 1}"]
    assert f"and {MOST_NAMES} more names" in " ".join(lines)


def test_the_goodput_is_the_successes_of_the_whole_time():
    measures = side("as written", busy(100, fails=40)).measures

    assert measures.goodput == {"fetch": pytest.approx(60.0)}


def test_a_refusal_is_counted_by_what_refused_and_no_body_ran():
    story = Story()
    number = story.call(0.0, "fetch")
    refused = BreakerOpen("open", retry_after=1.0)
    story.retry(0.0, number, 1, 1.0, refused, called=False)
    story.start(1.0, number, 2)
    story.end(2.0, number, 2, states.Success("", 1, {"how": "after retry"}))
    story.over(2.0)
    found = side("as written", story).measures

    assert (found.attempts, found.calls, found.retries) == (2, 1, 1)
    assert found.refused == {"breaker": 1}
    assert found.waited == 1.0


def test_the_table_says_when_a_breaker_opened_and_where_there_is_none():
    flaky = side("as written", flaky_network(), breakers=("posts-api",))
    other = side("calm", one_task(1.0), breakers=("posts-api",))
    lines = tabled(flaky, other, side("none", one_task(1.0)), width=100)

    (row,) = (line for line in lines if line.startswith("breaker posts-api opened"))
    cells = [cell.strip() for cell in row.split("  ") if cell.strip()]
    assert cells == ["breaker posts-api opened", "at 400 ms, 2 times", "never", "no breaker"]


def test_columns_that_do_not_fit_follow_below_with_all_rows():
    sides = [side(f"variant-number-{at}", one_task(1.0)) for at in range(6)]
    lines = tabled(*sides, width=80)

    assert sum(line.startswith("verdict") for line in lines) == 2
    assert all(any(f"variant-number-{at}" in line for line in lines) for at in range(6))


@settings(max_examples=40, deadline=None)
@given(st.lists(stories(), min_size=1, max_size=4), st.integers(20, 160), st.booleans())
def test_no_line_is_wider_than_the_screen(told, width, unicode):
    sides = [side(f"variant {at}", story, title="so " * 40) for at, story in enumerate(told)]
    look = Look(width=width, unicode=unicode, encoding="utf-8" if unicode else "ascii")
    for line in [*comparison(sides, look), *measures_table(sides, look)]:
        assert cell_len(text_of(line)) <= width
        assert unicode or text_of(line).isascii()
