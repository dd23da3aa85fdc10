from __future__ import annotations

import itertools

from hypothesis import given, settings

from asyncflow.draw.mesh import Layers, Mesh, build_mesh
from asyncflow.draw.order import arrange
from tests.draw.graphs import large_edges, wirings


def mesh_of(count: int, edges: list[tuple[int, int]]) -> Mesh:
    return build_mesh([(60.0, 30.0)] * count, edges)


def crossings(mesh: Mesh, layers: Layers) -> int:
    """Count by definition: pairs of links whose ends stand in opposite order."""
    place = {vertex: at for layer in layers for at, vertex in enumerate(layer)}
    _, down = mesh.neighbours()
    total = 0
    for layer in layers:
        links = [(place[vertex], place[end]) for vertex in layer for end in down[vertex]]
        total += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in itertools.combinations(links, 2))
    return total


def test_a_tree_is_drawn_without_crossings_however_it_is_numbered():
    edges = [(0, 5), (0, 1), (5, 2), (1, 6), (5, 4), (1, 3)]
    mesh = mesh_of(7, edges)
    assert crossings(mesh, arrange(mesh)) == 0


def test_twisted_pairs_are_untwisted():
    mesh = mesh_of(6, [(0, 5), (1, 4), (2, 3)])
    assert crossings(mesh, arrange(mesh)) == 0


def test_the_author_s_order_stands_where_nothing_crosses():
    mesh = mesh_of(5, [(0, 3), (1, 3), (2, 3), (3, 4)])
    assert arrange(mesh) == [[0, 1, 2], [3], [4]]


def test_vertices_change_places_where_sorting_by_neighbours_leaves_a_crossing():
    mesh = mesh_of(7, [(0, 5), (1, 4), (2, 5), (2, 6), (3, 4), (3, 5)])
    assert crossings(mesh, arrange(mesh)) == 0


def test_the_best_order_seen_is_kept_not_the_last():
    edges = [(0, 3), (0, 6), (1, 3), (2, 5), (4, 7), (4, 8), (5, 7), (5, 8), (6, 7)]
    mesh = mesh_of(9, edges)
    assert crossings(mesh, arrange(mesh)) == 1


def test_the_large_graph_has_few_crossings():
    mesh = mesh_of(*large_edges())
    assert crossings(mesh, arrange(mesh)) <= 800


@settings(max_examples=60)
@given(wirings())
def test_each_column_keeps_its_vertices(wiring):
    mesh = mesh_of(*wiring)
    layers = arrange(mesh)
    assert sorted(vertex for layer in layers for vertex in layer) == list(range(len(mesh.ranks)))
    assert all(mesh.ranks[vertex] == rank for rank, layer in enumerate(layers) for vertex in layer)


@settings(max_examples=60)
@given(wirings())
def test_it_is_never_worse_than_the_author_s_order(wiring):
    mesh = mesh_of(*wiring)
    layers = arrange(mesh)
    written = [sorted(layer, key=lambda vertex: (mesh.families[vertex], vertex)) for layer in layers]
    assert crossings(mesh, layers) <= crossings(mesh, written)


@settings(max_examples=60)
@given(wirings())
def test_connected_parts_are_never_mixed(wiring):
    mesh = mesh_of(*wiring)
    for layer in arrange(mesh):
        assert [mesh.families[vertex] for vertex in layer] == sorted(
            mesh.families[vertex] for vertex in layer
        )
