"""The rows of a run in the timeline: one for a task run or for all of a name, and a lane for each breaker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from asyncflow.history.decisions import BreakerChange, Hedge
from asyncflow.history.record import Outcome, RunHistory, TaskHistory
from asyncflow.report.canvas import Look, Piece
from asyncflow.report.lanes import activity_lane, breaker_lane, breaker_style, span_lane
from asyncflow.report.maps import FEW, map_row
from asyncflow.report.rows import Row, row_of, tries_text
from asyncflow.report.tally import Group
from asyncflow.report.track import draw_track
from asyncflow.report.words import fill, mark


def task_row(task: TaskHistory, history: RunHistory, look: Look) -> Row:
    """Return a task's row; one that waits for others says for which."""
    if task.elements is not None and task.elements.total:
        return map_row(task, history, look)
    return row_of(
        task,
        look.clean(task.name),
        look,
        lambda axis: draw_track(task, axis, look, _blocked_by(task, history)),
    )


def hedge_rows(task: TaskHistory, look: Look) -> list[Row]:
    """Return a row for each hedge of a task run, when they are few."""
    return [_hedge_row(hedge, look) for hedge in task.hedges] if len(task.hedges) <= FEW else []


def _hedge_row(hedge: Hedge, look: Look) -> Row:
    outcome, state = _HEDGE_ENDS.get(hedge.end, ("running", "Running"))
    shown = mark(state)
    word = f"{look.of(shown)} {look.clean(hedge.end or 'running')}"
    char, style = fill(outcome, unicode=look.unicode)
    return Row(
        name=f"  hedge {hedge.number}",
        full=word,
        word=word,
        sign=look.of(shown),
        means=look.clean(shown.word),
        style=style,
        tries=str(hedge.calls),
        draw=lambda axis: span_lane(hedge.started, hedge.ended, Piece(char, style), axis, look),
    )


_HEDGE_ENDS: Mapping[str, tuple[Outcome, str]] = {
    "won": ("succeeded", "Success"),
    "late": ("succeeded", "Cancelled"),
    "failed": ("failed", "Failed"),
    "refused": ("refused", "Failed"),
    "cancelled": ("cancelled", "Cancelled"),
}
"""What each end of a hedge looks like: the filling of its bar, and the state whose sign it has."""


def _blocked_by(task: TaskHistory, history: RunHistory) -> str:
    """Return what a pending task waits for, by name."""
    if task.state.name != "Pending":
        return ""
    upstream = set(task.upstream)
    names = [other.name for other in history.tasks if other.number in upstream and not other.state.is_final]
    return f"waits for {', '.join(dict.fromkeys(names))}" if names else ""


def group_row(group: Group, look: Look) -> Row:
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


def lane_rows(changes: Sequence[BreakerChange], look: Look, until: float | None = None) -> list[Row]:
    """Return a row per breaker, in the order of their first changes.

    Args:
        changes: the changes of all breakers.
        look: what the place of output can show.
        until: where the run ended, when the axis goes on.
    """
    lanes: dict[str, list[BreakerChange]] = {}
    for change in changes:
        lanes.setdefault(change.breaker, []).append(change)
    return [_lane_row(name, lane, look, until) for name, lane in lanes.items()]


def _lane_row(name: str, lane: Sequence[BreakerChange], look: Look, until: float | None) -> Row:
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
        draw=lambda axis: breaker_lane(lane, axis, look, until),
    )
