"""Traces for the command line: written to files, and told where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncflow.cli.output import Output
from asyncflow.errors import UsageError

if TYPE_CHECKING:
    from asyncflow.report.canvas import Line
    from asyncflow.scenario.verdict import Report
    from asyncflow.sim.trace.diff import Difference


def check_place(file: Path) -> None:
    """See that a trace can be written to a file, before the rehearsal that it is the trace of.

    Raises:
        UsageError: when it can't.
    """
    if file.is_dir():
        raise UsageError(f"--trace {file}: is a folder; name a file in it")
    if not file.absolute().parent.is_dir():
        raise UsageError(f"--trace {file}: there is no folder {file.parent}; make it first")


def write_traces(report: Report, file: Path) -> Path | None:
    """Write a rehearsal's trace, and return the file beside it that has the first different one, if any.

    Raises:
        UsageError: when a file can't be written.
    """
    assert report.repeats is not None
    _write(report, report.repeats.lines, file)
    if report.repeats.difference is None:
        return None
    other = file.with_name(f"{file.stem}.other{file.suffix}")
    _write(report, report.repeats.other, other)
    return other


def _write(report: Report, lines: Sequence[str], file: Path) -> None:
    from asyncflow import __version__
    from asyncflow.sim.trace.file import TraceHeader, write

    header = TraceHeader.of_this_process(
        Path(report.scenario).stem,
        report.variant,
        report.seed,
        asyncflow=__version__,
        aiohttp=version("aiohttp"),
    )
    try:
        write(file, header, lines)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"the trace can't be written to {file}: {reason}") from error


def comparison(header: Sequence[tuple[str, str, str]], found: Difference | None) -> dict[str, Any]:
    """Return what `trace diff --json` prints.

    Args:
        header: what was not the same from the start: what it is, and both values.
        found: the first line that differs.
    """
    return {
        "v": 1,
        "same": found is None,
        "header": [{"what": what, "left": left, "right": right} for what, left, right in header],
        "difference": None if found is None else found.to_json(),
    }


def tell_difference(found: Difference, out: Output) -> None:
    """Show the first difference: the common lines before it, then both lines in full, signed - and +."""
    from asyncflow.report.canvas import Piece

    first = found.number - len(found.before)
    wide = len(str(found.number))
    lines: list[Line] = [
        [Piece(f"{number:>{wide}}   {out.look.clean(line)}", "dim")]
        for number, line in enumerate(found.before, first)
    ]
    for sign, line, style in (("-", found.left, "failed"), ("+", found.right, "success")):
        text = "(no line: the trace has ended)" if line is None else out.look.clean(line)
        head = f"{found.number:>{wide}} {sign} "
        lines += [[Piece(part, style)] for part in _folded(text, head, out.look.width)]
    out.lines(lines)


def _folded(text: str, head: str, width: int) -> list[str]:
    """Return a text in lines of a width, all of it; the first one begins with `head`, others with blanks."""
    room = max(8, width - len(head))
    parts = [text[at : at + room] for at in range(0, len(text), room)] or [""]
    return [f"{' ' * len(head) if at else head}{part}" for at, part in enumerate(parts)]
