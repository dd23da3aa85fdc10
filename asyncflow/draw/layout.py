"""A layered drawing of an acyclic graph, from left to right, as plain numbers.

The stages are those of Sugiyama, Tagawa and Toda 1981: ranks, order, coordinates. Long edges run through the
columns between their ends, so no edge crosses a box. An edge's label is a small vertex of its own in a column
just before the edge's target (Gansner et al. 1993), so no label covers anything either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from asyncflow.draw.coordinates import settle
from asyncflow.draw.mesh import LABEL_STUB, Layers, Mesh, Size, build_mesh, insert_labels
from asyncflow.draw.order import arrange

Point = tuple[float, float]

_NARROWEST, _NARROWEST_AT_LABELS, _WIDEST, _STEEPNESS = 38.0, 26.0, 110.0, 0.5
"""The gap between two columns grows with its steepest edge, between these bounds."""


@dataclass(frozen=True, slots=True)
class Route:
    """The way of one edge.

    Attributes:
        strokes: runs of points, broken where the label stands; points on one height are joined by a straight
            line, others by a curve that leaves and arrives level.
        label: the centre of the edge's label, or None when it has none.
    """

    strokes: tuple[tuple[Point, ...], ...]
    label: Point | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands; x grows to the right, y grows downwards, nothing is left of or above 0.

    Attributes:
        centres: the centre of each node's box.
        widths: the width of each node's box: the boxes of a column are as wide as the widest of them.
        columns: the number of each node's column, from the left.
        routes: the way of each edge.
        width: of the whole drawing.
        height: of the whole drawing.
    """

    centres: tuple[Point, ...]
    widths: tuple[float, ...]
    columns: tuple[int, ...]
    routes: tuple[Route, ...]
    width: float
    height: float


def lay_out(
    sizes: Sequence[Size], edges: Sequence[tuple[int, int]], labels: Sequence[Size | None] = ()
) -> Layout:
    """Return where the nodes stand and which way the edges run.

    Args:
        sizes: width and height of each node's box.
        edges: pairs of node numbers, from upstream to downstream.
        labels: width and height of each edge's label, None for an edge without one; empty for no labels.

    Raises:
        InvalidFlow: when the edges close a cycle.
    """
    mesh = build_mesh(sizes, edges, labels)
    layers = arrange(mesh)
    label_at = insert_labels(mesh, layers, labels) if any(labels) else [None] * len(edges)
    levels = [round(level, 1) for level in settle(mesh, layers)]
    columns = _columns(mesh, layers, levels, label_at)
    places = [columns[rank] for rank in mesh.ranks]
    return Layout(
        centres=tuple((places[node].middle, levels[node]) for node in range(len(sizes))),
        widths=tuple(places[node].width for node in range(len(sizes))),
        columns=tuple(mesh.ranks[: len(sizes)]),
        routes=tuple(_route(mesh, *way, places, levels) for way in zip(mesh.chains, label_at, strict=True)),
        width=columns[-1].right if columns else 0.0,
        height=max((level + tall / 2 for level, tall in zip(levels, mesh.heights, strict=True)), default=0.0),
    )


@dataclass(frozen=True, slots=True)
class _Column:
    left: float
    width: float

    @property
    def middle(self) -> float:
        return self.left + self.width / 2

    @property
    def right(self) -> float:
        return self.left + self.width


def _columns(
    mesh: Mesh, layers: Layers, levels: list[float], label_at: Sequence[int | None]
) -> list[_Column]:
    """Return the columns from left to right, each as wide as its widest vertex."""
    near_labels = [False] * (len(layers) + 1)
    for label in label_at:
        if label is not None:
            near_labels[mesh.ranks[label]] = near_labels[mesh.ranks[label] + 1] = True
    steepest = _steepest(mesh, levels, len(layers))
    left = 0.0
    columns: list[_Column] = []
    for rank, layer in enumerate(layers):
        if rank:
            narrowest = _NARROWEST_AT_LABELS if near_labels[rank] else _NARROWEST
            left = columns[-1].right + min(max(narrowest, steepest[rank] * _STEEPNESS), _WIDEST)
        columns.append(_Column(left, max(mesh.widths[vertex] for vertex in layer)))
    return columns


def _steepest(mesh: Mesh, levels: list[float], count: int) -> list[float]:
    """Return the greatest rise or fall of an edge on its way into each column."""
    steepest = [0.0] * count
    for chain in mesh.chains:
        for before, after in pairwise(chain):
            rank = mesh.ranks[after]
            steepest[rank] = max(steepest[rank], abs(levels[after] - levels[before]))
    return steepest


def _route(
    mesh: Mesh, chain: list[int], label: int | None, places: list[_Column], levels: list[float]
) -> Route:
    """Lead an edge from its source's right side, level through every column, to its target's left side."""
    source, *between, target = chain
    stroke = [(places[source].right, levels[source])]
    strokes = [stroke]
    for vertex in between:
        column, level = places[vertex], levels[vertex]
        stroke.append((column.left, level))
        if vertex == label:
            half = mesh.widths[vertex] / 2 - LABEL_STUB
            stroke.append((column.middle - half, level))
            stroke = [(column.middle + half, level)]
            strokes.append(stroke)
        stroke.append((column.right, level))
    stroke.append((places[target].left, levels[target]))
    at = None if label is None else (places[label].middle, levels[label])
    return Route(tuple(tuple(points) for points in strokes), at)
