"""The picture as SVG: one file, no script, no font of its own, light or dark as the reader's system is."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from asyncflow.draw.compose import compose
from asyncflow.draw.fonts import is_measured
from asyncflow.draw.looks import CARD, INK, LOOKS, MUTED, PLAIN, PLAIN_TINT, TINT, Look
from asyncflow.draw.picture import (
    DASH,
    HEAD_LENGTH,
    HEAD_WIDTH,
    INSET,
    RADIUS,
    SIGN_SIZE,
    Box,
    Line,
    Picture,
    Text,
    number,
    segments,
)
from asyncflow.draw.spelling import readable
from asyncflow.graph import Graph

_FONTS = "Helvetica,Arial,'Liberation Sans',sans-serif"


def as_svg(graph: Graph) -> str:
    """Return the graph as an SVG document; it may also stand inside a page of HTML.

    Raises:
        InvalidFlow: when the edges close a cycle or lead nowhere.
    """
    picture = compose(graph)
    return "\n".join(_document(picture)) + "\n"


def _document(picture: Picture) -> Iterator[str]:
    width, height = number(picture.width), number(picture.height)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="af" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label={quoteattr(picture.summary)}>'
    )
    yield f"<title>{escape(readable(picture.name))}</title>"
    yield f"<style>{_style(picture)}</style>"
    yield f'<rect class="af-card" width="{width}" height="{height}"/>'
    for line in picture.lines:
        yield from _line(line)
    for box in picture.boxes:
        yield _box(box)
    if picture.notice:
        yield _text(picture.notice, "af-note")
    yield "</svg>"


def _style(picture: Picture) -> str:
    """Return the rules: shapes once, colours once for each theme."""
    names = {_class_of(box.look): box.look for box in picture.boxes if box.look}
    dash = " ".join(map(number, DASH))
    return (
        f".af{{font-family:{_FONTS}}}"
        ".af-edge{fill:none;stroke:currentColor;stroke-width:1.2}"
        f".af-order{{stroke-dasharray:{dash}}}"
        f".af-box{{fill:currentColor;fill-opacity:{TINT};stroke:currentColor;stroke-width:1.3}}"
        f".af-plain .af-box{{fill-opacity:{PLAIN_TINT}}}"
        ".af-inset{fill:none;stroke:currentColor;stroke-width:1}"
        ".af-sign{fill:none;stroke:currentColor;stroke-width:1.9;stroke-linecap:round;stroke-linejoin:round}"
        ".af-full{fill:currentColor}"
        ".af-word{fill:currentColor}"
        f"{_colours(names, is_dark=False)}"
        f"@media(prefers-color-scheme:dark){{{_colours(names, is_dark=True)}}}"
    )


def _colours(looks: dict[str, Look], *, is_dark: bool) -> str:
    shades = {
        ".af-card{fill": CARD,
        ".af-name{fill": INK,
        ".af-note{fill": MUTED,
        ".af-edge,.af-head{color": MUTED,
        ".af-plain{color": PLAIN,
    }
    shades |= {f".{name}{{color": look.shade for name, look in looks.items()}
    return "".join(f"{rule}:{shade.dark if is_dark else shade.light}}}" for rule, shade in shades.items())


def _class_of(look: Look | None) -> str:
    if look is None:
        return "af-plain"
    name = next((state for state, known in LOOKS.items() if known is look), "other")
    return f"af-{name}"


def _line(line: Line) -> Iterator[str]:
    path = "".join(_stroke(stroke) for stroke in line.strokes)
    order = " af-order" if line.is_dashed else ""
    yield f'<path class="af-edge{order}" d="{path}"/>'
    x, y = line.tip
    left, half = x - HEAD_LENGTH, HEAD_WIDTH / 2
    head = f"M{_at(x, y)}L{_at(left, y - half)}L{_at(left, y + half)}Z"
    yield f'<path class="af-head" fill="currentColor" d="{head}"/>'
    if line.label:
        yield _text(line.label, "af-note")


def _stroke(stroke: tuple[tuple[float, float], ...]) -> str:
    path = f"M{_at(*stroke[0])}"
    for points in segments(stroke):
        path += ("L" if len(points) == 1 else "C") + " ".join(_at(*point) for point in points)
    return path


def _box(box: Box) -> str:
    parts = [
        f'<g class="{_class_of(box.look)}"><title>{escape(box.title)}</title>',
        _frame(box, 0.0, "af-box"),
    ]
    if box.is_flow:
        parts.append(_frame(box, INSET, "af-inset"))
    if box.look:
        full = " af-full" if box.look.filled else ""
        scale, (x, y) = number(SIGN_SIZE / 16), map(number, box.sign_at)
        parts.append(
            f'<path class="af-sign{full}" transform="translate({x} {y}) scale({scale})" d="{box.look.sign}"/>'
        )
    parts.append(_text(box.name, "af-name"))
    if box.word:
        parts.append(_text(box.word, "af-word"))
    return "".join(parts) + "</g>"


def _frame(box: Box, inset: float, style: str) -> str:
    x, y, radius = number(box.x + inset), number(box.y + inset), number(RADIUS - inset)
    width, height = number(box.width - 2 * inset), number(box.height - 2 * inset)
    return f'<rect class="{style}" x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"/>'


def _text(text: Text, style: str) -> str:
    anchor = ' text-anchor="middle"' if text.is_centred else ""
    # Where the reader's font is wider than Helvetica, known text is squeezed, lest it run over its box.
    fit = (
        f' textLength="{number(text.width)}" lengthAdjust="spacingAndGlyphs"'
        if is_measured(text.text)
        else ""
    )
    return (
        f'<text class="{style}" x="{number(text.x)}" y="{number(text.baseline)}" '
        f'font-size="{number(text.size)}"{anchor}{fit}>{escape(text.text)}</text>'
    )


def _at(x: float, y: float) -> str:
    return f"{number(x)} {number(y)}"
