"""The graph as Mermaid text, which many pages of Markdown draw."""

from __future__ import annotations

import re
from collections.abc import Iterator

from asyncflow.draw.looks import CARD, INK, LOOKS, PLAIN, TINT, look_of, mixed
from asyncflow.draw.spelling import readable
from asyncflow.draw.wiring import numbered, worth_drawing
from asyncflow.graph import Graph, Node

_LOUD = re.compile(r"(?<![^\W_])[_-]|[_-](?![^\W_])|[^\w \-]")
"""Whatever Mermaid or the Markdown inside it may read as more than a letter; `a_b` and `a-b` are harmless."""


def as_mermaid(graph: Graph) -> str:
    """Return the graph as a Mermaid flowchart.

    Raises:
        InvalidFlow: when an edge leads nowhere.
    """
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    yield "flowchart LR"
    for number, node in enumerate(graph.nodes):
        yield f"  n{number}{_node(node)}"
    ends = numbered(graph)
    for edge in worth_drawing(graph):
        (source, target), label = ends[edge], graph.edges[edge].label
        arrow = "-.->" if graph.edges[edge].ordered_only else "-->"
        yield f"  n{source} {arrow}{f'|{_quoted(label)}|' if label else ''} n{target}"
    for name in dict.fromkeys(_class_of(node) for node in graph.nodes if node.state):
        shade = LOOKS[name].shade if name in LOOKS else PLAIN
        yield (
            f"  classDef {name} fill:{mixed(shade.light, CARD.light, TINT)},"
            f"stroke:{shade.light},color:{INK.light}"
        )


def _node(node: Node) -> str:
    look = look_of(node.state)
    text = _escaped(node.label) + (f"<br/>{look.mark} {_escaped(look.word)}" if look else "")
    opened, closed = ("[[", "]]") if node.is_flow else ("[", "]")
    return f'{opened}"{text}"{closed}' + (f":::{_class_of(node)}" if look else "")


def _class_of(node: Node) -> str:
    return node.state if node.state and node.state in LOOKS else "Other"


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    """Write every character that could be read as more than itself as Mermaid's `#code;`."""
    return _LOUD.sub(lambda match: f"#{ord(match[0])};", readable(text)) or "#8203;"
