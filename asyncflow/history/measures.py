"""What a run measures: the numbers by which runs of one flow under different policies are compared."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from asyncflow.history.record import Attempt, RunHistory, TaskHistory
from asyncflow.states import BY_NAME

MANY = 12
"""A name with more task runs than this has a goodput."""

_GATES = {
    "BreakerOpen": "breaker",
    "BulkheadFull": "bulkhead",
    "RateLimited": "rate limit",
    "Throttled": "throttle",
}
_OTHER = "other"


class Times(NamedTuple):
    """How long the task runs of a name took, waits between attempts included, in seconds.

    Attributes:
        median: half of them took no longer.
        p99: 99 of a hundred took no longer.
        slowest: the longest.
    """

    median: float
    p99: float
    slowest: float

    def to_json(self) -> dict[str, float]:
        """Return it as JSON-ready data."""
        return {"median_s": self.median, "p99_s": self.p99, "slowest_s": self.slowest}


@dataclass(frozen=True, slots=True)
class Measures:
    """What a run came to, in numbers.

    Attributes:
        duration: seconds from its start to its end.
        attempts: all tries of all tasks.
        calls: how many bodies ran, those of hedges included.
        retries: tries that were not a task run's first.
        faults: faults that struck.
        refused: tries that were refused, by what refused them: `breaker`, `bulkhead`, `rate limit`,
            `throttle`, or `other` where that is not known.
        waited: seconds between attempts, all tasks added up.
        queued: seconds of waiting for slots, all tasks added up.
        held_up: seconds that attempts waited to be admitted by bulkheads and rate limits, all added up.
        fallbacks: task runs that succeeded by their fallback.
        hedges: calls that were made once more beside themselves.
        opened: when each breaker opened, in seconds into the run, by name.
        goodput: successes in a second over the whole run, by the names that have many task runs.
        times: how long the task runs of such a name took; elements of maps that are only counted left out.
    """

    duration: float
    attempts: int
    calls: int
    retries: int
    faults: int
    refused: Mapping[str, int] = field(default_factory=dict)
    waited: float = 0.0
    queued: float = 0.0
    held_up: float = 0.0
    fallbacks: int = 0
    hedges: int = 0
    opened: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    goodput: Mapping[str, float] = field(default_factory=dict)
    times: Mapping[str, Times] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the measures as JSON-ready data; what ends in `_s` is seconds."""
        return {
            "duration_s": self.duration,
            "attempts": self.attempts,
            "calls": self.calls,
            "retries": self.retries,
            "faults": self.faults,
            "refused": dict(self.refused),
            "waited_s": self.waited,
            "queued_s": self.queued,
            "held_up_s": self.held_up,
            "fallbacks": self.fallbacks,
            "hedges": self.hedges,
            "opened_s": {name: list(instants) for name, instants in self.opened.items()},
            "goodput": dict(self.goodput),
            "times": {name: times.to_json() for name, times in self.times.items()},
        }


def measures_of(history: RunHistory) -> Measures:
    """Return what a run measures."""
    return Measures(
        duration=history.ended,
        attempts=history.attempts,
        calls=history.calls,
        retries=sum(task.repeats for task in history.tasks),
        faults=len(history.faults),
        refused=_refused(history),
        waited=history.waited,
        queued=history.queued,
        held_up=history.held_up,
        fallbacks=sum(task.state.how == "by fallback" for task in _every(history)),
        hedges=sum(len(task.hedges) for task in (*history.tasks, *history.elements)),
        opened=_opened(history),
        goodput=_goodput(history),
        times=_times(history),
    )


def _every(history: RunHistory) -> Iterator[TaskHistory]:
    """Yield the task runs that have attempts of their own: a map has those of its elements."""
    yield from (task for task in history.tasks if task.elements is None)
    yield from history.elements


def _refused(history: RunHistory) -> dict[str, int]:
    """Return how many tries were refused by what; some elements of large maps are only counted."""
    found: Counter[str] = Counter()
    for task in _every(history):
        found.update(_gate(attempt) for attempt in task.attempts if attempt.outcome == "refused")
    found[_OTHER] += sum(map(_counted_refusals, history.tasks))
    found[_OTHER] -= sum(not attempt.called for one in history.elements for attempt in one.attempts)
    return {gate: found[gate] for gate in (*_GATES.values(), _OTHER) if found[gate] > 0}


def _gate(attempt: Attempt) -> str:
    refusal = attempt.detail.get("refused") or (attempt.error.type if attempt.error else "")
    return _GATES.get(refusal, _OTHER)


def _counted_refusals(task: TaskHistory) -> int:
    """Return how many attempts of a map's elements called no body, those that are only counted included."""
    found = task.elements
    return 0 if found is None else max(0, found.attempts - (found.calls - found.hedge_calls))


def _opened(history: RunHistory) -> dict[str, tuple[float, ...]]:
    opened: dict[str, tuple[float, ...]] = {}
    for change in history.breakers:
        if change.new == "open":
            opened[change.breaker] = (*opened.get(change.breaker, ()), change.offset)
    return opened


def _goodput(history: RunHistory) -> dict[str, float]:
    runs: Counter[str] = Counter()
    good: Counter[str] = Counter()
    for task in history.tasks:
        states = {task.state.name: 1} if task.elements is None else task.elements.states
        for name, count in states.items():
            runs[task.name] += count
            good[task.name] += count if name in BY_NAME and BY_NAME[name].kind == "success" else 0
    if not history.ended:
        return {}
    return {name: good[name] / history.ended for name, count in runs.items() if count > MANY}


def _times(history: RunHistory) -> dict[str, Times]:
    """Return how long the task runs of each name that has many of them took."""
    maps = {task.number: task.name for task in history.tasks if task.elements is not None}
    found: dict[str, list[float]] = {}
    for task in _every(history):
        if task.attempts and task.state.is_final:
            name = maps.get(task.element_of, task.name)
            found.setdefault(name, []).append(max(0.0, task.changed - task.attempts[0].started))
    return {name: _times_of(sorted(lengths)) for name, lengths in found.items() if len(lengths) > MANY}


def _times_of(ordered: Sequence[float]) -> Times:
    last = len(ordered) - 1
    return Times(ordered[last // 2], ordered[math.ceil(0.99 * last)], ordered[last])
