from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.draw.looks import LOOKS
from asyncflow.draw.spelling import readable
from asyncflow.draw.svg import as_svg
from asyncflow.graph import Graph, Node
from tests.draw.graphs import COMPLAINTS, COMPLAINTS_RUN, EMPTY, HARD_NAMES, SINGLE, graph_of, hard_graph

SVG = "{http://www.w3.org/2000/svg}"


def parsed(graph: Graph) -> ElementTree.Element:
    return ElementTree.fromstring(as_svg(graph))


def nodes(root: ElementTree.Element) -> list[ElementTree.Element]:
    return root.findall(f"{SVG}g")


def texts(element: ElementTree.Element, style: str) -> list[str]:
    return [text.text or "" for text in element.iter(f"{SVG}text") if text.get("class") == style]


@pytest.mark.parametrize(
    "graph", [COMPLAINTS, COMPLAINTS_RUN, EMPTY, SINGLE, hard_graph()], ids=lambda g: g.name[:12]
)
def test_it_is_xml_and_tells_what_it_shows(graph):
    root = parsed(graph)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert (root.get("aria-label") or "").startswith(f"Flow {readable(graph.name)}: ")
    assert root.findtext(f"{SVG}title") == readable(graph.name)
    assert len(nodes(root)) == len(graph.nodes)


def test_names_of_all_kinds_come_out_as_they_went_in():
    titles = [node.findtext(f"{SVG}title") or "" for node in nodes(parsed(hard_graph()))]
    assert [title.removesuffix(": Failed") for title in titles] == [readable(name) for name in HARD_NAMES]


@settings(max_examples=50)
@given(st.text(st.characters(), max_size=30), st.text(st.characters(), max_size=12))
def test_no_name_breaks_the_document(name, state):
    graph = Graph(name, (Node("1", name, state), Node("2", name)), ())
    assert [node.findtext(f"{SVG}title") for node in nodes(parsed(graph))][1] == readable(name)


def test_a_state_is_shown_by_word_sign_and_colour():
    store = nodes(parsed(COMPLAINTS_RUN))[3]
    assert store.get("class") == "af-TriggerFailed"
    assert texts(store, "af-name") == ["store_complaints"]
    assert texts(store, "af-word") == ["Trigger failed"]
    assert [path.get("d") for path in store.iter(f"{SVG}path")] == [LOOKS["TriggerFailed"].sign]


def test_a_running_sign_is_filled():
    (node,) = nodes(parsed(graph_of("a", states="Running")))
    assert [path.get("class") for path in node.iter(f"{SVG}path")] == ["af-sign af-full"]


def test_a_state_that_is_not_known_keeps_its_word():
    (node,) = nodes(parsed(graph_of("a", states='"></style>')))
    assert node.get("class") == "af-other"
    assert texts(node, "af-word") == ['"></style>']


def test_a_child_flow_has_two_borders():
    child, task = nodes(parsed(Graph("f", (Node("1", "child", is_flow=True), Node("2", "task")), ())))
    assert (len(child.findall(f"{SVG}rect")), len(task.findall(f"{SVG}rect"))) == (2, 1)


def test_edges_are_labelled_with_arguments_and_dashed_without_data():
    root = parsed(COMPLAINTS)
    assert sorted(texts(root, "af-note")) == ["parsed", "raw"]
    kinds = [path.get("class") for path in root.findall(f"{SVG}path")]
    assert sorted(kinds) == ["af-edge", "af-edge", "af-edge af-order", "af-head", "af-head", "af-head"]


def test_both_themes_name_every_colour():
    style = parsed(COMPLAINTS_RUN).findtext(f"{SVG}style") or ""
    light, dark = style.split("@media(prefers-color-scheme:dark)")
    for state in ("Success", "Failed", "TriggerFailed"):
        assert f".af-{state}{{color:{LOOKS[state].shade.light}}}" in light
        assert f".af-{state}{{color:{LOOKS[state].shade.dark}}}" in dark
    for rule in (
        ".af-card{fill",
        ".af-name{fill",
        ".af-note{fill",
        ".af-edge,.af-head{color",
        ".af-plain{color",
    ):
        assert rule in light
        assert rule in dark


def test_known_letters_are_held_to_their_width_and_guessed_ones_are_not():
    known, guessed = (node.find(f"{SVG}text") for node in nodes(parsed(graph_of("abc 数据"))))
    assert known is not None
    assert guessed is not None
    assert (known.get("textLength"), guessed.get("textLength")) == ("19.34", None)


def test_nothing_in_it_is_loaded_from_elsewhere():
    text = as_svg(hard_graph())
    assert "href" not in text
    assert "url(" not in text
    assert "<script" not in text
    assert text.count("http") == 1
