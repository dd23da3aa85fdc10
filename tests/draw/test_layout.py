from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.draw.layout import Layout, Route, lay_out
from asyncflow.errors import InvalidFlow
from tests.draw.graphs import wirings

HEIGHT = 30.0
ROUNDING = 1e-6
Rectangle = tuple[float, float, float, float]


@st.composite
def problems(draw):
    """Draw boxes of several widths, edges, and labels on some of them."""
    count, edges = draw(wirings())
    sizes = [(draw(st.sampled_from([40.0, 90.0, 200.0])), HEIGHT) for _ in range(count)]
    labels = [draw(st.sampled_from([None, (20.0, 12.0), (75.0, 12.0)])) for _ in edges]
    return sizes, edges, labels


def boxes(layout: Layout) -> list[Rectangle]:
    return [
        (x - width / 2, y - HEIGHT / 2, x + width / 2, y + HEIGHT / 2)
        for (x, y), width in zip(layout.centres, layout.widths, strict=True)
    ]


def label_boxes(layout: Layout, labels) -> list[tuple[int, Rectangle]]:
    return [
        (
            edge,
            (
                route.label[0] - size[0] / 2,
                route.label[1] - 6,
                route.label[0] + size[0] / 2,
                route.label[1] + 6,
            ),
        )
        for edge, (route, size) in enumerate(zip(layout.routes, labels, strict=True))
        if size
    ]


def overlap(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def pieces(layout: Layout):
    for edge, route in enumerate(layout.routes):
        for stroke in route.strokes:
            for (x0, y0), (x1, y1) in pairwise(stroke):
                yield edge, x0, y0, x1, y1


@given(problems())
def test_no_two_boxes_overlap(problem):
    placed = boxes(lay_out(*problem))
    assert not any(overlap(a, b) for at, a in enumerate(placed) for b in placed[:at])


@given(problems())
def test_a_column_is_as_wide_as_its_widest_box_and_all_its_boxes_are(problem):
    layout = lay_out(*problem)
    for column in range(max(layout.columns, default=-1) + 1):
        members = [node for node, at in enumerate(layout.columns) if at == column]
        assert {layout.widths[node] for node in members} <= {
            max((problem[0][node][0] for node in members), default=0.0)
        }
        assert len({layout.centres[node][0] for node in members}) <= 1


@given(problems())
def test_every_edge_runs_from_its_source_s_right_side_forward_to_its_target_s_left_side(problem):
    layout = lay_out(*problem)
    placed = boxes(layout)
    for (source, target), route in zip(problem[1], layout.routes, strict=True):
        points = [point for stroke in route.strokes for point in stroke]
        assert points[0] == pytest.approx((placed[source][2], layout.centres[source][1]))
        assert points[-1] == pytest.approx((placed[target][0], layout.centres[target][1]))
        assert all(a[0] <= b[0] for a, b in pairwise(points))
        assert placed[source][2] < placed[target][0]


@given(problems())
def test_everything_is_inside_the_page(problem):
    layout = lay_out(*problem)
    everything = boxes(layout) + [box for _, box in label_boxes(layout, problem[2])]
    everything += [(x, y, x, y) for route in layout.routes for stroke in route.strokes for x, y in stroke]
    for left, top, right, bottom in everything:
        assert -0.1 <= left <= right <= layout.width + 0.1
        assert -0.1 <= top <= bottom <= layout.height + 0.1


@given(problems())
def test_no_edge_crosses_a_box(problem):
    layout = lay_out(*problem)
    for left, top, right, bottom in boxes(layout):
        for _, x0, y0, x1, y1 in pieces(layout):
            if x0 + ROUNDING < right and left + ROUNDING < x1:
                assert y0 == y1, "edges bend between the columns only"
                assert not top < y0 < bottom


@given(problems())
def test_edges_run_together_only_where_it_is_clear_which_is_which(problem):
    layout = lay_out(*problem)
    _, edges, labels = problem
    drawn: dict[tuple[float, ...], int] = {}
    for edge, *piece in pieces(layout):
        first = drawn.setdefault(tuple(piece), edge)
        same_source = edges[first][0] == edges[edge][0]
        unlabelled = labels[first] is None and labels[edge] is None
        assert same_source or (unlabelled and edges[first][1] == edges[edge][1])


@given(problems())
def test_labels_stand_in_the_order_of_their_targets_so_that_no_edges_cross_behind_them(problem):
    layout = lay_out(*problem)
    behind = [
        (route.label[0], route.label[1], layout.centres[target][1])
        for (_, target), route in zip(problem[1], layout.routes, strict=True)
        if route.label
    ]
    for x, y, target in behind:
        assert all(target <= below for at, label, below in behind if at == x and label > y)


@given(problems())
def test_labels_cover_no_box_no_other_label_and_no_other_edge(problem):
    layout = lay_out(*problem)
    placed = label_boxes(layout, problem[2])
    for at, (edge, label) in enumerate(placed):
        assert not any(overlap(label, box) for box in boxes(layout))
        assert not any(overlap(label, other) for _, other in placed[:at])
        for _, x0, y0, x1, y1 in pieces(layout):
            if x0 < label[2] and label[0] < x1:
                assert y0 == y1
                assert not label[1] < y0 < label[3], edge


@given(problems())
def test_the_same_graph_is_laid_out_the_same_way(problem):
    assert lay_out(*problem) == lay_out(*problem)


@pytest.mark.process
def test_another_process_lays_out_the_same_way():
    program = (
        "from tests.draw.graphs import large_edges; from asyncflow.draw.layout import lay_out;"
        "count, edges = large_edges(); print(hash(lay_out([(60, 30)] * count, edges).centres))"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    ]
    assert answers[0] == answers[1]


def test_nothing_takes_no_room():
    assert lay_out([], []) == Layout((), (), (), (), 0.0, 0.0)


def test_a_single_box_fills_the_drawing():
    assert lay_out([(80, 30)], []) == Layout(((40.0, 15.0),), (80.0,), (0,), (), 80.0, 30.0)


def test_a_cycle_is_refused():
    with pytest.raises(InvalidFlow, match="cycle"):
        lay_out([(60, 30)] * 2, [(0, 1), (1, 0)])


def test_edges_with_labels_of_their_own_run_apart_to_a_common_target():
    edges = [(0, 1), (2, 1), (1, 3), (3, 4), (0, 4), (2, 4)]
    apart = lay_out([(60, 30)] * 5, edges, [None] * 4 + [(20.0, 12.0)] * 2)
    together = lay_out([(60, 30)] * 5, edges)
    assert not shared(apart.routes[4], apart.routes[5])
    assert shared(together.routes[4], together.routes[5])


def shared(a: Route, b: Route) -> bool:
    ways = [{piece for stroke in route.strokes for piece in pairwise(stroke)} for route in (a, b)]
    return bool(ways[0] & ways[1])


def test_columns_with_steep_edges_between_them_stand_further_apart():
    flat = lay_out([(60, 30)] * 2, [(0, 1)])
    steep = lay_out([(60, 30)] * 12, [(0, node) for node in range(1, 12)])
    assert steep.centres[1][0] - steep.centres[0][0] > flat.centres[1][0] - flat.centres[0][0] + 40


def test_a_task_that_a_long_chain_uses_takes_one_line_not_one_for_each():
    count = 60
    edges = [(node, node + 1) for node in range(1, count - 1)] + [(0, node) for node in range(1, count)]
    assert lay_out([(60, 30)] * count, edges).height < 300
