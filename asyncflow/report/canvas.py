"""Lines of styled pieces: what every view is made of, before anybody knows about colours.

Widths are counted in terminal cells, so that names in any script stay inside their column.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from asyncflow.report.words import SIGNS, Mark


class Piece(NamedTuple):
    """A text in one style: a key of `words.STYLES`, with `bar.` before it for a block in that colour."""

    text: str
    style: str = "plain"


Line = list[Piece]


@dataclass(frozen=True, slots=True)
class Look:
    """What the place of output can show.

    Attributes:
        width: cells in a line.
        unicode: whether it can show the signs; ASCII ones are used otherwise.
        colour: whether colours may be used.
        live: whether it can be redrawn in place.
        encoding: how text is written to it.
        height: lines of the screen.
    """

    width: int = 100
    unicode: bool = True
    colour: bool = False
    live: bool = False
    encoding: str = "utf-8"
    height: int = 24

    def sign(self, name: str) -> str:
        """Return the sign of that name from `words.SIGNS`."""
        return SIGNS[name].sign if self.unicode else SIGNS[name].ascii

    def of(self, mark: Mark) -> str:
        """Return a state's sign."""
        return mark.sign if self.unicode else mark.ascii

    def clean(self, text: str) -> str:
        """Return a text that can't harm the screen: one line, no control characters, nothing unencodable."""
        if text.isascii() and text.isprintable():
            return text
        safe = "".join(_shown(char) for char in text)
        return safe.encode(self.encoding, "replace").decode(self.encoding)


def _shown(char: str) -> str:
    """Return what stands for a character: nothing for invisible ones, `?` for those that steer a terminal."""
    if char.isspace():
        return " "
    kind = unicodedata.category(char)
    if kind == "Cf" or "\ufe00" <= char <= "\ufe0f":
        return ""
    return "?" if kind in ("Cc", "Cs", "Cn", "Co") else char


def cells(text: str) -> int:
    """Return how many terminal cells a text takes."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(char) for char in text)


def _cells_of(char: str) -> int:
    """Return the cells of one character: 0 for combining marks, 2 for wide ones."""
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, width: int, look: Look) -> str:
    """Return a text that fits into `width` cells, with a sign where it was cut."""
    if cells(text) <= width:
        return text
    if width < 1:
        return ""
    kept, used = [], 0
    for char in text:
        used += _cells_of(char)
        if used > width - 1:
            break
        kept.append(char)
    return "".join(kept).rstrip() + look.sign("cut")


def fit(text: str, width: int, look: Look, *, right: bool = False) -> str:
    """Return a text cut or filled to exactly `width` cells."""
    short = cut(text, width, look)
    space = " " * (width - cells(short))
    return space + short if right else short + space


def text_of(line: Iterable[Piece]) -> str:
    """Return a line without its styles and without spaces at its end."""
    return "".join(piece.text for piece in line).rstrip()


def cropped(line: Sequence[Piece], width: int, look: Look) -> Line:
    """Return a line that is no wider than `width`."""
    kept: Line = []
    left = width
    for piece in line:
        size = cells(piece.text)
        if size > left:
            kept.append(Piece(cut(piece.text, left, look), piece.style))
            return kept
        kept.append(piece)
        left -= size
    return kept


def wrapped(text: str, width: int, look: Look) -> list[str]:
    """Return a cleaned text in lines of at most `width` cells, broken between words where it can be."""
    lines: list[str] = []
    line = ""
    for word in look.clean(text).split():
        joined = f"{line} {word}" if line else word
        if cells(joined) <= width or not line:
            line = joined
        else:
            lines.append(cut(line, width, look))
            line = word
    lines.append(cut(line, width, look))
    return lines
