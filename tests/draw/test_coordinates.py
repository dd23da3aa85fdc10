from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.draw.coordinates import isotonic, settle
from asyncflow.draw.mesh import BOX_GAP, build_mesh
from asyncflow.draw.order import arrange
from tests.draw.graphs import wirings


def levels_of(count: int, edges: list[tuple[int, int]]) -> list[float]:
    mesh = build_mesh([(60.0, 30.0)] * count, edges)
    return [round(level, 1) for level in settle(mesh, arrange(mesh))]


@pytest.mark.parametrize(
    ("values", "weights", "expected"),
    [
        ([], [], []),
        ([1, 2, 3], [1, 1, 1], [1, 2, 3]),
        ([3, 1], [1, 1], [2, 2]),
        ([3, 1], [3, 1], [2.5, 2.5]),
        ([1, 4, 2, 2, 9], [1, 1, 1, 2, 1], [1, 2.5, 2.5, 2.5, 9]),
        ([5, 4, 3, 2, 1], [1, 1, 1, 1, 1], [3, 3, 3, 3, 3]),
    ],
)
def test_isotonic_pools_what_falls(values, weights, expected):
    assert isotonic(values, weights) == pytest.approx(expected)


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(0.1, 10)), max_size=20))
def test_isotonic_never_falls_and_keeps_the_weighted_sum(pairs):
    values, weights = [value for value, _ in pairs], [weight for _, weight in pairs]
    fitted = isotonic(values, weights)
    assert all(a <= b + 1e-9 for a, b in pairwise(fitted))
    assert sum(v * w for v, w in pairs) == pytest.approx(
        sum(f * w for f, w in zip(fitted, weights, strict=True)), abs=1e-6
    )


def test_a_chain_is_straight():
    assert levels_of(5, [(0, 1), (1, 2), (2, 3), (3, 4)]) == [15.0] * 5


def test_a_join_stands_in_the_middle_of_what_it_joins():
    top, middle, bottom, join, after = levels_of(5, [(0, 3), (1, 3), (2, 3), (3, 4)])
    assert (middle - top, bottom - middle) == (48.0, 48.0)
    assert join == after == middle


def test_a_branch_beside_a_chain_leaves_the_chain_straight():
    create, get, parse, store = levels_of(4, [(0, 3), (1, 2), (2, 3)])
    assert get == parse
    assert create < store < parse


def test_parts_without_a_connection_stand_one_under_the_other_with_one_gap_between():
    fan = [(0, node) for node in range(1, 6)]
    levels = levels_of(8, [*fan, (6, 7)])
    assert levels[6] == levels[7] == max(levels[:6]) + 30 + BOX_GAP


@settings(max_examples=60)
@given(wirings())
def test_boxes_of_a_column_keep_their_gap(wiring):
    count, edges = wiring
    mesh = build_mesh([(60.0, 20.0 + 5 * node) for node in range(count)], edges)
    layers = arrange(mesh)
    levels = settle(mesh, layers)
    for layer in layers:
        for above, below in pairwise(layer):
            assert levels[below] - levels[above] >= (mesh.extents[above] + mesh.extents[below]) / 2 - 1e-6
