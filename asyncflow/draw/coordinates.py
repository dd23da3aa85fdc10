"""How high each vertex stands, once ranks and orders are decided.

The edges are springs that pull their ends level. Column by column, forwards and backwards, the vertices move
to where the springs' energy is least while each stays below the one before it: least squares under an order,
which is isotonic regression once the gaps are subtracted, solved by pool-adjacent-violators (Ayer, Brunk,
Ewing, Reid and Silverman 1955). Each step lowers one convex energy, so the drawing comes to rest. Inner
pieces of long edges pull eight times as hard as edges between boxes, outer pieces twice (Gansner et al.
1993), and edges between vertices that have no other edges harder than those of hubs; so long edges and chains
come out straight.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from asyncflow.draw.mesh import BOX_GAP, Layers, Mesh

_SWEEPS = 60
_ONE_SIDED = 2
"""The first sweep in each direction looks back only, which carries news through the drawing at once."""
_AT_REST = 0.05
_LOOSE = 0.01
"""How hard a vertex that nothing pulls holds to its place."""
_PULLS = 8.0, 2.0, 1.0
"""How hard an edge pulls when none, one or both of its ends are boxes."""

Springs = list[list[tuple[int, float]]]
"""For each vertex the vertices on one side of it and how hard each pulls."""


def settle(mesh: Mesh, layers: Layers) -> list[float]:
    """Return the vertical centre of each vertex; the drawing's top is 0.

    Args:
        mesh: the vertices and the chains that join them.
        layers: the vertices of each column from top to bottom.
    """
    up, down = _springs(mesh)
    both = [first + second for first, second in zip(up, down, strict=True)]
    levels = [0.0] * len(mesh.ranks)
    for layer in layers:
        _stack(layer, mesh.extents, levels)
    for sweep in range(_SWEEPS):
        before = levels[:]
        forward = sweep % 2 == 0
        springs = both if sweep >= _ONE_SIDED else up if forward else down
        for layer in layers if forward else reversed(layers):
            _relax(layer, springs, mesh.extents, levels)
        if sweep >= _ONE_SIDED and all(abs(a - b) < _AT_REST for a, b in zip(levels, before, strict=True)):
            break
    _part(mesh, levels)
    return levels


def _springs(mesh: Mesh) -> tuple[Springs, Springs]:
    """Return the springs that pull each vertex towards the column before and the column after."""
    before, after = mesh.neighbours()
    up: Springs = [[] for _ in before]
    down: Springs = [[] for _ in after]
    for source, targets in enumerate(after):
        for target in targets:
            ends = mesh.is_node(source) + mesh.is_node(target)
            pull = _PULLS[ends] / (len(targets) * len(before[target]))
            down[source].append((target, pull))
            up[target].append((source, pull))
    return up, down


def _stack(layer: list[int], extents: Sequence[float], levels: list[float]) -> None:
    """Put the vertices of a column one under the other, centred on 0."""
    edge = -sum(extents[vertex] for vertex in layer) / 2
    for vertex in layer:
        levels[vertex] = edge + extents[vertex] / 2
        edge += extents[vertex]


def _relax(layer: list[int], springs: Springs, extents: Sequence[float], levels: list[float]) -> None:
    """Move a column to where its springs have the least energy that order and gaps allow."""
    offsets = [0.0]
    for above, below in pairwise(layer):
        offsets.append(offsets[-1] + (extents[above] + extents[below]) / 2)
    wishes = [_wish(vertex, springs[vertex], levels) for vertex in layer]
    granted = isotonic(
        [wish - offset for (wish, _), offset in zip(wishes, offsets, strict=True)],
        [weight for _, weight in wishes],
    )
    for vertex, level, offset in zip(layer, granted, offsets, strict=True):
        levels[vertex] = level + offset


def _wish(vertex: int, springs: list[tuple[int, float]], levels: list[float]) -> tuple[float, float]:
    """Return where a vertex alone in its column would rest, and how hard its springs pull it there."""
    if not springs:
        return levels[vertex], _LOOSE
    weight = sum(pull for _, pull in springs)
    return sum(levels[end] * pull for end, pull in springs) / weight, weight


def isotonic(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the never falling sequence nearest to `values` in weighted least squares."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        block = (value * weight, weight, 1)
        while blocks and blocks[-1][0] / blocks[-1][1] > block[0] / block[1]:
            total, mass, size = blocks.pop()
            block = (total + block[0], mass + block[1], size + block[2])
        blocks.append(block)
    return [total / mass for total, mass, size in blocks for _ in range(size)]


def _part(mesh: Mesh, levels: list[float]) -> None:
    """Put the connected parts of the graph one under the other, with nothing but a gap between them."""
    members: dict[int, list[int]] = {}
    for vertex, family in enumerate(mesh.families):
        members.setdefault(family, []).append(vertex)
    floor = 0.0
    for part in members.values():
        shift = floor - min(levels[vertex] - mesh.heights[vertex] / 2 for vertex in part)
        for vertex in part:
            levels[vertex] += shift
        floor = max(levels[vertex] + mesh.heights[vertex] / 2 for vertex in part) + BOX_GAP
