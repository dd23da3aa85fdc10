"""In which order the vertices of each column stand, so that few edges cross.

Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures", 1981: sweep
over the columns, sorting each by where its neighbours stand. Means and medians take turns, the best order
seen is kept, and vertices change places with the next as long as that helps (Gansner et al. 1993). Counting
by insertion into a sorted list follows Barth, Jünger and Mutzel, "Simple and efficient bilayer cross
counting", 2002.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from asyncflow.draw.mesh import Layers, Mesh
from asyncflow.draw.ranks import Neighbours

_SWEEPS = 12
_ROUNDS = 8


def arrange(mesh: Mesh) -> Layers:
    """Return the vertices of each column from top to bottom."""
    order = _Order(mesh)
    best, fewest = order.copy(), order.crossings()
    for turn in range(_SWEEPS):
        if not fewest:
            break
        order.sweep(downstream=turn % 2 == 0, middle=_mean if turn % 4 < 2 else _median)
        order.transpose()
        count = order.crossings()
        if count < fewest:
            best, fewest = order.copy(), count
    return best


class _Order:
    """The order under work: it starts as the author's own, one connected part after the other.

    Parts are never mixed, so edges of different parts never cross.
    """

    def __init__(self, mesh: Mesh) -> None:
        self._families = mesh.families
        self._up, self._down = mesh.neighbours()
        self._layers: Layers = [[] for _ in range(max(mesh.ranks, default=-1) + 1)]
        for vertex in sorted(range(len(mesh.ranks)), key=mesh.families.__getitem__):
            self._layers[mesh.ranks[vertex]].append(vertex)
        self._places = [0] * len(mesh.ranks)
        for layer in self._layers:
            self._number(layer)

    def copy(self) -> Layers:
        return [layer[:] for layer in self._layers]

    def crossings(self) -> int:
        """Return how many pairs of edges cross."""
        return sum(self._crossings_after(layer) for layer in self._layers)

    def sweep(self, *, downstream: bool, middle: Callable[[list[int]], float]) -> None:
        """Sort each column by the middle of its neighbours' places, going with the edges or against them."""
        near = self._up if downstream else self._down

        def wish(vertex: int) -> tuple[int, float]:
            ends = [self._places[end] for end in near[vertex]]
            return self._families[vertex], middle(ends) if ends else self._places[vertex]

        for layer in self._layers if downstream else reversed(self._layers):
            layer.sort(key=wish)
            self._number(layer)

    def transpose(self) -> None:
        """Swap vertices that stand next to each other for as long as that undoes crossings."""
        for _ in range(_ROUNDS):
            swapped = [self._swap_in(layer) for layer in self._layers]
            if not any(swapped):
                break

    def _number(self, layer: list[int]) -> None:
        for place, vertex in enumerate(layer):
            self._places[vertex] = place

    def _crossings_after(self, layer: list[int]) -> int:
        """Count the crossings between a column and the next: the inversions of the edges' far ends."""
        count = 0
        passed: list[int] = []
        for vertex in layer:
            for end in sorted([self._places[target] for target in self._down[vertex]]):
                at = bisect_right(passed, end)
                count += len(passed) - at
                passed.insert(at, end)
        return count

    def _swap_in(self, layer: list[int]) -> bool:
        """Pass once down a column and swap each pair that crosses less when swapped."""
        swapped = False
        for place in range(len(layer) - 1):
            upper, lower = layer[place], layer[place + 1]
            if self._gain(self._up, upper, lower) + self._gain(self._down, upper, lower) > 0:
                layer[place], layer[place + 1] = lower, upper
                self._places[lower], self._places[upper] = place, place + 1
                swapped = True
        return swapped

    def _gain(self, near: Neighbours, upper: int, lower: int) -> int:
        """Return how many crossings on one side vanish when `upper` and `lower` change places."""
        gain = 0
        for above in near[upper]:
            place = self._places[above]
            for below in near[lower]:
                other = self._places[below]
                gain += (place > other) - (place < other)
        return gain


def _mean(places: list[int]) -> float:
    return sum(places) / len(places)


def _median(places: list[int]) -> float:
    ordered = sorted(places)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
