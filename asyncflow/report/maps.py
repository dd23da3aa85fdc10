"""A mapped task in the timeline: one row with its span and how its elements stand, and rows of a few of them.

fetch \u00d7100    ✗ 97 ✓ 2 ↻ 1 ✗  ████████████████
"""

from __future__ import annotations

from dataclasses import replace

from asyncflow.history.record import Attempt, RunHistory, TaskHistory, outcome_of
from asyncflow.report.canvas import Look
from asyncflow.report.rows import Row, row_of
from asyncflow.report.track import draw_track
from asyncflow.report.words import counts_of

FEW = 6
"""The elements of a map that has no more are shown one by one."""


def map_row(task: TaskHistory, history: RunHistory, look: Look) -> Row:
    """Return the row of a mapped task."""
    elements = task.elements
    assert elements is not None
    counts = counts_of(elements, unicode=look.unicode)
    spanned = _spanned(task, history)
    of = elements.expected
    size = elements.total if of is None or task.state.is_final else of
    name = f"{look.clean(task.name)} {look.sign('times')}{size}"
    return row_of(task, name, look, lambda axis: draw_track(spanned, axis, look), counts)


def _spanned(task: TaskHistory, history: RunHistory) -> TaskHistory:
    """Return a mapped task whose one attempt is its span, with the faults that struck its elements."""
    elements = task.elements
    if elements is None or elements.started is None:
        return task
    ended = task.changed if task.state.is_final else history.ended
    outcome = outcome_of(task.state) if task.state.is_final else "running"
    faults = [fault for one in history.elements_of(task) for try_ in one.attempts for fault in try_.faults]
    span = Attempt(0, elements.started, max(ended, elements.started), outcome, faults=tuple(faults))
    return replace(task, attempts=(span,))


def element_rows(history: RunHistory, task: TaskHistory, look: Look, *, every: bool) -> list[Row]:
    """Return the rows of a map's elements: when there are few, or of `every` one that is known by itself."""
    told = history.elements_of(task)
    total = 0 if task.elements is None else task.elements.total
    if not every and (total > FEW or len(told) < total):
        return []
    return [_element_row(element, look) for element in told]


def _element_row(element: TaskHistory, look: Look) -> Row:
    return row_of(element, f"  [{element.index}]", look, lambda axis: draw_track(element, axis, look))
