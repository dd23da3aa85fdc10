"""A drawing as boxes, lines and text on a page: what SVG and PDF have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from asyncflow.draw.layout import Point
from asyncflow.draw.looks import Look

RADIUS = 7.0
INSET = 3.0
"""How far inside the border of a child flow its second border runs."""
SIGN_SIZE = 15.0
HEAD_LENGTH, HEAD_WIDTH = 7.5, 6.5
DASH = 4.5, 3.0


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text.

    Attributes:
        x: its middle, or its left end when it is not centred.
        baseline: how low it stands.
        text: the characters.
        width: how wide they are, or are thought to be.
        size: of the type.
        is_centred: what `x` means.
    """

    x: float
    baseline: float
    text: str
    width: float
    size: float
    is_centred: bool = True

    @property
    def left(self) -> float:
        """Where the text begins."""
        return self.x - self.width / 2 if self.is_centred else self.x


@dataclass(frozen=True, slots=True)
class Box:
    """A task or a child flow.

    Attributes:
        x: the left edge.
        y: the upper edge.
        width: from left to right.
        height: from top to bottom.
        name: what is written into it.
        title: the whole name and what else there is to say.
        is_flow: whether the border is doubled.
        look: how its state is shown, or None when it has none.
        word: the state in words, below the name.
        sign_at: the upper left corner of the state's sign.
    """

    x: float
    y: float
    width: float
    height: float
    name: Text
    title: str
    is_flow: bool
    look: Look | None = None
    word: Text | None = None
    sign_at: Point = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Line:
    """An edge.

    Attributes:
        strokes: runs of points, broken around the label; the last one ends where the arrow's head begins.
        tip: the point of the head, which touches the target's box from the left.
        is_dashed: whether the edge carries no data.
        label: the name of the argument.
    """

    strokes: tuple[tuple[Point, ...], ...]
    tip: Point
    is_dashed: bool
    label: Text | None


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that is to be drawn.

    Attributes:
        name: the flow's.
        summary: one sentence that says what is to be seen.
        width: of the page.
        height: of the page.
        boxes: the tasks and child flows.
        lines: the edges.
        notice: what stands on a page without boxes.
    """

    name: str
    summary: str
    width: float
    height: float
    boxes: tuple[Box, ...] = ()
    lines: tuple[Line, ...] = ()
    notice: Text | None = None


def segments(stroke: Sequence[Point]) -> Iterator[tuple[Point, ...]]:
    """Yield the pieces after a stroke's first point: a line's end, or a curve's two handles and end."""
    for (x0, y0), (x1, y1) in pairwise(stroke):
        if y0 == y1:
            yield ((x1, y1),)
        else:
            middle = (x0 + x1) / 2
            yield (middle, y0), (middle, y1), (x1, y1)


def number(value: float) -> str:
    """Return a coordinate with at most two decimals, as SVG and PDF write it."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
