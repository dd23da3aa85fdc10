"""The columns of the timeline: name, state, track, tries, fitted to any width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asyncflow.history.record import TaskHistory
from asyncflow.report.axis import Axis
from asyncflow.report.canvas import Line, Look, Piece, cells, cropped, fit
from asyncflow.report.words import mark_of

GAP = 2
"""Cells between two columns."""

_LEAST_NAME = 8
_LEAST_TRACK = {"full": 40, "word": 16, "sign": 10}


@dataclass(frozen=True, slots=True)
class Row:
    """One row before its track has a width; `full`, `word` and `sign` are its state, ever shorter."""

    name: str
    full: str
    word: str
    sign: str
    means: str
    style: str
    tries: str
    draw: Callable[[Axis], Line]


def row_of(
    task: TaskHistory, name: str, look: Look, draw: Callable[[Axis], Line], words: str | None = None
) -> Row:
    """Return the row of a task run.

    Args:
        task: the task run.
        name: what it is called there.
        look: signs and colours.
        draw: makes its track.
        words: its state in full; the words of its mark when not given.
    """
    shown = mark_of(task)
    means = look.clean(shown.word)
    return Row(
        name=name,
        full=f"{look.of(shown)} {means if words is None else words}",
        word=f"{look.of(shown)} {look.clean(task.state.name)}",
        sign=look.of(shown),
        means=means,
        style=shown.style,
        tries=tries_text(task.attempt_count, task.call_count),
        draw=draw,
    )


@dataclass(frozen=True, slots=True)
class Columns:
    """The widths of the columns; without a track there is no picture, only the table."""

    name: int
    words: str
    state: int
    track: int
    tries: int
    title: str


def tries_text(attempts: int, calls: int) -> str:
    """Return how many tries there were, and how many of them called the body where that differs."""
    return str(attempts) if attempts == calls else f"{attempts}/{calls}"


def fit_columns(rows: Sequence[Row], look: Look) -> Columns:
    """Return widths that fit: words give way before the picture, the picture before names and states."""
    title = "tries/calls" if look.width >= 72 and any("/" in row.tries for row in rows) else "tries"
    tries = max(len(title), *(len(row.tries) for row in rows), 0)
    longest = max([cells(row.name) for row in rows] + [4])
    name = min(longest, max(_LEAST_NAME, int(look.width * 0.28)))
    for words, least in _LEAST_TRACK.items():
        state, most = _widest(rows, words), max(15, int(look.width * 0.36))
        if words == "full" and state > most:
            continue
        state = min(state, most)
        track = look.width - name - state - tries - 3 * GAP
        if track >= least:
            return Columns(name, words, state, track, tries, title)
    state = min(_widest(rows, "word"), look.width - GAP - _LEAST_NAME)
    left = look.width - state - GAP
    if left - tries - GAP < _LEAST_NAME:
        return Columns(left, "word", state, 0, 0, "")
    return Columns(min(longest, left - tries - GAP), "word", state, 0, tries, title)


def _widest(rows: Sequence[Row], words: str) -> int:
    """Return the cells of the widest state, its title included."""
    return max([cells(getattr(row, words)) for row in rows] + [1 if words == "sign" else 5])


def title_line(columns: Columns, axis: Axis, look: Look) -> Line:
    """Return the line over the columns."""
    state = "" if columns.words == "sign" else "state"
    line = [Piece(f"{fit('task', columns.name, look)}  {fit(state, columns.state, look)}", "dim")]
    if columns.track:
        line += [Piece("  "), *axis.labels()]
    if columns.tries:
        line.append(Piece("  " + fit(columns.title, columns.tries, look, right=True), "dim"))
    return cropped(line, look.width, look)


def row_line(row: Row, columns: Columns, axis: Axis, look: Look) -> Line:
    """Return one row."""
    line = [
        Piece(fit(row.name, columns.name, look), "plain" if row.tries else "dim"),
        Piece("  "),
        Piece(fit(getattr(row, columns.words), columns.state, look), row.style),
    ]
    if columns.track:
        line += [Piece("  "), *row.draw(axis)]
    if columns.tries:
        line.append(Piece("  " + fit(row.tries, columns.tries, look, right=True)))
    return cropped(line, look.width, look)
