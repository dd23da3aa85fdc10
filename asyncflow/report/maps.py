"""A mapped task in the timeline: one row with its span and how its elements stand, and rows of a few of them.

fetch \u00d7100    ✗ 97 ✓ 2 ↻ 1 ✗  ████████████████
"""

from __future__ import annotations

from dataclasses import replace

from asyncflow.history.record import Attempt, RunHistory, TaskHistory, outcome_of
from asyncflow.report.canvas import Look
from asyncflow.report.rows import Row, tries_text
from asyncflow.report.track import draw_track
from asyncflow.report.words import counts_of, mark_of

FEW = 6
"""The elements of a map that has no more are shown one by one."""


def map_row(task: TaskHistory, history: RunHistory, look: Look) -> Row:
    """Return the row of a mapped task."""
    elements = task.elements
    assert elements is not None
    shown = mark_of(task)
    counts = counts_of(elements, unicode=look.unicode)
    spanned = _spanned(task, history)
    of = elements.expected
    size = elements.total if of is None or task.state.is_final else of
    return Row(
        name=f"{look.clean(task.name)} {look.sign('times')}{size}",
        full=f"{look.of(shown)} {counts}",
        word=f"{look.of(shown)} {look.clean(task.state.name)}",
        sign=look.of(shown),
        means=look.clean(shown.word),
        style=shown.style,
        tries=tries_text(task.attempt_count, task.call_count),
        draw=lambda axis: draw_track(spanned, axis, look),
    )


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
    shown = mark_of(element)
    return Row(
        name=f"  [{element.index}]",
        full=f"{look.of(shown)} {look.clean(shown.word)}",
        word=f"{look.of(shown)} {look.clean(element.state.name)}",
        sign=look.of(shown),
        means=look.clean(shown.word),
        style=shown.style,
        tries=tries_text(element.attempt_count, element.call_count),
        draw=lambda axis: draw_track(element, axis, look),
    )
