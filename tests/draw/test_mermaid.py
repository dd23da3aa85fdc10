from __future__ import annotations

import pytest

from asyncflow.draw.mermaid import as_mermaid
from asyncflow.graph import Graph, Node
from tests.draw.graphs import COMPLAINTS, COMPLAINTS_RUN, EMPTY, graph_of


def label_of(name: str) -> str:
    line = as_mermaid(Graph("f", (Node("1", name),), ())).splitlines()[1]
    return line.removeprefix('  n0["').removesuffix('"]')


def test_a_flow_is_nodes_and_edges():
    assert as_mermaid(COMPLAINTS).splitlines() == [
        "flowchart LR",
        '  n0["create_table"]',
        '  n1["get_complaints"]',
        '  n2["parse_complaints"]',
        '  n3["store_complaints"]',
        "  n0 -.-> n3",
        '  n1 -->|"raw"| n2',
        '  n2 -->|"parsed"| n3',
    ]


def test_a_state_is_shown_by_mark_word_and_colour():
    lines = as_mermaid(COMPLAINTS_RUN).splitlines()
    assert lines[3] == '  n2["parse_complaints<br/>✗ Failed"]:::Failed'
    assert lines[-3:] == [
        "  classDef Success fill:#ecf4f1,stroke:#157a55,color:#1c2127",
        "  classDef Failed fill:#faeeed,stroke:#c4301c,color:#1c2127",
        "  classDef TriggerFailed fill:#f5efec,stroke:#7c3a12,color:#1c2127",
    ]


def test_a_state_that_is_not_known_is_grey_and_keeps_its_word():
    lines = as_mermaid(graph_of("a", states="odd;}")).splitlines()
    assert lines[1] == '  n0["a<br/>? odd#59;#125;"]:::Other'
    assert lines[2].startswith("  classDef Other ")


def test_a_child_flow_has_two_borders():
    assert '  n0[["a"]]' in as_mermaid(Graph("f", (Node("1", "a", is_flow=True),), ()))


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("create_table", "create_table"),
        ("load-posts", "load-posts"),
        ("__init__", "#95;#95;init#95;#95;"),
        ('say "hi"', "say #34;hi#34;"),
        ("1. first", "1#46; first"),
        ("- item", "#45; item"),
        ("*bold* `code`", "#42;bold#42; #96;code#96;"),
        ("a & b; #35;", "a #38; b#59; #35;35#59;"),
        ("<br/>", "#60;br#47;#62;"),
        ("http://x", "http#58;#47;#47;x"),
        ("end", "end"),
        ("año 数据", "año 数据"),
        ("\U0001f680", "#128640;"),
        ("two\nlines", "two lines"),
        ("", "#8203;"),
    ],
)
def test_labels_hold_nothing_that_mermaid_or_markdown_would_read(name, label):
    assert label_of(name) == label


def test_an_empty_flow_is_an_empty_chart():
    assert as_mermaid(EMPTY) == "flowchart LR\n"
