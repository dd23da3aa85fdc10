"""Tables that fit: columns that matter less give way first, then long texts are cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asyncflow.report.canvas import Line, Look, Piece, cells, cropped, fit

_GAP = "  "
_LEAST = 8


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: what stands over it.
        right: whether its texts stand at its right edge, as numbers do.
        gives_way: how early it is left out when the table is too wide; 0 for never.
    """

    title: str
    right: bool = False
    gives_way: int = 0


def table(columns: Sequence[Column], rows: Sequence[Sequence[Piece]], look: Look) -> list[Line]:
    """Return a table no wider than the look; a column without any text is left out.

    Args:
        columns: the columns.
        rows: a piece per column, each cleaned already.
        look: what the place of output can show.
    """
    sizes = [max([cells(row[at].text) for row in rows] + [0]) for at in range(len(columns))]
    kept = [at for at, size in enumerate(sizes) if size]
    widths = {at: max(sizes[at], cells(columns[at].title)) for at in kept}
    while _total(widths) > look.width and (loose := [at for at in widths if columns[at].gives_way]):
        del widths[max(loose, key=lambda at: columns[at].gives_way)]
    _shrink(widths, look.width)
    titles = [Piece(column.title, "dim") for column in columns]
    return [_line(columns, row, widths, look) for row in [titles, *rows]]


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + len(_GAP) * (len(widths) - 1)


def _shrink(widths: dict[int, int], width: int) -> None:
    """Take cells from the widest column until the table fits or all are at their least."""
    while _total(widths) > width:
        widest = max(widths, key=lambda at: widths[at])
        if widths[widest] <= _LEAST:
            return
        widths[widest] -= 1


def _line(columns: Sequence[Column], row: Sequence[Piece], widths: dict[int, int], look: Look) -> Line:
    line: Line = []
    for at, width in widths.items():
        if line:
            line.append(Piece(_GAP))
        line.append(Piece(fit(row[at].text, width, look, right=columns[at].right), row[at].style))
    return cropped(line, look.width, look)
