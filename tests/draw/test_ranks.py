from __future__ import annotations

import pytest
from hypothesis import given

from asyncflow.draw.ranks import assign_ranks, families
from asyncflow.errors import InvalidFlow
from tests.draw.graphs import wirings


@given(wirings())
def test_every_edge_leads_to_a_column_further_right(wiring):
    count, edges = wiring
    ranks = assign_ranks(count, edges)
    assert all(ranks[source] < ranks[target] for source, target in edges)


@given(wirings())
def test_columns_are_filled_from_the_first_on(wiring):
    count, edges = wiring
    ranks = assign_ranks(count, edges)
    assert sorted(set(ranks)) == list(range(len(set(ranks))))


@pytest.mark.parametrize(
    ("edges", "ranks"),
    [
        ([(0, 1), (1, 2), (2, 3)], [0, 1, 2, 3]),
        ([(0, 3), (1, 2), (2, 3)], [1, 0, 1, 2]),  # a root waits beside what its user waits for
        ([(0, 1), (1, 4), (0, 2), (2, 3), (3, 4)], [0, 2, 1, 2, 3]),  # slack is spent before the join
        ([(0, 1), (0, 2), (2, 3), (3, 4), (1, 5), (4, 5)], [0, 3, 1, 2, 3, 4]),
        ([], [0, 0, 0]),
    ],
)
def test_slack_goes_where_it_shortens_edges(edges, ranks):
    assert assign_ranks(len(ranks), edges) == ranks


@pytest.mark.parametrize("edges", [[(0, 0)], [(0, 1), (1, 0)], [(0, 1), (1, 2), (2, 1)]])
def test_a_cycle_is_refused(edges):
    with pytest.raises(InvalidFlow, match="cycle"):
        assign_ranks(3, edges)


def test_a_family_is_whatever_edges_join_in_either_direction():
    assert families(6, [(3, 1), (3, 4), (5, 2)]) == [0, 1, 2, 1, 1, 2]
