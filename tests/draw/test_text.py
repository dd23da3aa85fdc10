from __future__ import annotations

import pytest

from asyncflow.draw.spelling import cells
from asyncflow.draw.text import as_text
from asyncflow.errors import InvalidFlow
from asyncflow.graph import Graph, Node
from tests.draw.graphs import COMPLAINTS, COMPLAINTS_RUN, EMPTY, SINGLE, graph_of, hard_graph


def test_a_flow_reads_from_top_to_bottom():
    assert as_text(COMPLAINTS).splitlines() == [
        "Flow complaints etl: 4 tasks, 3 dependencies",
        "○    create_table",
        "│ ○  get_complaints",
        "│ ●  parse_complaints  raw ← get_complaints",
        "●─╯  store_complaints  parsed ← parse_complaints, after create_table",
    ]


def test_a_run_shows_its_states_by_mark_and_word():
    assert as_text(COMPLAINTS_RUN).splitlines()[1:] == [
        "○    create_table      ✓ Success",
        "│ ○  get_complaints    ✓ Success",
        "│ ●  parse_complaints  ✗ Failed          raw ← get_complaints",
        "●─╯  store_complaints  ⊘ Trigger failed  parsed ← parse_complaints, after create_table",
    ]


def test_plain_terminals_get_plain_letters():
    assert as_text(COMPLAINTS_RUN, ascii_only=True).splitlines()[1:] == [
        "o    create_table      Success",
        "| o  get_complaints    Success",
        "| *  parse_complaints  Failed          raw <- get_complaints",
        "*-'  store_complaints  Trigger failed  parsed <- parse_complaints, after create_table",
    ]


@pytest.mark.parametrize("graph", [COMPLAINTS_RUN, hard_graph(), EMPTY])
def test_ascii_means_ascii(graph):
    assert as_text(graph, ascii_only=True).isascii()


def test_every_task_has_one_line():
    graph = hard_graph()
    assert len(as_text(graph).splitlines()) == 1 + len(graph.nodes)


def test_what_is_used_without_a_name_is_told_without_one():
    assert as_text(graph_of("a b", "a>b")).splitlines()[-1] == "●  b  ← a"


def test_many_uses_are_counted():
    graph = graph_of("a b c d e z", *(f"{name}>z:{name}s" for name in "abcde"))
    assert as_text(graph).splitlines()[-1].endswith("as ← a, bs ← b, cs ← c, 2 more")


def test_a_child_flow_is_told():
    assert as_text(Graph("f", (Node("1", "load", is_flow=True),), ())).endswith("○  load (child flow)")


def test_columns_stand_in_line_with_wide_letters():
    lines = as_text(graph_of("数据 abcd", states="Success Failed")).splitlines()[1:]
    assert [cells(line[: line.index(mark)]) for line, mark in zip(lines, "✓✗", strict=True)] == [9, 9]


def test_nothing_and_one_task_are_drawn_too():
    assert as_text(EMPTY) == "Flow nothing: 0 tasks, 0 dependencies"
    assert as_text(SINGLE).splitlines()[1:] == ["○  only"]


def test_a_cycle_is_refused():
    with pytest.raises(InvalidFlow, match="cycle"):
        as_text(graph_of("a b", "a>b", "b>a"))
