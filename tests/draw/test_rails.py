from __future__ import annotations

import pytest
from hypothesis import given

from asyncflow.draw.rails import draw_rails, reading_order
from asyncflow.draw.ranks import neighbours
from tests.draw.graphs import wirings


def drawn(count: int, edges: list[tuple[int, int]], most: int = 24) -> list[str]:
    up, down = neighbours(count, list(dict.fromkeys(edges)))
    return draw_rails(reading_order(up, down), up, down, most)


@pytest.mark.parametrize(
    ("count", "edges", "lines"),
    [
        (1, [], ["○"]),
        (2, [], ["○", "○"]),
        (2, [(0, 1)], ["○", "●"]),
        (3, [(0, 2), (1, 2)], ["○", "│ ○", "●─╯"]),
        (3, [(0, 1), (0, 2)], ["○", "├─●", "●"]),
        (4, [(0, 1), (0, 2), (1, 3), (2, 3)], ["○", "├─●", "● │", "●─╯"]),
        (4, [(0, 1), (0, 2), (0, 3), (1, 3), (2, 3)], ["○", "├─●", "├─│─●", "●─┴─╯"]),
        (4, [(0, 3), (1, 3), (2, 3)], ["○", "│ ○", "│ │ ○", "●─┴─╯"]),
        (4, [(0, 1), (0, 2), (0, 3)], ["○", "├─●", "├───●", "●"]),
        (5, [(0, 1), (0, 2), (0, 3), (0, 4)], ["○", "├─●", "├───●", "├─●", "●"]),
        (5, [(0, 4), (1, 3), (2, 3), (2, 4)], ["○", "│ ○", "│ │ ○", "│ ●─┤", "●───╯"]),
        (6, [(0, 5), (1, 3), (1, 4), (2, 3), (2, 5)], ["○", "│ ○", "│ ├─●", "│ │ ○", "│ ●─┤", "●───╯"]),
    ],
)
def test_rails_show_what_uses_what(count, edges, lines):
    assert drawn(count, edges) == lines


def test_beyond_the_most_rails_only_marks_are_left():
    edges = [(node, 5) for node in range(5)]
    assert drawn(6, edges, most=4) == ["○"] * 5 + ["●"]


def test_a_task_follows_what_it_waited_for_as_soon_as_it_can():
    up, down = neighbours(6, [(0, 4), (1, 2), (2, 3), (3, 4)])
    assert reading_order(up, down) == [0, 1, 2, 3, 4, 5]
    up, down = neighbours(5, [(0, 3), (3, 4), (1, 2)])
    assert reading_order(up, down) == [0, 3, 4, 1, 2]


@given(wirings())
def test_every_task_stands_once_and_after_what_it_uses(wiring):
    count, edges = wiring
    order = reading_order(*neighbours(count, list(dict.fromkeys(edges))))
    assert sorted(order) == list(range(count))
    assert all(order.index(source) < order.index(target) for source, target in edges)


@given(wirings())
def test_following_the_rails_gives_the_edges_back(wiring):
    count, edges = wiring
    edges = list(dict.fromkeys(edges))
    order = reading_order(*neighbours(count, edges))
    assert sorted(traced(order, drawn(count, edges, most=99))) == sorted(edges)


def traced(order: list[int], lines: list[str]) -> list[tuple[int, int]]:
    """Read the drawing as its reader does: down the rails, and sideways to the mark."""
    owner: dict[int, int] = {}
    found = []
    for task, line in zip(order, lines, strict=True):
        seat = next(at for at, char in enumerate(line) if char in "○●")
        run = _run_around(line, seat)
        for at in range(0, len(line), 2):
            char = line[at]
            joins = at in run and char in "├┤┼┴╯"
            ends = joins and char in "┴╯"
            if char == "●" and at in owner:
                joins = ends = True
            if joins:
                found.append((owner[at], task))
            if ends:
                del owner[at]
        owner[seat] = task
        owner = {at: source for at, source in owner.items() if at == seat or line[at : at + 1].strip("─ ")}
    return found


def _run_around(line: str, seat: int) -> range:
    first = last = seat
    while first >= 2 and line[first - 1] == "─":
        first -= 2
    while line[last + 1 : last + 2] == "─":
        last += 2
    return range(first, last + 1)
