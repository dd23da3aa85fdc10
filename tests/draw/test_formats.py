from __future__ import annotations

import pytest

from asyncflow.draw import render
from asyncflow.draw.formats import FORMATS, SUFFIXES
from asyncflow.errors import InvalidFlow, NotInThisVersion, UsageError
from tests.draw.graphs import COMPLAINTS, EMPTY, SINGLE, graph_of, hard_graph

STARTS = {"pdf": b"%PDF-1.4", "svg": b"<svg ", "dot": b"// ", "mermaid": b"flowchart LR", "txt": b"Flow "}


@pytest.mark.parametrize("format", sorted(FORMATS))
@pytest.mark.parametrize(
    "graph", [COMPLAINTS, EMPTY, SINGLE, hard_graph()], ids=lambda graph: graph.name[:12]
)
def test_every_format_draws_every_graph(format, graph):
    data = render(graph, format)
    assert data.startswith(STARTS[format])
    assert data.endswith(b"\n")


@pytest.mark.parametrize(("suffix", "format"), sorted(SUFFIXES.items()))
def test_a_suffix_stands_for_its_format(suffix, format):
    assert render(COMPLAINTS, suffix.upper()) == render(COMPLAINTS, format)


@pytest.mark.parametrize("word", ["png", ".PNG"])
def test_png_is_answered_with_what_there_is(word):
    with pytest.raises(NotInThisVersion, match=r"write SVG or PDF instead"):
        render(COMPLAINTS, word)


def test_an_unknown_format_is_answered_with_the_known_ones():
    with pytest.raises(UsageError) as caught:
        render(COMPLAINTS, "mermaids")
    assert str(caught.value) == (
        "'mermaids' is no format for a drawing; there are .pdf, .svg, .dot, .gv, .mmd, .mermaid, .txt."
        " Did you mean 'mermaid'?"
    )


@pytest.mark.parametrize("format", ["pdf", "svg", "txt"])
def test_what_is_laid_out_must_not_turn_in_circles(format):
    with pytest.raises(InvalidFlow, match="cycle"):
        render(graph_of("a b", "a>b", "b>a"), format)
