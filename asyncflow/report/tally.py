"""Many task runs told by name: how many are in which state, and how many attempts were in flight when.

A tally is fed with events, like the fold of a run, but keeps only the name and the state's name of each task
run that is not final, so the live view of a run of any size fits into bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from asyncflow.events import plain_detail
from asyncflow.history.record import RunHistory, TaskHistory
from asyncflow.report.words import WORST_FIRST
from asyncflow.states import BY_NAME, MOVES, State

_BINS = 256


class Activity:
    """How many attempts were in flight, averaged over equal stretches of time that grow as time goes on.

    Args:
        resolution: seconds in the first stretches.
    """

    def __init__(self, resolution: float = 0.001) -> None:
        self.resolution = resolution
        self._busy = [0.0] * _BINS
        self._open = 0
        self._told = 0.0

    def change(self, offset: float, by: int) -> None:
        """Note that at an instant that many attempts more, or fewer, are in flight."""
        self._advance(offset)
        self._open += by

    def levels(self, span: float, width: int) -> list[float]:
        """Return the mean number in flight in each of `width` equal parts of the first `span` seconds."""
        self._advance(span)
        levels = []
        for part in range(width):
            start, end = span * part / width, span * (part + 1) / width
            levels.append(self._between(start, end) / (end - start) if end > start else 0.0)
        return levels

    def _between(self, start: float, end: float) -> float:
        """Return the attempt-seconds between two instants."""
        total = 0.0
        first, last = int(start / self.resolution), min(_BINS - 1, int(end / self.resolution))
        for place in range(first, last + 1):
            left, right = max(start, place * self.resolution), min(end, (place + 1) * self.resolution)
            total += self._busy[place] * max(0.0, right - left) / self.resolution
        return total

    def _advance(self, offset: float) -> None:
        """Spread what is in flight over the stretches up to an instant; time that goes back is ignored."""
        while offset > self.resolution * _BINS:
            self._coarsen()
        while self._told < offset:
            place = min(_BINS - 1, int(self._told / self.resolution + 1e-9))
            until = min(offset, (place + 1) * self.resolution)
            self._busy[place] += self._open * (until - self._told)
            self._told = until if until > self._told else offset

    def _coarsen(self) -> None:
        """Join the stretches by twos."""
        pairs = zip(self._busy[::2], self._busy[1::2], strict=True)
        self._busy = [one + other for one, other in pairs] + [0.0] * (_BINS // 2)
        self.resolution *= 2


@dataclass(slots=True)
class Group:
    """The task runs of one name.

    Attributes:
        name: the name, without a map's index.
        states: how many are in the state of that name.
        attempts: tries that have started or were refused.
        calls: how many bodies ran, those of hedges included.
        faults: faults that struck them.
        activity: how many attempts were in flight when.
    """

    name: str
    states: dict[str, int] = field(default_factory=dict)
    attempts: int = 0
    calls: int = 0
    faults: int = 0
    activity: Activity = field(default_factory=Activity)

    @property
    def size(self) -> int:
        """How many task runs there are."""
        return sum(self.states.values())

    def move(self, old: str | None, new: str) -> None:
        """Count one task run in another state."""
        if old is not None:
            self.leave(old)
        self.states[new] = self.states.get(new, 0) + 1

    def tried(self, offset: float, old: str, new: str, *, refused: bool) -> None:
        """Count what a change of state says about attempts."""
        if old == "Running":
            self.activity.change(offset, -1)
            self.calls -= refused
        elif refused:
            self.attempts += 1
        if new == "Running":
            self.activity.change(offset, 1)
            self.attempts += 1
            self.calls += 1

    def leave(self, state: str) -> None:
        """Count one task run less in a state."""
        self.states[state] -= 1
        if not self.states[state]:
            del self.states[state]

    def worst(self) -> str:
        """Return the name of the state that a summary names first."""
        return next((name for name in WORST_FIRST if name in self.states), "Pending")


def base_name(name: str) -> str:
    """Return a task run's name without a map's index: `fetch` for `fetch[3]`."""
    return name[: name.rindex("[")] if name.endswith("]") and "[" in name[1:] else name


class Tally:
    """The groups of a run, in the order in which their names first came; `size` counts the task runs."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self.size = 0
        self._unfinished: dict[int, tuple[Group, str]] = {}
        self._maps: dict[int, tuple[Group, dict[str, int]]] = {}

    def add(self, event: Iterable[Any]) -> None:
        """Take the next event, in the shape of `Event`."""
        offset, kind, task, _, detail = event
        if kind == "task_called":
            call = plain_detail(detail)
            self._begun(task, str(call.get("name", "")), call)
        elif kind == "elements_counted":
            self._counted(task, detail)
        elif kind == "state_changed" and task:
            self._moved(task, offset, detail)
        elif kind == "fault_injected" and task in self._unfinished:
            self._unfinished[task][0].faults += 1
        elif kind == "hedge_ended" and task in self._unfinished and task not in self._maps:
            self._unfinished[task][0].calls += detail["calls"]

    def _begun(self, task: int, name: str, call: Mapping[str, Any]) -> None:
        """Take a call, or the start of an element of a map, which then stands for the map itself."""
        if "element_of" in call:
            self._forget(call["element_of"])
        group = self.called(task, name)
        if "element_of" in call:
            self.size -= 1
        if "map" in call:
            self._maps[task] = group, {}

    def _forget(self, task: int) -> None:
        """Count a map no longer as a task run of its own: its elements are counted."""
        group, state = self._unfinished.pop(task, (None, ""))
        if group is not None:
            group.leave(state)

    def _counted(self, task: int, detail: Mapping[str, Any]) -> None:
        """Take how many elements without events of their own are in which state."""
        if task not in self._maps:
            return
        self._forget(task)
        group, before = self._maps[task]
        for name, count in detail["states"].items():
            group.states[name] = group.states.get(name, 0) + count - before.get(name, 0)
        group.attempts += detail["attempts"] - before.get("attempts", 0)
        group.calls += detail["calls"] - before.get("calls", 0)
        self._maps[task] = group, {**detail["states"], **{key: detail[key] for key in ("attempts", "calls")}}

    def called(self, task: int, name: str, state: str = "Pending") -> Group:
        """Take a new task run and return its group."""
        name = base_name(name)
        group = self.groups.get(name)
        if group is None:
            group = self.groups[name] = Group(name)
        group.move(None, state)
        self.size += 1
        self._unfinished[task] = (group, state)
        return group

    def _moved(self, task: int, offset: float, detail: Any) -> None:
        """Take a change of a task run's state."""
        if isinstance(detail, State):
            state, refused = detail.name, detail.detail.get("called") is False
        else:
            state, refused = detail["state"], (detail.get("detail") or {}).get("called") is False
        if task not in self._unfinished:
            return
        group, old = self._unfinished[task]
        if task not in self._maps:  # whose tries are those of its elements
            group.tried(offset, old, state, refused=refused)
        group.move(old, state)
        self._unfinished[task] = (group, state)
        known = BY_NAME.get(state)
        if known is not None and not MOVES[known]:
            del self._unfinished[task]


def tally_of(history: RunHistory) -> Tally:
    """Return the tally of a run that was folded whole."""
    tally = Tally()
    steps: list[tuple[float, int, Group]] = []
    for task in (*history.tasks, *history.elements):
        if task.element_of:
            group = tally.groups[base_name(task.name)]
        else:
            group = _with_elements(tally.called(task.number, task.name, task.state.name), task)
            group.attempts += task.attempt_count
            group.calls += task.call_count
        for attempt in task.attempts:
            group.faults += len(attempt.faults)
            if attempt.called:
                steps += [(attempt.started, 1, group), (attempt.ended, -1, group)]
    for offset, by, group in sorted(steps, key=lambda step: step[0]):
        group.activity.change(offset, by)
    return tally


def _with_elements(group: Group, task: TaskHistory) -> Group:
    """Let the elements of a mapped task be counted in its place."""
    if task.elements is not None and task.elements.total:
        group.leave(task.state.name)
        for name, count in task.elements.states.items():
            group.states[name] = group.states.get(name, 0) + count
    return group
