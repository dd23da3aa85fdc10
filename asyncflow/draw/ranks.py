"""Which column each node stands in.

Longest-path layering (Eades and Sugiyama, "How to draw a directed graph", 1990) puts every node as far left
as its upstream allows. Tightening then moves nodes through their slack wherever that shortens edges, the
local form of the tight tree in Gansner, Koutsofios, North and Vo, "A technique for drawing directed graphs",
1993.
"""

from __future__ import annotations

from collections.abc import Sequence

from asyncflow.graph import topological_order

_ROUNDS = 4

Neighbours = list[list[int]]


def neighbours(count: int, edges: Sequence[tuple[int, int]]) -> tuple[Neighbours, Neighbours]:
    """Return what is upstream and what is downstream of each node, in the order of the edges."""
    up: Neighbours = [[] for _ in range(count)]
    down: Neighbours = [[] for _ in range(count)]
    for source, target in edges:
        up[target].append(source)
        down[source].append(target)
    return up, down


def assign_ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return the column of each node, counted from 0; every edge leads to a column further right.

    Raises:
        InvalidFlow: when the edges close a cycle.
    """
    order = topological_order(count, edges)
    up, down = neighbours(count, edges)
    ranks = [0] * count
    for node in order:
        ranks[node] = max((ranks[source] + 1 for source in up[node]), default=0)
    for _ in range(_ROUNDS):
        if not _tighten(ranks, order, up, down):
            break
    return ranks


def _tighten(ranks: list[int], order: list[int], up: Neighbours, down: Neighbours) -> bool:
    """Move each node once to the better end of its slack, consumers first; return whether any moved."""
    before = ranks[:]
    for node in reversed(order):
        if down[node] and len(down[node]) >= len(up[node]):
            ranks[node] = min(ranks[target] for target in down[node]) - 1
        elif up[node]:
            ranks[node] = max(ranks[source] for source in up[node]) + 1
    return ranks != before


def families(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return for each node the lowest node that edges join it to, in whatever direction."""
    up, down = neighbours(count, edges)
    family = [-1] * count
    for first in range(count):
        if family[first] >= 0:
            continue
        family[first] = first
        reached = [first]
        for node in reached:
            for near in up[node] + down[node]:
                if family[near] < 0:
                    family[near] = first
                    reached.append(near)
    return family
