from __future__ import annotations

import pytest

from asyncflow.draw.wiring import numbered, worth_drawing
from asyncflow.errors import InvalidFlow
from asyncflow.graph import Edge, Graph
from tests.draw.graphs import COMPLAINTS, graph_of


def test_edges_are_numbered_by_the_order_of_the_nodes():
    assert numbered(COMPLAINTS) == [(0, 3), (1, 2), (2, 3)]


def test_an_edge_to_a_node_that_is_not_there_is_named():
    graph = Graph("broken", COMPLAINTS.nodes, (Edge("create_table", "drop_table"),))
    with pytest.raises(InvalidFlow, match=r"'broken' names the node 'drop_table'"):
        numbered(graph)


@pytest.mark.parametrize(
    ("edges", "drawn"),
    [
        (["a>b:x", "a>b:y"], [0, 1]),
        (["a>b:x", "a>b:x"], [0]),
        (["a>b", "a>b:x", "a~b"], [1]),
        (["a~b", "a>b"], [1]),
        (["a~b", "a~b"], [0]),
        (["a>b", "b>c", "a~c"], [0, 1, 2]),
    ],
)
def test_between_two_tasks_the_lines_that_say_most_are_drawn(edges, drawn):
    assert worth_drawing(graph_of("a b c", *edges)) == drawn
