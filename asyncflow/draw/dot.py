"""The graph in the language of Graphviz, for those who have it or want to go on drawing."""

from __future__ import annotations

from collections.abc import Iterator

from asyncflow.draw.looks import CARD, INK, MUTED, PLAIN, PLAIN_TINT, TINT, look_of, mixed
from asyncflow.draw.spelling import readable
from asyncflow.draw.wiring import numbered, worth_drawing
from asyncflow.graph import Graph, Node


def as_dot(graph: Graph) -> str:
    """Return the graph as a Graphviz document in UTF-8.

    Raises:
        InvalidFlow: when an edge leads nowhere.
    """
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    yield f"// {readable(graph.name)}"
    yield "digraph {"
    yield '  graph [rankdir=LR, charset="UTF-8"];'
    yield f'  node [shape=box, style="rounded,filled", fontname="Helvetica", fontcolor="{INK.light}"];'
    yield f'  edge [fontname="Helvetica", fontsize=10, color="{MUTED.light}", fontcolor="{MUTED.light}"];'
    for number, node in enumerate(graph.nodes):
        yield f"  n{number} [{_node(node)}];"
    ends = numbered(graph)
    for edge in worth_drawing(graph):
        (source, target), label = ends[edge], graph.edges[edge].label
        details = [f"label={_quoted(label)}"] if label else []
        details += ["style=dashed"] if graph.edges[edge].ordered_only else []
        yield f"  n{source} -> n{target}{' [' + ', '.join(details) + ']' if details else ''};"
    yield "}"


def _node(node: Node) -> str:
    look = look_of(node.state)
    shade, share = (look.shade, TINT) if look else (PLAIN, PLAIN_TINT)
    label = _escaped(node.label) + (rf"\n{look.mark} {_escaped(look.word)}" if look else "")
    details = f'label="{label}", color="{shade.light}", fillcolor="{mixed(shade.light, CARD.light, share)}"'
    return details + (", peripheries=2" if node.is_flow else "")


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    """Escape what Graphviz reads in a label: backslashes, quotes and the entities of HTML."""
    return readable(text).replace("\\", r"\\").replace('"', r"\"").replace("&", "&amp;")
