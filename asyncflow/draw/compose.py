"""From a flow's graph to its picture: measure the names, lay the boxes out, put text and signs into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from asyncflow.draw.fonts import fitted, text_width
from asyncflow.draw.layout import Point, Route, lay_out
from asyncflow.draw.looks import Look, look_of
from asyncflow.draw.picture import HEAD_LENGTH, INSET, SIGN_SIZE, Box, Line, Picture, Text
from asyncflow.draw.spelling import readable
from asyncflow.draw.summary import summary
from asyncflow.draw.wiring import numbered, worth_drawing
from asyncflow.graph import Edge, Graph, Node

_NAME_SIZE, _SMALL_SIZE = 12.0, 10.0
"""Type sizes of names, and of states and edge labels."""
_RISE = 0.35
"""How far below its middle a line of text has its baseline, as a share of its size."""
_MARGIN = 16.0
_PADDING = 14.0
_SIGN_GAP = 7.0
_NARROWEST, _LOW, _HIGH = 56.0, 30.0, 42.0
_NAME_ABOVE, _WORD_BELOW = 7.0, 9.0
"""How far from the middle of a box the middles of its two lines of text stand."""
_LABEL_HEIGHT = 12.0
_LABEL_ROOM = 130.0
_EMPTY_PAGE = 200.0, 64.0


def compose(graph: Graph, *, spell: Callable[[str], str] = readable, room: float = 240.0) -> Picture:
    """Return the picture of a graph.

    Args:
        graph: the tasks and what depends on what.
        spell: turns a name into what the format can write.
        room: the greatest width of a name; a longer one loses its middle.

    Raises:
        InvalidFlow: when the edges close a cycle or lead nowhere.
    """
    if not graph.nodes:
        return _empty(graph)
    captions = [_caption(node, spell, room) for node in graph.nodes]
    height = _HIGH if any(caption.look for caption in captions) else _LOW
    ends = numbered(graph)
    # Where edges run together only the first one is drawn: one that carries data says more.
    drawn = sorted(worth_drawing(graph), key=lambda edge: graph.edges[edge].ordered_only)
    labels = [fitted(graph.edges[edge].label, spell, _SMALL_SIZE, _LABEL_ROOM) for edge in drawn]
    layout = lay_out(
        [(caption.width, height) for caption in captions],
        [ends[edge] for edge in drawn],
        [(text_width(label, _SMALL_SIZE), _LABEL_HEIGHT) if label else None for label in labels],
    )
    places = zip(captions, layout.centres, layout.widths, strict=True)
    seen: set[tuple[Point, Point]] = set()
    ways = zip(drawn, layout.routes, labels, strict=True)
    return Picture(
        name=graph.name,
        summary=summary(graph),
        width=layout.width + 2 * _MARGIN,
        height=layout.height + 2 * _MARGIN,
        boxes=tuple(_box(caption, _shifted(centre), width, height) for caption, centre, width in places),
        lines=tuple(_line(graph.edges[edge], route, label, seen) for edge, route, label in ways),
    )


def _empty(graph: Graph) -> Picture:
    width, height = _EMPTY_PAGE
    notice = _text("This flow has no tasks.", width / 2, height / 2, _NAME_SIZE)
    return Picture(graph.name, summary(graph), width, height, notice=notice)


@dataclass(frozen=True, slots=True)
class _Caption:
    """What a box says, before it has a place."""

    name: str
    word: str
    title: str
    look: Look | None
    is_flow: bool
    text_width: float

    @property
    def width(self) -> float:
        sign = SIGN_SIZE + _SIGN_GAP if self.look else 0.0
        inset = INSET if self.is_flow else 0.0
        return max(self.text_width + sign + 2 * (_PADDING + inset), _NARROWEST)


def _caption(node: Node, spell: Callable[[str], str], room: float) -> _Caption:
    look = look_of(node.state)
    name = fitted(node.label, spell, _NAME_SIZE, room)
    word = fitted(look.word, spell, _SMALL_SIZE, room) if look else ""
    return _Caption(
        name=name,
        word=word,
        title=_title(node, look),
        look=look,
        is_flow=node.is_flow,
        text_width=max(text_width(name, _NAME_SIZE), text_width(word, _SMALL_SIZE)),
    )


def _title(node: Node, look: Look | None) -> str:
    title = readable(node.label) + (" (child flow)" if node.is_flow else "")
    return f"{title}: {readable(look.word)}" if look else title


def _box(caption: _Caption, centre: Point, width: float, height: float) -> Box:
    x, y = centre[0] - width / 2, centre[1] - height / 2
    if caption.look is None:
        name = _text(caption.name, *centre, _NAME_SIZE)
        return Box(x, y, width, height, name, caption.title, caption.is_flow)
    sign_at = x + _PADDING - 1 + (INSET if caption.is_flow else 0.0), centre[1] - SIGN_SIZE / 2
    left = sign_at[0] + SIGN_SIZE + _SIGN_GAP
    return Box(
        *(x, y, width, height),
        name=_text(caption.name, left, centre[1] - _NAME_ABOVE, _NAME_SIZE, is_centred=False),
        title=caption.title,
        is_flow=caption.is_flow,
        look=caption.look,
        word=_text(caption.word, left, centre[1] + _WORD_BELOW, _SMALL_SIZE, is_centred=False),
        sign_at=sign_at,
    )


def _line(edge: Edge, route: Route, label: str, seen: set[tuple[Point, Point]]) -> Line:
    strokes = [[_shifted(point) for point in stroke] for stroke in route.strokes]
    tip = strokes[-1].pop()
    strokes[-1].append((tip[0] - HEAD_LENGTH, tip[1]))
    new = tuple(run for stroke in strokes for run in _unseen(stroke, seen))
    text = _text(label, *_shifted(route.label), _SMALL_SIZE) if route.label else None
    return Line(new, tip, edge.ordered_only, text)


def _unseen(stroke: list[Point], seen: set[tuple[Point, Point]]) -> Iterator[tuple[Point, ...]]:
    """Yield the runs of a stroke that no other edge has drawn, and note them as drawn."""
    run: list[Point] = []
    for piece in pairwise(stroke):
        if piece not in seen:
            run = [*run, piece[1]] if run else [*piece]
            seen.add(piece)
        elif run:
            yield tuple(run)
            run = []
    if run:
        yield tuple(run)


def _text(text: str, x: float, middle: float, size: float, *, is_centred: bool = True) -> Text:
    return Text(x, middle + _RISE * size, text, text_width(text, size), size, is_centred)


def _shifted(point: Point) -> Point:
    return point[0] + _MARGIN, point[1] + _MARGIN
