from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from asyncflow import states
from asyncflow.history import fold
from asyncflow.report.canvas import Look, cells, text_of
from asyncflow.report.show import show
from asyncflow.report.timeline import timeline
from tests.events import Story, fail_parse, flaky_network, stories
from tests.report.stories import STORIES, many

GOLDEN = Path(__file__).parent / "golden"


def drawn(story, now=None, **look):
    history = fold(story.header, story.events, now)
    return [text_of(line) for line in timeline(history, Look(**look))]


def golden(name):
    """The golden texts of one story by width and kind."""
    blocks = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8").split("== ")[1:]
    for block in blocks:
        head, *lines = block.rstrip("\n").split("\n")
        width, kind = head.split()
        yield int(width), kind, lines


@pytest.mark.parametrize("name", STORIES)
def test_the_timeline_is_drawn_as_it_was_approved(name):
    for width, kind, lines in golden(name):
        encoding = "utf-8" if kind == "unicode" else "ascii"
        look = {"width": width, "unicode": kind == "unicode", "encoding": encoding}
        assert drawn(STORIES[name](), 2.0 if name == "in_flight" else None, **look) == lines, (width, kind)


def test_the_header_names_run_flow_scenario_and_seed():
    assert drawn(fail_parse())[0] == "quiet-heron  complaints etl  scenario fail_parse  seed 7"


def test_a_blocked_task_says_what_it_waits_for_from_its_call():
    story = fail_parse()
    early = Story()
    early.events = story.events[:8]
    assert any("store_complaints  ○ Pending" in line for line in drawn(early))
    assert any("waits for create_table, parse_complaints" in line for line in drawn(early, width=140))


def test_a_quiet_run_needs_no_legend():
    story = Story()
    number = story.call(0.0, "parse")
    story.start(0.0, number)
    story.end(1.0, number, 1, states.Success())
    story.over(1.0)
    assert len(drawn(story)) == 3


def test_a_run_without_tasks_is_a_header_and_an_axis():
    assert len(drawn(Story())) == 2


def test_refused_tries_are_counted_and_not_called():
    lines = drawn(flaky_network(), width=140)
    assert lines[1].endswith("tries/calls")
    assert (lines[2].endswith("4/3"), lines[3].endswith("4/2"), lines[4].endswith("1")) == (True, True, True)
    assert (lines[2].count("⊘"), lines[3].count("⊘")) == (1, 2)


def test_many_tasks_are_told_by_name_with_the_bad_ones_first():
    lines = drawn(many(), width=100)
    assert len(lines) == 4
    assert "fetch \u00d7300" in lines[2]
    assert "✗ 298 Success, 2 Failed" in lines[2]


def test_more_names_than_rows_are_counted_and_the_unwell_ones_are_shown():
    story = Story()
    for at in range(100):
        number = story.call(0.0, f"task_{at}")
        story.start(0.0, number)
        story.end(1.0, number, 1, states.Failed() if at == 90 else states.Success())
    lines = drawn(story)
    assert lines[-1] == "… and 60 more names"
    assert sum(line.startswith("task_") for line in lines) == 40
    assert any(line.startswith("task_90  ✗ Failed") for line in lines)


def test_a_terminal_too_narrow_for_a_picture_still_tells_the_states():
    assert drawn(fail_parse(), width=28) == [
        "quiet-heron  complaints etl…",
        "task         state",
        "create_tab…  ✓ Success",
        "get_compla…  ↻ Success",
        "parse_comp…  ✗ Failed",
        "store_comp…  ⇡ TriggerFailed",
    ]


def test_the_tries_stay_beside_short_states():
    story = Story()
    number = story.call(0.0, "parse_all_the_complaints")
    story.start(0.0, number)
    assert drawn(story, width=26)[1:] == [
        "task      state      tries",
        "parse_a…  ▸ Running      1",
    ]


def test_names_can_not_steer_the_terminal():
    story = Story()
    number = story.call(0.0, "a\x1b[2Jb\nc\u202ed\ud800")
    story.start(0.0, number)
    assert drawn(story)[2].startswith("a?[2Jb cd?  ▸ Running")


@settings(max_examples=60)
@given(stories(), st.integers(20, 200), st.sampled_from(["utf-8", "ascii", "cp1252"]))
def test_no_line_is_ever_wider_than_the_terminal_nor_unencodable(story, width, encoding):
    look = Look(width=width, unicode=encoding == "utf-8", encoding=encoding)
    history = fold(story.header, story.events)
    for line in [*timeline(history, look), *timeline(history, look, rows=2), *show(history, look, 1.8e9)]:
        text = text_of(line)
        assert cells(text) <= width
        assert text.isprintable()
        text.encode(encoding)


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["名前", "é", "naïve", "a", "⚡"]), min_size=1, max_size=12).map("".join))
def test_widths_are_counted_as_the_terminal_library_counts_them(text):
    assert cells(text) == cell_len(text)
