"""The attempt timeline: one row per task, its state in sign and word, and every attempt and wait on one axis.

    quiet-heron  posts etl  scenario flaky_network  seed 7
    task           state                  0 s       1 s       2 s       tries
    extract_posts  ↻ Success after retry  1▒⚡╌╌ 980 ms ╌╌2████████         2

A run of very many tasks is told by name. `words` has the marks and their signs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from asyncflow.events import RunHeader
from asyncflow.history.decisions import BreakerChange
from asyncflow.history.record import RunHistory, TaskHistory
from asyncflow.report.axis import Axis
from asyncflow.report.canvas import Line, Look, Piece, cropped
from asyncflow.report.legend import legend_lines, legend_of, sign_legend
from asyncflow.report.maps import element_rows
from asyncflow.report.rows import Row, fit_columns, row_line, title_line
from asyncflow.report.run_rows import group_row, hedge_rows, lane_rows, task_row
from asyncflow.report.tally import Group, Tally, tally_of
from asyncflow.report.words import plural

MOST_ROWS = 40
"""A run with more tasks than this is told by name."""


def header_line(header: RunHeader, look: Look) -> Line:
    """Return the line that names a run: its name, flow, scenario, variant, world and seed."""
    line = [Piece(look.clean(header.name), "name"), Piece("  " + look.clean(header.flow))]
    if header.scenario is not None:
        line.append(Piece(f"  scenario {look.clean(header.scenario)}"))
    if header.variant is not None:
        line.append(Piece(f"  variant {look.clean(header.variant)}"))
    if header.world != "real":
        line.append(Piece(f"  {look.clean(header.world)}", "dim"))
    if header.seed is not None:
        line.append(Piece(f"  seed {header.seed}", "dim"))
    return cropped(line, look.width, look)


def timeline(history: RunHistory, look: Look, *, rows: int = MOST_ROWS, elements: bool = False) -> list[Line]:
    """Return the attempt timeline of a run, finished or not.

    Args:
        history: the run; for a live view, as seen at one instant.
        look: what the place of output can show.
        rows: the most rows; a run with more tasks is told by name.
        elements: whether each mapped task is followed by all its elements that are known one by one, however
            many; otherwise only by a few.
    """
    if len(history.tasks) > rows:
        return summary(history.header, tally_of(history), history.ended, look, history, rows=rows)
    made = []
    for task in history.tasks:
        made += [task_row(task, history, look), *hedge_rows(task, look)]
        if task.elements is not None:
            made += element_rows(history, task, look, every=elements)
    return _frame(
        history.header,
        made,
        history.breakers,
        history.ended,
        look,
        legend_of((*history.tasks, *history.elements), look),
    )


def summary(
    header: RunHeader,
    tally: Tally,
    now: float,
    look: Look,
    history: RunHistory | None = None,
    *,
    rows: int = MOST_ROWS,
) -> list[Line]:
    """Return the timeline of a run of very many tasks, told by name.

    Args:
        header: the run.
        tally: its task runs by name.
        now: seconds into the run, where the picture ends.
        look: what the place of output can show.
        history: the whole run, if it was kept; tasks alone of their name then keep their own row.
        rows: the most rows; names beyond it are only counted.
    """
    groups = list(tally.groups.values())
    shown = _chosen(groups, rows)
    singles = _singles(history.tasks) if history else {}
    made = [
        task_row(singles[group.name], history, look)
        if history and group.name in singles
        else group_row(group, look)
        for group in shown
    ]
    lines = _frame(header, made, history.breakers if history else (), now, look, [])
    left = len(groups) - len(shown)
    if left:
        lines.append([Piece(f"{look.sign('cut')} and {plural(left, 'more name')}", "dim")])
    return lines


def _singles(tasks: Iterable[TaskHistory]) -> dict[str, TaskHistory]:
    """Return the tasks that are the only ones of their name."""
    seen: dict[str, TaskHistory | None] = {}
    for task in tasks:
        seen[task.name] = None if task.name in seen else task
    return {name: task for name, task in seen.items() if task is not None}


def _chosen(groups: Sequence[Group], rows: int) -> list[Group]:
    """Return the groups to show: all, or the first ones and before them those that are not well."""
    if len(groups) <= rows:
        return list(groups)
    well = ("Success", "Cached", "Skipped", "Pending")
    order = sorted(range(len(groups)), key=lambda place: (groups[place].worst() in well, place))
    return [groups[place] for place in sorted(order[:rows])]


def _frame(
    header: RunHeader,
    rows: list[Row],
    changes: Sequence[BreakerChange],
    span: float,
    look: Look,
    legend: list[Piece],
) -> list[Line]:
    """Return the whole picture: header, axis, rows, lanes, legend."""
    every = rows + lane_rows(changes, look)
    columns = fit_columns(every, look)
    axis = Axis(span, max(1, columns.track))
    lines = [header_line(header, look), title_line(columns, axis, look)]
    lines += [row_line(row, columns, axis, look) for row in every]
    if columns.words == "sign":
        legend = sign_legend(rows) + legend
    return lines + (legend_lines(legend, look) if columns.track else [])
