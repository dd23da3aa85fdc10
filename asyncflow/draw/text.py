"""The graph as lines of text for terminals: a task a line, beside rails that show what feeds what.

○    create_table
│ ○  get_complaints
│ ●  parse_complaints  raw ← get_complaints
●─╯  store_complaints  parsed ← parse_complaints, after create_table
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from asyncflow.draw.looks import look_of
from asyncflow.draw.rails import draw_rails, reading_order
from asyncflow.draw.ranks import neighbours
from asyncflow.draw.spelling import cells, in_ascii, readable
from asyncflow.draw.summary import summary
from asyncflow.draw.wiring import numbered, worth_drawing
from asyncflow.graph import Edge, Graph, Node, topological_order

_MOST_RAILS = 24
"""More rails side by side would be wider than they help."""
_MOST_USES = 4
"""How many upstream tasks a line names before it counts the others."""
_WIDEST_COLUMN = 48
"""A longer name pushes what follows it out of line, not all other lines."""
_ASCII = str.maketrans(
    {"○": "o", "●": "*", "│": "|", "─": "-", "├": "+", "┤": "+", "┼": "+", "┴": "+", "╯": "'", "←": "<-"}
)


def as_text(graph: Graph, *, ascii_only: bool = False) -> str:
    """Return the graph as text, without a newline at its end.

    Args:
        graph: the tasks and what depends on what.
        ascii_only: whether to draw with nothing but ASCII.

    Raises:
        InvalidFlow: when the edges close a cycle or lead nowhere.
    """
    spell = in_ascii if ascii_only else readable
    text = "\n".join([spell(summary(graph)), *_rows(graph, spell, with_marks=not ascii_only)])
    return text.translate(_ASCII) if ascii_only else text


def _rows(graph: Graph, spell: Callable[[str], str], *, with_marks: bool) -> list[str]:
    """Return a line for each task: rails, name, state, and what the task uses."""
    count, ends = len(graph.nodes), numbered(graph)
    topological_order(count, ends)
    up, down = neighbours(count, list(dict.fromkeys(ends)))
    order = reading_order(up, down)
    nodes = [graph.nodes[task] for task in order]
    uses = _uses(graph, ends, [spell(node.label) for node in graph.nodes], spell)
    columns = (
        draw_rails(order, up, down, _MOST_RAILS),
        [spell(node.label) + (" (child flow)" if node.is_flow else "") for node in nodes],
        [_state(node, spell, with_marks=with_marks) for node in nodes],
        [uses[task] for task in order],
    )
    widths = [_width(texts) for texts in columns]
    return [_row(texts, widths) for texts in zip(*columns, strict=True)]


def _width(texts: Sequence[str]) -> int:
    return min(max(map(cells, texts), default=0), _WIDEST_COLUMN)


def _row(texts: Sequence[str], widths: Sequence[int]) -> str:
    columns = zip(texts, widths, strict=True)
    return "  ".join(text + " " * (width - cells(text)) for text, width in columns if width or text).rstrip()


def _state(node: Node, spell: Callable[[str], str], *, with_marks: bool) -> str:
    look = look_of(node.state)
    if look is None:
        return ""
    return f"{look.mark} {spell(look.word)}" if with_marks else spell(look.word)


def _uses(
    graph: Graph, ends: Sequence[tuple[int, int]], names: Sequence[str], spell: Callable[[str], str]
) -> list[str]:
    """Return for each task what it uses and under which name."""
    uses: list[list[str]] = [[] for _ in names]
    edges = worth_drawing(graph)
    for edge in sorted(edges, key=lambda edge: graph.edges[edge].ordered_only):
        source, target = ends[edge]
        uses[target].append(_use(graph.edges[edge], names[source], spell))
    return [_listed(texts) for texts in uses]


def _use(edge: Edge, source: str, spell: Callable[[str], str]) -> str:
    if edge.ordered_only:
        return f"after {source}"
    return f"{spell(edge.label)} ← {source}".lstrip()


def _listed(texts: list[str]) -> str:
    shown = texts[:_MOST_USES]
    if len(texts) > _MOST_USES:
        shown = [*texts[: _MOST_USES - 1], f"{len(texts) - _MOST_USES + 1} more"]
    return ", ".join(shown)
