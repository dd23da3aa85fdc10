"""Many calls of one task as two lanes: how many calls began when, and how many of them came to a success."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from asyncflow.history.elements import Elements
from asyncflow.history.measures import MANY
from asyncflow.history.record import RunHistory, TaskHistory
from asyncflow.report.axis import Axis
from asyncflow.report.canvas import Line, Look, Piece
from asyncflow.report.lanes import level_of
from asyncflow.report.rows import Row, tries_text
from asyncflow.report.words import WORST_FIRST, counts_of, mark
from asyncflow.states import BY_NAME

_GOODPUT = "goodput"


@dataclass(slots=True)
class Traffic:
    """The task runs of one name, when they are many.

    Attributes:
        name: the task's name.
        elements: how they stand.
        begun: when calls of the body began, in seconds into the run.
        good: when task runs succeeded.
        ended: where the run ended.
    """

    name: str
    elements: Elements
    begun: list[float] = field(default_factory=list)
    good: list[float] = field(default_factory=list)
    ended: float = 0.0

    @property
    def successes(self) -> int:
        """How many task runs succeeded."""
        return sum(count for name, count in self.elements.states.items() if BY_NAME[name].kind == "success")


def traffic_of(history: RunHistory) -> dict[str, Traffic]:
    """Return the task runs of each name that has more of them than can be shown one by one.

    Elements of a map that have no events of their own are not in the lanes, though they are counted.
    """
    known: dict[str, list[TaskHistory]] = {}
    for task in history.tasks:
        known.setdefault(task.name, []).append(task)
    found = {}
    for name, tasks in known.items():
        elements = _standing(tasks)
        if elements.total > MANY:
            runs = [run for task in tasks for run in _runs(task, history)]
            found[name] = Traffic(
                name=name,
                elements=elements,
                begun=[attempt.started for run in runs for attempt in run.attempts if attempt.called],
                good=[run.changed for run in runs if _is_good(run)],
                ended=history.ended,
            )
    return found


def _runs(task: TaskHistory, history: RunHistory) -> Sequence[TaskHistory]:
    return [task] if task.elements is None else history.elements_of(task)


def _is_good(run: TaskHistory) -> bool:
    return run.state.is_final and not run.state.is_failed


def _standing(tasks: Iterable[TaskHistory]) -> Elements:
    """Return how task runs stand, maps by their elements."""
    states: dict[str, int] = {}
    retried = attempts = calls = 0
    for task in tasks:
        attempts += task.attempt_count
        calls += task.call_count
        retried += task.state.how == "after retry" if task.elements is None else task.elements.retried
        counts = {task.state.name: 1} if task.elements is None else task.elements.states
        for name, count in counts.items():
            if name in BY_NAME:
                states[name] = states.get(name, 0) + count
    return Elements(states, retried, attempts, calls)


class Scale:
    """What the full height of the lanes of one name is, the same in all the runs that are compared.

    Args:
        runs: the traffic of that name in each of them.
    """

    def __init__(self, runs: Sequence[Traffic]) -> None:
        self._lanes = [lane for run in runs for lane in (run.begun, run.good)]
        self._known: dict[Axis, int] = {}

    def peak(self, axis: Axis) -> int:
        """Return the most calls that begin, or succeed, in one cell of the axis."""
        if axis not in self._known:
            lanes = (per_cell(lane, axis) for lane in self._lanes)
            self._known[axis] = max(map(max, lanes), default=0)
        return self._known[axis]


def per_cell(instants: Iterable[float], axis: Axis) -> list[int]:
    """Return how many instants lie in each cell of an axis."""
    counts = [0] * axis.width
    for instant in instants:
        counts[axis.cell(instant)] += 1
    return counts


def traffic_rows(traffic: Traffic, scale: Scale, look: Look) -> list[Row]:
    """Return the two rows of a name."""
    elements = traffic.elements
    worst = next((name for name in WORST_FIRST if name in elements.states), "Pending")
    shown = mark(worst)
    counts = counts_of(elements, unicode=look.unicode)
    rate = f"{rate_text(traffic.successes / traffic.ended if traffic.ended else 0.0)} good"
    return [
        Row(
            name=f"{look.clean(traffic.name)} {look.sign('times')}{elements.total:,}",
            full=counts,
            word=counts,
            sign=look.of(shown),
            means=look.clean(shown.word),
            style=shown.style,
            tries=tries_text(elements.attempts, elements.calls),
            draw=lambda axis: _lane(traffic.begun, axis, scale, look, "running"),
        ),
        Row(
            name=f"  {_GOODPUT}",
            full=rate,
            word=rate,
            sign=look.of(mark("Success")),
            means="good",
            style="success",
            tries=f"{traffic.successes}",
            draw=lambda axis: _lane(traffic.good, axis, scale, look, "success"),
        ),
    ]


def rate_text(rate: float) -> str:
    """Return a number of things in a second, with three digits where it has a fraction."""
    return f"{rate:,.0f}/s" if rate >= 100 or rate == int(rate) else f"{rate:.3g}/s"


def _lane(instants: Sequence[float], axis: Axis, scale: Scale, look: Look, style: str) -> Line:
    """Return a lane whose height tells how much began in each cell, as a share of the scale."""
    peak = scale.peak(axis) or 1
    signs = look.sign("levels")
    lane = "".join(level_of(count / peak, signs) if count else " " for count in per_cell(instants, axis))
    return [Piece(lane, style)]


def scale_texts(scales: Mapping[str, Scale], axis: Axis, look: Look) -> list[str]:
    """Return what the lanes are, and what their full height means."""
    if not scales:
        return []
    full, cell = look.sign("levels")[-1], axis.span / axis.width
    told = [
        rate_text(scale.peak(axis) / cell if cell else 0.0)
        + (f" of {look.clean(name)}" if len(scales) > 1 else "")
        for name, scale in scales.items()
    ]
    return [f"lanes: calls begun, successes; {full} is {', '.join(told)}"]
