"""The graph as the layout sees it: every edge a chain of vertices, one in each column that it passes.

Vertices are numbered: first the nodes, then the bends of long edges, then labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from asyncflow.draw.ranks import Neighbours, assign_ranks, families, neighbours

Size = tuple[float, float]
Layers = list[list[int]]
_Trunk = tuple[int, bool]
"""A node, and whether the trunk leaves it (it arrives otherwise)."""

BOX_GAP, _LINE_GAP, _LABEL_GAP = 18.0, 10.0, 3.0
"""Free space between two boxes, lines or labels, one above the other; unlike pairs get the mean."""
LABEL_STUB = 5.0
"""How much of its edge is seen on each side of the widest label, before the edge begins to bend."""
_AROUND_LABEL = 4.0


@dataclass(slots=True)
class Mesh:
    """Vertices and the chains that join them.

    Attributes:
        nodes: how many of the vertices are nodes; they come first.
        ranks: the column of each vertex.
        families: the connected part that each vertex belongs to.
        widths: the width of each vertex; bends have none.
        heights: the height of each vertex; bends have none.
        extents: the height of each vertex with its share of the gaps above and below it.
        chains: the vertices of each edge, from source to target; edges that run together share bends.
    """

    nodes: int
    ranks: list[int]
    families: list[int]
    widths: list[float]
    heights: list[float]
    extents: list[float]
    chains: list[list[int]] = field(default_factory=list)

    def is_node(self, vertex: int) -> bool:
        """Return whether the vertex is a node, neither a bend nor a label."""
        return vertex < self.nodes

    def add(self, rank: int, family: int, size: Size | None = None) -> int:
        """Add a bend, or a label of that size, and return its number."""
        width, height = size or (0.0, 0.0)
        self.ranks.append(rank)
        self.families.append(family)
        self.widths.append(width + 2 * (_AROUND_LABEL + LABEL_STUB) if size else 0.0)
        self.heights.append(height)
        self.extents.append(height + (_LABEL_GAP if size else _LINE_GAP))
        return len(self.ranks) - 1

    def neighbours(self) -> tuple[Neighbours, Neighbours]:
        """Return for each vertex its neighbours in the column before and in the column after."""
        links = dict.fromkeys(link for chain in self.chains for link in pairwise(chain))
        return neighbours(len(self.ranks), list(links))


def build_mesh(
    sizes: Sequence[Size], edges: Sequence[tuple[int, int]], labels: Sequence[Size | None] = ()
) -> Mesh:
    """Give each node its column and each edge its chain.

    Raises:
        InvalidFlow: when the edges close a cycle.
    """
    mesh = Mesh(
        nodes=len(sizes),
        ranks=assign_ranks(len(sizes), edges),
        families=families(len(sizes), edges),
        widths=[width for width, _ in sizes],
        heights=[height for _, height in sizes],
        extents=[height + BOX_GAP for _, height in sizes],
    )
    trunks = _trunks(mesh.ranks, edges, labels or [None] * len(edges))
    bends: dict[tuple[_Trunk, int], int] = {}
    for (source, target), trunk in zip(edges, trunks, strict=True):
        chain = [source]
        for rank in range(mesh.ranks[source] + 1, mesh.ranks[target]):
            if (trunk, rank) not in bends:
                bends[trunk, rank] = mesh.add(rank, mesh.families[source])
            chain.append(bends[trunk, rank])
        mesh.chains.append([*chain, target])
    return mesh


def _trunks(
    ranks: Sequence[int], edges: Sequence[tuple[int, int]], labels: Sequence[Size | None]
) -> list[_Trunk]:
    """Return the trunk that each edge runs in.

    Long edges of one node run together for as long as they can, so that a node which everything uses does not
    fill the drawing with lines. An edge joins the others of the end that has more of them; one with a label
    those of its source, as its label stands before its target.
    """
    leaving: Counter[int] = Counter()
    arriving: Counter[int] = Counter()
    for (source, target), label in zip(edges, labels, strict=True):
        if ranks[target] - ranks[source] > 1:
            leaving[source] += 1
            arriving[target] += label is None
    return [
        (target, False) if label is None and arriving[target] > leaving[source] else (source, True)
        for (source, target), label in zip(edges, labels, strict=True)
    ]


def insert_labels(mesh: Mesh, layers: Layers, labels: Sequence[Size | None]) -> list[int | None]:
    """Add a column of labels before each column that a labelled edge ends in; return each label's vertex.

    The labels stand in the order of their targets, so all crossings happen before them and a label reads as
    the name of the argument that it is.
    """
    found: list[int | None] = [None] * len(labels)
    sought = [False] * len(layers)
    for chain, label in zip(mesh.chains, labels, strict=True):
        sought[mesh.ranks[chain[-1]]] |= label is not None
    for rank in range(len(layers) - 1, 0, -1):
        if sought[rank]:
            layers.insert(rank, _label_column(mesh, layers, rank, labels, found))
    for rank, layer in enumerate(layers):
        for vertex in layer:
            mesh.ranks[vertex] = rank
    return found


def _label_column(
    mesh: Mesh, layers: Layers, rank: int, labels: Sequence[Size | None], found: list[int | None]
) -> list[int]:
    """Put a vertex into every chain that enters column `rank`; return the vertices in order."""
    before = {vertex: place for place, vertex in enumerate(layers[rank - 1])}
    after = {vertex: place for place, vertex in enumerate(layers[rank])}
    bends: dict[tuple[int, int], int] = {}
    column: list[tuple[int, int, int]] = []
    for edge, chain in enumerate(mesh.chains):
        at = rank - mesh.ranks[chain[0]]
        if not 0 < at < len(chain):
            continue
        link = chain[at - 1], chain[at]
        label = labels[edge] if at == len(chain) - 1 else None
        vertex = None if label else bends.get(link)
        if vertex is None:
            vertex = mesh.add(rank, mesh.families[chain[0]], label)
            column.append((after[link[1]], before[link[0]], vertex))
        if label:
            found[edge] = vertex
        else:
            bends[link] = vertex
        chain.insert(at, vertex)
    return [vertex for _, _, vertex in sorted(column)]
