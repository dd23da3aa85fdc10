"""What a run measures: the numbers by which runs of one flow under different policies are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from asyncflow.history.record import RunHistory, TaskHistory
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


@dataclass(frozen=True, slots=True)
class Measures:
    """What a run came to, in numbers.

    Attributes:
        duration: seconds from its start to its end.
        attempts: all tries of all tasks.
        calls: tries whose body ran.
        retries: tries that were not a task run's first.
        faults: faults that struck.
        refused: tries that were refused, by what refused them: `breaker`, `bulkhead`, `rate limit`,
            `throttle`, or `other` where that is not known.
        waited: seconds between attempts, all tasks added up.
        queued: seconds of waiting for slots, all tasks added up.
        fallbacks: task runs that succeeded by their fallback.
        opened: when each breaker opened, in seconds into the run, by name.
        goodput: successes in a second over the whole run, by the names that have many task runs.
    """

    duration: float
    attempts: int
    calls: int
    retries: int
    faults: int
    refused: Mapping[str, int] = field(default_factory=dict)
    waited: float = 0.0
    queued: float = 0.0
    fallbacks: int = 0
    opened: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    goodput: Mapping[str, float] = field(default_factory=dict)

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
            "fallbacks": self.fallbacks,
            "opened_s": {name: list(instants) for name, instants in self.opened.items()},
            "goodput": dict(self.goodput),
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
        fallbacks=sum(task.state.how == "by fallback" for task in _every(history)),
        opened=_opened(history),
        goodput=_goodput(history),
    )


def _every(history: RunHistory) -> Iterator[TaskHistory]:
    """Yield the task runs that have attempts of their own: a map has those of its elements."""
    yield from (task for task in history.tasks if task.elements is None)
    yield from history.elements


def _refused(history: RunHistory) -> dict[str, int]:
    """Return how many tries were refused by what; some elements of large maps are only counted."""
    found: Counter[str] = Counter()
    for task in _every(history):
        for attempt in task.attempts:
            if not attempt.called:
                found[_GATES.get(attempt.error.type if attempt.error else "", _OTHER)] += 1
    found[_OTHER] += history.attempts - history.calls - found.total()
    return {gate: found[gate] for gate in (*_GATES.values(), _OTHER) if found[gate] > 0}


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
