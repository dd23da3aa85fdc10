"""Tracks that are not one task's: a breaker's states, and how many attempts of a name were in flight."""

from __future__ import annotations

from collections.abc import Sequence

from asyncflow.history.decisions import BreakerChange
from asyncflow.report.axis import Axis
from asyncflow.report.canvas import Line, Look, Piece
from asyncflow.report.tally import Activity
from asyncflow.report.track import merged

_BREAKER_STYLES = {"closed": "success", "open": "refused", "half-open": "waiting"}


def breaker_style(state: str) -> str:
    """Return the style of a breaker's state."""
    return _BREAKER_STYLES.get(state, "dim")


def breaker_lane(
    changes: Sequence[BreakerChange], axis: Axis, look: Look, until: float | None = None
) -> Line:
    """Return one breaker's lane: a thin line while closed, a block while open, hatched while half-open.

    Args:
        changes: its changes, in order.
        axis: the time axis.
        look: what the place of output can show.
        until: where the run ended, when the axis goes on.
    """
    row = [(" ", "plain")] * axis.width
    starts = [(0.0, changes[0].old), *((change.offset, change.new) for change in changes)]
    ends = [start for start, _ in starts[1:]] + [axis.span if until is None else until]
    for (start, state), end in zip(starts, ends, strict=True):
        left = axis.cell(start)
        right = max(left + 1, axis.edge(end))
        style = breaker_style(state)
        char = look.sign(state) if state in _BREAKER_STYLES else look.sign("dot")
        row[left:right] = [(char, style)] * (right - left)
        if state == "open" and right - left >= len(state) + 2:
            at = left + (right - left - len(state)) // 2
            row[at : at + len(state)] = [(letter, f"bar.{style}") for letter in state]
    return merged(row)


def span_lane(start: float, end: float, filling: Piece, axis: Axis, look: Look) -> Line:
    """Return a lane with one bar of at least a cell.

    Args:
        start: where it begins, in seconds into the run.
        end: where it ends.
        filling: one cell of it.
        axis: the time axis.
        look: what the place of output can show.
    """
    row = [(" ", "plain")] * axis.width
    for cell in axis.grid():
        row[cell] = (look.sign("grid"), "dim")
    left = axis.cell(start)
    right = max(left + 1, axis.edge(end))
    row[left:right] = [(filling.text, filling.style)] * (right - left)
    return merged(row)


def activity_lane(activity: Activity, style: str, axis: Axis, look: Look) -> Line:
    """Return a lane whose height tells how many attempts were in flight, as a share of its peak."""
    levels = activity.levels(axis.span, axis.width)
    peak = max(levels, default=0.0)
    signs = look.sign("levels")
    row = "".join(level_of(level / peak, signs) if level > 0 else " " for level in levels)
    return [Piece(row, style)]


def level_of(share: float, signs: str) -> str:
    """Return the sign for a share of the peak; whatever is above zero shows."""
    return signs[min(len(signs) - 1, int(share * len(signs)))]
