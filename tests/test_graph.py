from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.errors import InvalidFlow
from asyncflow.graph import find_cycle, topological_order

Edges = list[tuple[int, int]]


@st.composite
def edges(draw: st.DrawFn) -> tuple[int, Edges]:
    count = draw(st.integers(1, 8))
    node = st.integers(0, count - 1)
    return count, draw(st.lists(st.tuples(node, node), max_size=14))


@given(edges())
def test_there_is_an_order_or_a_cycle_and_each_can_be_shown(graph: tuple[int, Edges]) -> None:
    count, joined = graph
    cycle = find_cycle(count, joined)
    if cycle is None:
        order = topological_order(count, joined)
        assert sorted(order) == list(range(count))
        assert all(order.index(source) < order.index(target) for source, target in joined)
    else:
        assert len(set(cycle)) == len(cycle)
        assert all(step in joined for step in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
        with pytest.raises(InvalidFlow, match="cycle"):
            topological_order(count, joined)


def test_ties_keep_the_order_in_which_they_were_written() -> None:
    assert topological_order(4, []) == [0, 1, 2, 3]
    assert topological_order(4, [(3, 0)]) == [1, 2, 3, 0]


@pytest.mark.parametrize(
    ("count", "joined", "cycle"),
    [
        (1, [(0, 0)], [0]),
        (2, [(0, 1), (1, 0)], [0, 1]),
        (5, [(0, 1), (1, 2), (2, 3), (3, 1), (3, 4)], [1, 2, 3]),
        (3, [(0, 1), (1, 2)], None),
        (0, [], None),
    ],
)
def test_a_cycle_is_named_without_what_hangs_on_it(
    count: int, joined: Edges, cycle: list[int] | None
) -> None:
    found = find_cycle(count, joined)
    assert (found and sorted(found)) == cycle


def test_a_long_chain_is_ordered_without_recursion() -> None:
    joined = [(node, node + 1) for node in range(20_000)]
    assert topological_order(20_001, joined) == list(range(20_001))
    assert find_cycle(20_001, joined) is None
