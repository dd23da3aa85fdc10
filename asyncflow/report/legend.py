"""The legend of a picture: what its signs and fillings mean, those that are in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from asyncflow.history.record import Outcome, TaskHistory
from asyncflow.report.canvas import Line, Look, Piece, cells, cropped
from asyncflow.report.rows import GAP, Row
from asyncflow.report.words import fill

_TOLD: tuple[Outcome, ...] = ("failed", "crashed", "timed out", "signalled", "skipped", "paused", "cancelled")


def legend_of(tasks: Sequence[TaskHistory], look: Look) -> list[Piece]:
    """Return what the signs in a picture of these task runs mean, those that are in it."""
    attempts = [attempt for task in tasks for attempt in task.attempts]
    outcomes = {attempt.outcome for attempt in attempts}
    legend = []
    if any(attempt.faults for attempt in attempts):
        legend.append(Piece(f"{look.sign('fault')} injected fault", "fault"))
    if "refused" in outcomes:
        legend.append(Piece(f"{look.sign('refused')} refused, body not called", "refused"))
    legend += _fillings(outcomes, look)
    if any(task.waits for task in tasks) or any(attempt.waited for attempt in attempts):
        legend.append(Piece(f"{look.sign('wait')} waiting", "waiting"))
    return legend


def _fillings(outcomes: Collection[Outcome], look: Look) -> list[Piece]:
    """Return what the fillings of bars mean; plain success and what is in flight need no words."""
    words: dict[str, list[str]] = {}
    styles: dict[str, str] = {}
    for outcome in _TOLD:
        if outcome in outcomes:
            char, style = fill(outcome, unicode=look.unicode)
            words.setdefault(char, []).append(outcome)
            styles.setdefault(char, style)
    return [Piece(f"{char} {', '.join(told)}", styles[char]) for char, told in words.items()]


def sign_legend(rows: Iterable[Row]) -> list[Piece]:
    """Return the words of the states where the rows have only their signs."""
    seen: dict[str, Piece] = {}
    for row in rows:
        seen.setdefault(row.sign, Piece(f"{row.sign} {row.means}", row.style))
    return list(seen.values())


def legend_lines(legend: Iterable[Piece], look: Look) -> list[Line]:
    """Return the legend in as few lines as it fits."""
    lines: list[Line] = []
    left = 0
    for piece in legend:
        size = cells(piece.text) + GAP
        if lines and size <= left:
            lines[-1] += [Piece("  "), piece]
            left -= size
        else:
            lines.append([piece])
            left = look.width - size + GAP
    return [cropped(line, look.width, look) for line in lines]
