from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from asyncflow.draw.compose import compose
from asyncflow.draw.picture import number, segments
from asyncflow.draw.spelling import in_cp1252
from asyncflow.errors import InvalidFlow
from asyncflow.graph import Graph, Node
from tests.draw.graphs import COMPLAINTS, COMPLAINTS_RUN, EMPTY, SINGLE, graph_of, hard_graph

GRAPHS = [COMPLAINTS, COMPLAINTS_RUN, EMPTY, SINGLE, hard_graph()]


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name[:12])
def test_every_text_stands_inside_its_box(graph):
    for box in compose(graph).boxes:
        for text in filter(None, [box.name, box.word]):
            assert box.x + 8 <= text.left
            assert text.left + text.width <= box.x + box.width - 8
            assert box.y + text.size * 0.75 <= text.baseline <= box.y + box.height - text.size * 0.25


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name[:12])
def test_everything_keeps_a_margin_to_the_page(graph):
    picture = compose(graph)
    for box in picture.boxes:
        assert box.x >= 15.9
        assert box.y >= 15.9
        assert box.x + box.width <= picture.width - 15.9
        assert box.y + box.height <= picture.height - 15.9


def test_names_stand_in_the_middle_without_a_state_and_beside_the_sign_with_one():
    for box in compose(COMPLAINTS).boxes:
        assert box.name.is_centred
        assert box.name.x == pytest.approx(box.x + box.width / 2)
    for box in compose(COMPLAINTS_RUN).boxes:
        assert not box.name.is_centred
        assert box.name.x > box.sign_at[0] + 15


def test_arrows_touch_the_box_they_point_at():
    picture = compose(COMPLAINTS)
    store = picture.boxes[3]
    assert {line.tip for line in picture.lines if line.tip[0] > 300} == {
        (store.x, store.y + store.height / 2)
    }
    assert all(line.strokes[-1][-1][0] == line.tip[0] - 7.5 for line in picture.lines)


def test_a_state_is_shown_by_sign_and_word_and_told_in_the_title():
    create, _, parse, store = compose(COMPLAINTS_RUN).boxes
    assert [box.word.text for box in (create, parse, store) if box.word] == [
        "Success",
        "Failed",
        "Trigger failed",
    ]
    assert store.title == "store_complaints: Trigger failed"
    assert parse.look is not None


def test_a_child_flow_is_marked_and_told_in_the_title():
    graph = Graph("f", (Node("1", "load", is_flow=True), Node("2", "save")), ())
    load, save = compose(graph).boxes
    assert (load.is_flow, load.title) == (True, "load (child flow)")
    assert (save.is_flow, save.title) == (False, "save")


@pytest.mark.parametrize("state", [None, "Success"])
def test_the_second_border_of_a_child_flow_takes_no_room_from_its_text(state):
    (task,) = compose(Graph("f", (Node("1", "load_everything", state),), ())).boxes
    (child,) = compose(Graph("f", (Node("1", "load_everything", state, is_flow=True),), ())).boxes
    assert child.width == task.width + 6
    assert child.name.left - child.x == pytest.approx(task.name.left - task.x + 3)


def test_a_long_name_is_cut_in_its_box_and_whole_in_its_title():
    name = "extract_" + "very_" * 30 + "long"
    box = compose(graph_of(name)).boxes[0]
    assert "…" in box.name.text
    assert box.title == name
    assert box.width < 280


def test_an_edge_without_data_is_dashed_and_has_no_label():
    dashed = [line for line in compose(COMPLAINTS).lines if line.is_dashed]
    assert len(dashed) == 1
    assert dashed[0].label is None
    assert sorted(line.label.text for line in compose(COMPLAINTS).lines if line.label) == ["parsed", "raw"]


def test_the_line_is_broken_where_its_label_stands():
    line = next(line for line in compose(COMPLAINTS).lines if line.label and line.label.text == "raw")
    (before, after) = line.strokes
    assert line.label is not None
    assert before[-1][0] < line.label.left
    assert line.label.left + line.label.width < after[0][0]


def test_edges_that_run_together_are_drawn_once_and_data_before_order():
    chain = ["a>b", "b>c", "c>d", "d>e"]
    picture = compose(graph_of("a b c d e", *chain, "a~c", "a>d", "a~e"))
    drawn = [piece for line in picture.lines for stroke in line.strokes for piece in pairwise(stroke)]
    assert len(drawn) == len(set(drawn))
    data, order, last = picture.lines[4:]
    assert (data.is_dashed, order.is_dashed, last.is_dashed) == (False, True, True)
    assert len(data.strokes[0]) > len(order.strokes[0])


def test_an_edge_that_joins_others_is_drawn_up_to_where_it_meets_them():
    chain = ["a>b", "b>c", "c>d", "d>e"]
    picture = compose(graph_of("a b c d e", *chain, "a>e", "b>e"))
    first, second = picture.lines[4:]
    assert second.strokes[-1][-1] in first.strokes[0]
    assert second.tip == first.tip


def test_an_empty_flow_says_so():
    picture = compose(EMPTY)
    assert picture.notice is not None
    assert picture.notice.text == "This flow has no tasks."


def test_names_are_spelled_as_the_format_asks():
    assert compose(graph_of("数据"), spell=in_cp1252).boxes[0].name.text == "\\u6570\\u636e"


def test_a_cycle_is_refused():
    with pytest.raises(InvalidFlow, match="cycle"):
        compose(
            replace(
                COMPLAINTS,
                edges=graph_of("x", "create_table>get_complaints", "get_complaints>create_table").edges,
            )
        )


def test_level_points_are_joined_by_lines_and_others_by_curves_that_leave_and_arrive_level():
    assert list(segments([(0, 5), (10, 5), (20, 9)])) == [((10, 5),), ((15, 5), (15, 9), (20, 9))]


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (1.25, "1.25"), (-0.001, "0"), (1 / 3, "0.33"), (100.0, "100")]
)
def test_numbers_are_short(value, text):
    assert number(value) == text
