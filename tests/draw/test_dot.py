from __future__ import annotations

import pytest

from asyncflow.draw.dot import as_dot
from asyncflow.graph import Graph, Node
from tests.draw.graphs import COMPLAINTS, COMPLAINTS_RUN, EMPTY, graph_of


def label_of(name: str) -> str:
    line = next(line for line in as_dot(Graph("f", (Node("1", name),), ())).splitlines() if "n0 [" in line)
    return line.split("label=", 1)[1].split(', color="', 1)[0]


def test_a_flow_is_nodes_and_edges():
    lines = as_dot(COMPLAINTS).splitlines()
    assert lines[:2] == ["// complaints etl", "digraph {"]
    assert lines[-4:] == [
        "  n0 -> n3 [style=dashed];",
        '  n1 -> n2 [label="raw"];',
        '  n2 -> n3 [label="parsed"];',
        "}",
    ]


def test_a_state_is_shown_by_mark_word_and_colour():
    line = next(line for line in as_dot(COMPLAINTS_RUN).splitlines() if "n2 [" in line)
    assert line == (r'  n2 [label="parse_complaints\n✗ Failed", color="#c4301c", fillcolor="#faeeed"];')


def test_a_child_flow_has_two_borders():
    assert "peripheries=2" in as_dot(Graph("f", (Node("1", "a", is_flow=True),), ()))


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ('say "hi"', r'"say \"hi\""'),
        ("back\\slash", r'"back\\slash"'),
        ("\\N \\l", r'"\\N \\l"'),
        ("ends with \\", r'"ends with \\"'),
        ("&lt; & <", '"&amp;lt; &amp; <"'),
        ("año 数据", '"año 数据"'),
        ("two\nlines\x00", r'"two lines\\x00"'),
        ("", '""'),
    ],
)
def test_labels_are_quoted_as_graphviz_reads_them(name, label):
    assert label_of(name) == label


def test_a_flow_s_name_can_t_leave_its_comment():
    assert as_dot(Graph("a\nb }", (), ())).startswith("// a b }\ndigraph {\n")


def test_an_empty_flow_is_an_empty_graph():
    assert as_dot(EMPTY).splitlines()[-1] == "}"
    assert " -> " not in as_dot(graph_of("a b"))
