"""The rows as a table that reads well in a terminal and in a Markdown file."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence

import asyncflow
from benchmarks.rows import Quantity, Row

_COLUMNS = ("case", "what", "measured", "low - high", "target", "", "beside")


def machine() -> dict[str, str | int]:
    """Return what the numbers were measured with and on."""
    return {
        "asyncflow": asyncflow.__version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count() or 1,
    }


def render(rows: Sequence[Row]) -> str:
    """Return the table."""
    lines = [_COLUMNS, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    rule = "|".join(["", *["-" * (width + 2) for width in widths], ""])
    shown = [_line(cells, widths) for cells in lines]
    return "\n".join([shown[0], rule, *shown[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"


def _cells(row: Row) -> tuple[str, ...]:
    unit = row.measured.unit
    low, high = (str(Quantity(bound, unit)).removesuffix(unit).strip() for bound in (row.low, row.high))
    target = "" if row.target is None else f"<= {Quantity(row.target, unit)}"
    beside = ", ".join(f"{label} {quantity}" for label, quantity in row.beside.items())
    return row.case, row.name, str(row.measured), f"{low} - {high}", target, _verdict(row.met), beside


def _verdict(met: bool | None) -> str:
    if met is None:
        return ""
    signs = ("\N{CHECK MARK}", "\N{BALLOT X}") if _can_show("\N{CHECK MARK}\N{BALLOT X}") else ("+", "-")
    return f"{signs[0]} met" if met else f"{signs[1]} missed"


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
