"""Graphs to draw: the flows of the guide, a large one, and any that Hypothesis can think of."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import strategies as st

from asyncflow.graph import Edge, Graph, Node

HARD_NAMES = [
    "<b>&\"'",
    "señal_año_ñandú",
    "数据清洗任务",
    "\U0001f680 launch \U0001f469\u200d\U0001f680",
    "معالجة الطلبات",
    "(paren) \\ back",
    "]]> <!-- %% //",
    "extract_" + "very_long_name_" * 10 + "end",
    "tab\tnew\nline\x00\x1b[31m",
    "a\u202eb",
    "lone \ud800",
    "\ufffe\uffff",
    "",
    "   ",
]


def graph_of(names: str, *edges: str, states: str = "", name: str = "a flow") -> Graph:
    """Write `a>b` for an edge, `a>b:rows` for a named argument and `a~b` for order only."""
    labels = names.split()
    given = states.split() or [None] * len(labels)
    nodes = tuple(Node(label, label, state) for label, state in zip(labels, given, strict=True))
    return Graph(name, nodes, tuple(_edge(text) for text in edges))


def _edge(text: str) -> Edge:
    if "~" in text:
        source, target = text.split("~")
        return Edge(source, target, ordered_only=True)
    source, _, rest = text.partition(">")
    target, _, label = rest.partition(":")
    return Edge(source, target, label)


COMPLAINTS = graph_of(
    "create_table get_complaints parse_complaints store_complaints",
    "create_table~store_complaints",
    "get_complaints>parse_complaints:raw",
    "parse_complaints>store_complaints:parsed",
    name="complaints etl",
)
COMPLAINTS_RUN = replace(
    COMPLAINTS,
    nodes=tuple(
        replace(node, state=state)
        for node, state in zip(
            COMPLAINTS.nodes, ["Success", "Success", "Failed", "TriggerFailed"], strict=True
        )
    ),
)
EMPTY = Graph("nothing", (), ())
SINGLE = graph_of("only")


def hard_graph() -> Graph:
    nodes = tuple(Node(str(at), name, "Failed" if at % 2 else None) for at, name in enumerate(HARD_NAMES))
    edges = tuple(Edge(str(at), str(at + 1), name) for at, name in enumerate(HARD_NAMES[:-1]))
    return Graph(" / ".join(HARD_NAMES), nodes, edges)


def large_edges(seed: int = 7) -> tuple[int, list[tuple[int, int]]]:
    """Return the 300 nodes and 481 edges on which layouts are compared: stages that grow and shrink."""
    random = Random(seed)
    stages: list[list[int]] = []
    edges: list[tuple[int, int]] = []
    count = 0
    for size in [4, 10, 20, 30, 40, 50, 50, 40, 26, 16, 9, 4, 1]:
        stage = list(range(count, count + size))
        count += size
        for at, node in enumerate(stage if stages else []):
            before = stages[-1]
            centre = at * len(before) // len(stage)
            near = {
                min(len(before) - 1, max(0, centre + random.choice([-2, -1, 0, 0, 1, 2])))
                for _ in range(random.choice([1, 1, 2, 3]))
            }
            edges += [(before[place], node) for place in sorted(near)]
            if len(stages) > 2 and random.random() < 0.05:
                edges.append((random.choice(stages[-3]), node))
        stages.append(stage)
    return count, edges


@st.composite
def wirings(draw: st.DrawFn, most: int = 12) -> tuple[int, list[tuple[int, int]]]:
    """Draw a number of nodes and edges without a cycle, in any order and numbering."""
    count = draw(st.integers(0, most))
    numbers = draw(st.permutations(range(count)))
    pairs = [(numbers[a], numbers[b]) for a in range(count) for b in range(a + 1, count)]
    return count, draw(st.lists(st.sampled_from(pairs), max_size=3 * most)) if pairs else []
