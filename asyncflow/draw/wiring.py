"""A graph's edges by number, and those of them that are worth a line."""

from __future__ import annotations

from asyncflow.errors import InvalidFlow
from asyncflow.graph import Edge, Graph


def numbered(graph: Graph) -> list[tuple[int, int]]:
    """Return the ends of each edge as numbers of nodes.

    Raises:
        InvalidFlow: when an edge names a node that the graph does not have.
    """
    numbers = {node.id: number for number, node in enumerate(graph.nodes)}
    try:
        return [(numbers[edge.source], numbers[edge.target]) for edge in graph.edges]
    except KeyError as missing:
        raise InvalidFlow(
            f"an edge of the flow {graph.name!r} names the node {missing}, which the flow does not have"
        ) from None


def worth_drawing(graph: Graph) -> list[int]:
    """Return the numbers of the edges to draw.

    Between the same two nodes every argument has its line; an edge without a name stands only where none with
    a name does, and one for order only where no data travels.
    """
    best: dict[tuple[str, str], int] = {}
    for edge in graph.edges:
        pair = edge.source, edge.target
        best[pair] = max(best.get(pair, 0), _says(edge))
    seen: dict[tuple[str, str, str], int] = {}
    for number, edge in enumerate(graph.edges):
        if _says(edge) == best[edge.source, edge.target]:
            seen.setdefault((edge.source, edge.target, edge.label), number)
    return list(seen.values())


def _says(edge: Edge) -> int:
    """Return how much an edge says: its argument's name, that data travels, or the order only."""
    if edge.label:
        return 2
    return 0 if edge.ordered_only else 1
