"""The attempt timeline: one row per task, its state in sign and word, and every attempt and wait on one axis.

    quiet-heron  posts etl  scenario flaky_network  seed 7
    task           state                  0 s       1 s       2 s       tries
    extract_posts  ↻ Success after retry  1▒⚡╌╌ 980 ms ╌╌2████████         2

A run of very many tasks is told by name. `words` has the marks and their signs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from asyncflow.events import RunHeader
from asyncflow.history.record import BreakerChange, Outcome, RunHistory, TaskHistory
from asyncflow.report.axis import Axis
from asyncflow.report.canvas import Line, Look, Piece, cells, cropped
from asyncflow.report.lanes import activity_lane, breaker_lane, breaker_style
from asyncflow.report.maps import element_rows, map_row
from asyncflow.report.rows import GAP, Row, fit_columns, row_line, row_of, title_line, tries_text
from asyncflow.report.tally import Group, Tally, tally_of
from asyncflow.report.track import draw_track
from asyncflow.report.words import fill, mark, plural

MOST_ROWS = 40
"""A run with more tasks than this is told by name."""

_TOLD: tuple[Outcome, ...] = ("failed", "crashed", "timed out", "signalled", "skipped", "paused", "cancelled")


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
        made.append(_task_row(task, history, look))
        if task.elements is not None:
            made += element_rows(history, task, look, every=elements)
    return _frame(history.header, made, history.breakers, history.ended, look, _legend(history, look))


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
        _task_row(singles[group.name], history, look)
        if history and group.name in singles
        else _group_row(group, look)
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


def _task_row(task: TaskHistory, history: RunHistory, look: Look) -> Row:
    """Return a task's row; one that waits for others says for which."""
    if task.elements is not None and task.elements.total:
        return map_row(task, history, look)
    return row_of(
        task,
        look.clean(task.name),
        look,
        lambda axis: draw_track(task, axis, look, _blocked_by(task, history)),
    )


def _blocked_by(task: TaskHistory, history: RunHistory) -> str:
    """Return what a pending task waits for, by name."""
    if task.state.name != "Pending":
        return ""
    upstream = set(task.upstream)
    names = [other.name for other in history.tasks if other.number in upstream and not other.state.is_final]
    return f"waits for {', '.join(dict.fromkeys(names))}" if names else ""


def _group_row(group: Group, look: Look) -> Row:
    """Return the row of all task runs of one name."""
    shown = mark(group.worst())
    most_first = sorted(group.states.items(), key=lambda item: -item[1])
    several = group.size > 1
    lane_style = mark(most_first[0][0]).style
    parts = [f"{count:,} {look.clean(name)}" for name, count in most_first] if several else [shown.word]
    worst = next(part for part, (name, _) in zip(parts, most_first, strict=False) if name == group.worst())
    brief = list(dict.fromkeys([worst, parts[0]]))
    more = f" {look.sign('cut')}" if len(brief) < len(parts) else ""
    return Row(
        name=look.clean(group.name) + (f" {look.sign('times')}{group.size}" if several else ""),
        full=f"{look.of(shown)} {', '.join(parts)}",
        word=f"{look.of(shown)} {', '.join(brief)}{more}",
        sign=look.of(shown),
        means=look.clean(shown.word),
        style=shown.style,
        tries=tries_text(group.attempts, group.calls),
        draw=lambda axis: activity_lane(group.activity, lane_style, axis, look),
    )


def _lane_rows(changes: Sequence[BreakerChange], look: Look) -> list[Row]:
    """Return a row per breaker, in the order of their first changes."""
    lanes: dict[str, list[BreakerChange]] = {}
    for change in changes:
        lanes.setdefault(change.breaker, []).append(change)
    return [_lane_row(name, lane, look) for name, lane in lanes.items()]


def _lane_row(name: str, lane: Sequence[BreakerChange], look: Look) -> Row:
    state = lane[-1].new
    sign = look.sign(state) if state in ("open", "closed", "half-open") else look.sign("dot")
    shown = f"{sign} {look.clean(state)}"
    return Row(
        name=look.clean(f"breaker {name}"),
        full=shown,
        word=shown,
        sign=sign,
        means=look.clean(state),
        style=breaker_style(state),
        tries="",
        draw=lambda axis: breaker_lane(lane, axis, look),
    )


def _frame(
    header: RunHeader,
    rows: list[Row],
    changes: Sequence[BreakerChange],
    span: float,
    look: Look,
    legend: list[Piece],
) -> list[Line]:
    """Return the whole picture: header, axis, rows, lanes, legend."""
    every = rows + _lane_rows(changes, look)
    columns = fit_columns(every, look)
    axis = Axis(span, max(1, columns.track))
    lines = [header_line(header, look), title_line(columns, axis, look)]
    lines += [row_line(row, columns, axis, look) for row in every]
    if columns.words == "sign":
        legend = _sign_legend(rows) + legend
    return lines + (_legend_lines(legend, look) if columns.track else [])


def _legend(history: RunHistory, look: Look) -> list[Piece]:
    """Return what the signs in the picture mean, those that are in it."""
    tasks = (*history.tasks, *history.elements)
    attempts = [attempt for task in tasks for attempt in task.attempts]
    outcomes = {attempt.outcome for attempt in attempts}
    legend = []
    if any(attempt.faults for attempt in attempts):
        legend.append(Piece(f"{look.sign('fault')} injected fault", "fault"))
    if "refused" in outcomes:
        legend.append(Piece(f"{look.sign('refused')} refused, body not called", "refused"))
    legend += _fillings(outcomes, look)
    if any(task.waits for task in tasks):
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


def _sign_legend(rows: Iterable[Row]) -> list[Piece]:
    """Return the words of the states where the rows have only their signs."""
    seen: dict[str, Piece] = {}
    for row in rows:
        seen.setdefault(row.sign, Piece(f"{row.sign} {row.means}", row.style))
    return list(seen.values())


def _legend_lines(legend: Iterable[Piece], look: Look) -> list[Line]:
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
