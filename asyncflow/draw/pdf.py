"""The picture as a PDF of one page, written by hand: vectors, and Helvetica, which every reader has."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence

from asyncflow.draw.compose import compose
from asyncflow.draw.layout import Point
from asyncflow.draw.looks import CARD, INK, MUTED, PLAIN, PLAIN_TINT, TINT, Look, Shade, channels, mixed
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
from asyncflow.draw.spelling import in_cp1252, readable
from asyncflow.graph import Graph

_NAME_ROOM = 360.0
"""A PDF has no titles to hover over, so long names get more room than in SVG."""
_LONGEST_SIDE = 14400.0
"""The greatest side of a page, in points, that all readers accept (ISO 32000-1, annex C)."""
_QUARTER = 0.5523
"""How far the handles of a quarter circle reach, as a share of its radius."""
_SIGN_OPERATORS = {"M": "m", "L": "l", "C": "c", "Z": "h"}


def as_pdf(graph: Graph) -> bytes:
    """Return the graph as a PDF document; the same graph gives the same bytes.

    Raises:
        InvalidFlow: when the edges close a cycle or lead nowhere.
    """
    picture = compose(graph, spell=in_cp1252, room=_NAME_ROOM)
    scale = min(1.0, _LONGEST_SIDE / max(picture.width, picture.height))
    content = zlib.compress("\n".join(_content(picture, scale)).encode("cp1252"))
    width, height = number(picture.width * scale), number(picture.height * scale)
    return _document(
        [
            b"<</Type/Catalog/Pages 2 0 R/ViewerPreferences<</DisplayDocTitle true>>>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width} {height}]/Contents 4 0 R"
            "/Resources<</Font<</F1 5 0 R>>>>>>".encode("ascii"),
            b"<</Length %d/Filter/FlateDecode>>\nstream\n%b\nendstream" % (len(content), content),
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
            f"<</Title{_unicode(picture.name)}/Subject{_unicode(picture.summary)}/Producer(asyncflow)>>".encode(
                "ascii"
            ),
        ]
    )


def _document(objects: Sequence[bytes]) -> bytes:
    """Number the objects and say where each begins; the first is the root, the last the info."""
    # Bytes above 127 in the second line tell programs that move files not to take this one for text.
    data = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for at, content in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (at, content)
    table = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    data += b"trailer\n<</Size %d/Root 1 0 R/Info %d 0 R>>\n" % (len(objects) + 1, len(objects))
    data += b"startxref\n%d\n%%%%EOF\n" % table
    return bytes(data)


def _content(picture: Picture, scale: float) -> Iterator[str]:
    """Yield the page's operators; the first makes y grow downwards, as it does in the picture."""
    factor = f"{scale:.5f}"
    yield f"{factor} 0 0 -{factor} 0 {number(picture.height * scale)} cm 1 j"
    for line in picture.lines:
        yield from _line(line)
    for box in picture.boxes:
        yield from _box(box)
    if picture.notice:
        yield _text(picture.notice, MUTED)


def _line(line: Line) -> Iterator[str]:
    dash = " ".join(map(number, DASH)) if line.is_dashed else ""
    yield f"{_colour(MUTED.light)} RG {_colour(MUTED.light)} rg 1.2 w [{dash}] 0 d"
    for stroke in line.strokes:
        yield f"{_at(*stroke[0])} m"
        for points in segments(stroke):
            yield " ".join(_at(*point) for point in points) + (" l" if len(points) == 1 else " c")
    yield "S [] 0 d"
    x, y = line.tip
    left, half = x - HEAD_LENGTH, HEAD_WIDTH / 2
    yield f"{_at(x, y)} m {_at(left, y - half)} l {_at(left, y + half)} l f"
    if line.label:
        yield _text(line.label, MUTED)


def _box(box: Box) -> Iterator[str]:
    shade, share = (box.look.shade, TINT) if box.look else (PLAIN, PLAIN_TINT)
    ground = mixed(shade.light, CARD.light, share)
    yield f"{_colour(shade.light)} RG {_colour(ground)} rg 1.3 w {_rounded(box, 0.0)} b"
    if box.is_flow:
        yield f"1 w {_rounded(box, INSET)} s"
    if box.look:
        yield _sign(box.look, box.sign_at)
    yield _text(box.name, INK)
    if box.look and box.word:
        yield _text(box.word, box.look.shade)


def _rounded(box: Box, inset: float) -> str:
    """Return the outline of a box, one side and one corner after the other."""
    left, top = box.x + inset, box.y + inset
    right, bottom = box.x + box.width - inset, box.y + box.height - inset
    radius = RADIUS - inset
    short = radius * (1 - _QUARTER)
    path = [f"{_at(left + radius, top)} m"]
    for corner, along, after in (
        ((right, top), (-1, 0), (0, 1)),
        ((right, bottom), (0, -1), (-1, 0)),
        ((left, bottom), (1, 0), (0, -1)),
        ((left, top), (0, 1), (1, 0)),
    ):
        path.append(f"{_at(*_moved(corner, along, radius))} l")
        handles = _moved(corner, along, short), _moved(corner, after, short), _moved(corner, after, radius)
        path.append(" ".join(_at(*point) for point in handles) + " c")
    return " ".join(path)


def _moved(point: Point, direction: tuple[int, int], way: float) -> Point:
    return point[0] + direction[0] * way, point[1] + direction[1] * way


def _sign(look: Look, at: Point) -> str:
    """Translate a sign's path: in PDF an operator stands after its numbers."""
    steps = re.findall(r"([MLCZ])([^MLCZ]*)", look.sign)
    path = " ".join(f"{numbers} {_SIGN_OPERATORS[command]}".strip() for command, numbers in steps)
    scale = number(SIGN_SIZE / 16)
    paint = "B" if look.filled else "S"
    colour = _colour(look.shade.light)
    return f"q {scale} 0 0 {scale} {_at(*at)} cm {colour} RG {colour} rg 1.9 w 1 J {path} {paint} Q"


def _text(text: Text, shade: Shade) -> str:
    literal = re.sub(r"([\\()])", r"\\\1", text.text)
    place = f"1 0 0 -1 {_at(text.left, text.baseline)} Tm"
    return f"BT {_colour(shade.light)} rg /F1 {number(text.size)} Tf {place} ({literal}) Tj ET"


def _unicode(text: str) -> str:
    """Return a text string of the document's info, which may hold any character."""
    return f"<FEFF{readable(text).encode('utf-16-be').hex().upper()}>"


def _colour(colour: str) -> str:
    return " ".join(f"{channel / 255:.3f}" for channel in channels(colour))


def _at(x: float, y: float) -> str:
    return f"{number(x)} {number(y)}"
