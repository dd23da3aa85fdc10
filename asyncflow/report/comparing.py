"""Runs of one flow side by side, a block for each; all of them lie on one time axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from asyncflow.history.measures import Measures
from asyncflow.history.record import RunHistory, TaskHistory
from asyncflow.report.axis import Axis
from asyncflow.report.canvas import Line, Look, Piece, cropped
from asyncflow.report.legend import legend_lines, legend_of, sign_legend
from asyncflow.report.maps import element_rows
from asyncflow.report.rows import Row, fit_columns, row_line, title_line
from asyncflow.report.run_rows import hedge_rows, lane_rows, task_row
from asyncflow.report.tally import base_name
from asyncflow.report.traffic import Scale, Traffic, scale_texts, traffic_of, traffic_rows
from asyncflow.report.words import duration, mark, plural

MOST_NAMES = 16
"""A run that calls tasks of more names than this shows those that are not well first."""

_WELL = ("Success", "Cached", "Skipped", "Pending")


class Side(NamedTuple):
    """One of the runs.

    Attributes:
        label: what tells it from the others.
        title: a sentence about it, or an empty text.
        verdict: the verdict's word.
        history: its events, folded.
        measures: its numbers.
        breakers: the names of the breakers around its tasks, used or not.
        expectations: how many there are, and how many of them held.
    """

    label: str
    title: str
    verdict: str
    history: RunHistory
    measures: Measures
    breakers: Sequence[str] = ()
    expectations: tuple[int, int] = (0, 0)


def comparison(sides: Sequence[Side], look: Look) -> list[Line]:
    """Return the blocks of all runs, on one axis that is as long as the longest of them.

    Args:
        sides: the runs.
        look: what the place of output can show.
    """
    busy = [traffic_of(side.history) for side in sides]
    scales = {name: Scale([one[name] for one in busy if name in one]) for one in busy for name in one}
    blocks = [_rows(side.history, traffic, scales, look) for side, traffic in zip(sides, busy, strict=True)]
    every = [row for rows in blocks for row in rows]
    columns = fit_columns(every, look)
    axis = Axis(max(side.history.ended for side in sides), max(1, columns.track))
    lines = [title_line(columns, axis, look)]
    for side, rows in zip(sides, blocks, strict=True):
        lines.append(_heading(side, look))
        lines += [row_line(row, columns, axis, look) for row in rows]
        lines.append([])
    legend = _legend(sides, busy, look)
    if columns.words == "sign":
        legend = sign_legend(row for row in every if row.tries) + legend
    legend += [Piece(text, "dim") for text in scale_texts(scales, axis, look)]
    return lines + (legend_lines(legend, look) if columns.track else [])


def verdict_mark(word: str) -> str:
    """Return the name of the state whose sign stands for a verdict."""
    return "Success" if word == "held" else "Failed"


def _heading(side: Side, look: Look) -> Line:
    """Return the line over a run's rows."""
    verdict, state = mark(verdict_mark(side.verdict)), mark(side.history.state)
    line = [
        Piece(look.clean(side.label), "name"),
        Piece(f"  {look.of(verdict)} {side.verdict}", verdict.style),
        Piece(f"  {look.of(state)} {look.clean(state.word)}", state.style),
        Piece(f" after {duration(side.history.ended)}"),
    ]
    if side.title:
        line.append(Piece(f"  {look.clean(side.title)}", "dim"))
    return cropped(line, look.width, look)


def _rows(history: RunHistory, busy: dict[str, Traffic], scales: dict[str, Scale], look: Look) -> list[Row]:
    """Return the rows of one run: its tasks in the order of their calls, then the breakers."""
    names = list(dict.fromkeys(task.name for task in history.tasks))
    shown = _chosen(history.tasks, names)
    rows: list[Row] = []
    for name in shown:
        if name in busy:
            rows += traffic_rows(busy[name], scales[name], look)
            continue
        for task in (task for task in history.tasks if task.name == name):
            rows += [task_row(task, history, look), *hedge_rows(task, look)]
            if task.elements is not None:
                rows += element_rows(history, task, look, every=False)
    if len(shown) < len(names):
        rows.append(_more(len(names) - len(shown), look))
    return rows + lane_rows(history.breakers, look, history.ended)


def _chosen(tasks: Iterable[TaskHistory], names: Sequence[str]) -> list[str]:
    """Return the names to show: all, or before the others those with a task run that is not well."""
    if len(names) <= MOST_NAMES:
        return list(names)
    unwell = {task.name for task in tasks if task.state.name not in _WELL}
    order = sorted(range(len(names)), key=lambda at: (names[at] not in unwell, at))
    return [names[at] for at in sorted(order[:MOST_NAMES])]


def _more(count: int, look: Look) -> Row:
    text = f"{look.sign('cut')} and {plural(count, 'more name')}"
    return Row(text, "", "", "", "", "dim", "", lambda axis: [Piece(" " * axis.width)])


def _legend(sides: Sequence[Side], busy: Sequence[dict[str, Traffic]], look: Look) -> list[Piece]:
    """Return what the signs in the blocks mean; lanes of many calls have none of them."""
    drawn = [
        task
        for side, traffic in zip(sides, busy, strict=True)
        for task in (*side.history.tasks, *side.history.elements)
        if base_name(task.name) not in traffic
    ]
    return legend_of(drawn, look)
