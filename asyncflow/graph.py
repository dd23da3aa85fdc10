"""A flow's graph as plain values: what depends on what, in which order, and where it is no graph at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asyncflow.errors import InvalidFlow


@dataclass(frozen=True, slots=True)
class Node:
    """One task of the graph.

    Attributes:
        id: unique inside the graph.
        label: what is written into the box.
        state: the name of the task run's state, or None before a run.
        is_flow: whether the node stands for a child flow.
    """

    id: str
    label: str
    state: str | None = None
    is_flow: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """One dependency.

    Attributes:
        source: the id of the node upstream.
        target: the id of the node downstream.
        label: the argument through which data travels; empty for an order-only edge.
        ordered_only: whether the edge carries no data.
    """

    source: str
    target: str
    label: str = ""
    ordered_only: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes and edges in the order in which the flow's author wrote them."""

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def topological_order(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return the nodes `0 .. count - 1` so that every edge points forward; ties keep their order.

    Raises:
        InvalidFlow: when the edges close a cycle. Use `find_cycle` to name it.
    """
    downstream: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for source, target in edges:
        downstream[source].append(target)
        waiting[target] += 1
    order = [node for node in range(count) if not waiting[node]]
    for node in order:
        for target in downstream[node]:
            waiting[target] -= 1
            if not waiting[target]:
                order.append(target)
    if len(order) < count:
        raise InvalidFlow("the edges close a cycle; a flow must be acyclic")
    return order


def find_cycle(count: int, edges: Sequence[tuple[int, int]]) -> list[int] | None:
    """Return the nodes of one cycle in the order of its edges, or None when there is none.

    Nodes that no cycle can pass are peeled off from both ends first; what is left is walked upstream until
    a node comes again.
    """
    upstream: list[list[int]] = [[] for _ in range(count)]
    downstream: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        upstream[target].append(source)
        downstream[source].append(target)
    left = [len(sources) for sources in upstream]
    free = [node for node in range(count) if not left[node]]
    for node in free:
        for target in downstream[node]:
            left[target] -= 1
            if not left[target]:
                free.append(target)
    stuck = next((node for node in range(count) if left[node]), None)
    if stuck is None:
        return None
    path: list[int] = []
    while stuck not in path:
        path.append(stuck)
        stuck = next(source for source in upstream[stuck] if left[source])
    return path[path.index(stuck) :][::-1]
