"""The values that a run's events add up to: tasks, attempts, waits, faults, breaker changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from asyncflow.events import RunHeader
from asyncflow.history.decisions import BreakerChange, Decided, Hedge
from asyncflow.history.elements import Elements
from asyncflow.states import BY_NAME, State, error_to_json

Outcome = Literal[
    "running",
    "succeeded",
    "failed",
    "timed out",
    "refused",
    "signalled",
    "skipped",
    "paused",
    "cancelled",
    "crashed",
]
"""What one attempt came to; `refused` means that a policy said no and the body never ran."""

_OUTCOMES: Mapping[str, Outcome] = {
    "Success": "succeeded",
    "Cached": "failed",  # an attempt was made and could not compute: a stale entry stood in
    "Skipped": "skipped",
    "TimedOut": "timed out",
    "Cancelled": "cancelled",
    "Crashed": "crashed",
    "Paused": "paused",
    "Scheduled": "signalled",
    "Pending": "signalled",
}
_ROADS: Mapping[str, Outcome] = {
    "by fallback": "failed",
    "by hedge": "cancelled",
    "by signal": "signalled",
}
_STAND_INS = ("by fallback", "by hedge")
WAITING = frozenset(("Retrying", "Scheduled", "Paused"))
"""The states in which a task run waits for an instant or for somebody, rather than for what is upstream."""
_NO_DETAIL: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class ErrorText:
    """What is kept of an exception: its type's name, its text and its notes."""

    type: str
    text: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.type}: {self.text}" if self.text else self.type


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run is: a state without its value.

    Attributes:
        name: the state's name.
        message: one sentence for people.
        detail: the numbers behind it.
        error: the exception of a failure, or None.
    """

    name: str
    message: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    error: ErrorText | None = None

    @property
    def is_final(self) -> bool:
        """Whether no move leads out of this state; a name that is not known counts as not final."""
        kind = BY_NAME.get(self.name)
        return kind is not None and kind.kind in ("success", "failure")

    @property
    def is_failed(self) -> bool:
        """Whether the state counts as a failure."""
        kind = BY_NAME.get(self.name)
        return kind is not None and kind.kind == "failure"

    @property
    def how(self) -> str:
        """By which road a success came: `at once`, `after retry`, `by fallback`...; empty when not said."""
        return str(self.detail.get("how", ""))


PENDING = Standing("Pending", BY_NAME["Pending"].default_message)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that struck: when (seconds into the run), whom, where by its address, and what it did."""

    offset: float
    task: int
    attempt: int
    at: Any
    do: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a task run.

    Attributes:
        number: from 1, refused tries included.
        started: seconds into the run.
        ended: seconds into the run; the instant of the view while the attempt is in flight.
        outcome: what it came to.
        called: whether the body ran.
        retried: whether another attempt was decided on.
        reason: one sentence for why it was or was not retried; empty when there is nothing to say.
        detail: the numbers behind the decision.
        error: what it failed with, or None.
        faults: the faults that struck it.
        waited: seconds from its start that it waited to be admitted, by a bulkhead or a rate limit.
    """

    number: int
    started: float
    ended: float
    outcome: Outcome
    called: bool = True
    retried: bool = False
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    error: ErrorText | None = None
    faults: tuple[Fault, ...] = ()
    waited: float = 0.0

    @property
    def begun(self) -> float:
        """When the body began, in seconds into the run, or would have."""
        return self.started + self.waited


@dataclass(frozen=True, slots=True)
class Wait:
    """Time between attempts, before a start time, until resumed, or until there are slots.

    Attributes:
        started: seconds into the run.
        ended: seconds into the run; the instant of the view while the wait lasts.
        state: Retrying, Scheduled, Paused, or Pending for slots.
        reason: one sentence for why.
        detail: the numbers behind it.
        is_over: whether it has ended.
    """

    started: float
    ended: float
    state: str
    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    is_over: bool = True


@dataclass(frozen=True, slots=True)
class Notice:
    """What went wrong beside the tasks: a handler that raised, a thread that was given up, a rollback."""

    offset: float
    task: int
    text: str


@dataclass(frozen=True, slots=True)
class TaskHistory:
    """What happened to one task run.

    Attributes:
        number: from 1, in the order of calls.
        name: the task's name.
        key: the task run's key, stable over resumes.
        upstream: the numbers of the task runs that it waits for.
        state: its newest state.
        called: when the flow called it, in seconds into the run.
        changed: when it came into its state, in seconds into the run.
        attempts: its tries in order, the one in flight last.
        waits: its waits in order.
        attempt_count: all tries, refused ones included.
        call_count: how many bodies ran, those of hedges included.
        elements: how the elements of a mapped task stand; its tries and calls are theirs.
        element_of: the number of the mapped task that it is an element of, or 0.
        index: its place among the elements, or None.
        cache: what the cache said to it, in a sentence: why no entry was used, or why none was kept.
        rolled_back: whether what it did was undone after the flow run failed.
        decisions: what policies decided beside the ends of its attempts, in order.
        hedges: its hedges, in the order of their starts; of a map those of elements that are only counted.
    """

    number: int
    name: str
    key: str
    upstream: tuple[int, ...]
    state: Standing
    called: float
    changed: float
    attempts: tuple[Attempt, ...]
    waits: tuple[Wait, ...]
    attempt_count: int
    call_count: int
    elements: Elements | None = None
    element_of: int = 0
    index: int | None = None
    cache: str = ""
    rolled_back: bool = False
    decisions: tuple[Decided, ...] = ()
    hedges: tuple[Hedge, ...] = ()

    @property
    def repeats(self) -> int:
        """How many tries were not the first."""
        return max(0, self.attempt_count - (1 if self.elements is None else self.elements.total))


@dataclass(frozen=True, slots=True)
class RunHistory:
    """What happened in a run, up to one instant.

    Attributes:
        header: what was known at the start.
        state: the flow run's own state.
        tasks: task runs in the order of their calls.
        faults: faults that struck, in order.
        breakers: changes of breakers, in order.
        notices: what went wrong beside the tasks.
        ended: seconds from the start to the end, or to the instant of the view.
        is_over: whether the run has ended.
        scheduled: the fire that the run was made for, UTC epoch seconds; None without a schedule.
        elements: the elements of mapped tasks that have events of their own, in the order of their starts.
    """

    header: RunHeader
    state: Standing
    tasks: tuple[TaskHistory, ...]
    faults: tuple[Fault, ...]
    breakers: tuple[BreakerChange, ...]
    notices: tuple[Notice, ...]
    ended: float
    is_over: bool
    scheduled: float | None = None
    elements: tuple[TaskHistory, ...] = ()

    def elements_of(self, task: TaskHistory) -> list[TaskHistory]:
        """Return the elements of a mapped task that have events of their own, by index."""
        mine = [one for one in self.elements if one.element_of == task.number]
        return sorted(mine, key=lambda one: one.index or 0)

    @property
    def has_stopped(self) -> bool:
        """Whether nothing more happens in it by itself: it has ended, or is paused."""
        return self.is_over or self.state.name == "Paused"

    @property
    def attempts(self) -> int:
        """All tries of all tasks."""
        return sum(task.attempt_count for task in self.tasks)

    @property
    def calls(self) -> int:
        """How many bodies ran, those of hedges included."""
        return sum(task.call_count for task in self.tasks)

    @property
    def waited(self) -> float:
        """Seconds that tasks spent between attempts, all of them added up."""
        return self._waited_in("Retrying")

    @property
    def queued(self) -> float:
        """Seconds that tasks waited for slots, all of them added up."""
        return self._waited_in("Pending")

    @property
    def held_up(self) -> float:
        """Seconds that attempts waited to be admitted, by bulkheads and rate limits, all added up."""
        tasks = (*self.tasks, *self.elements)
        return sum((attempt.waited for task in tasks for attempt in task.attempts), 0.0)

    def _waited_in(self, state: str) -> float:
        tasks = (*self.tasks, *self.elements)
        waits = (wait for task in tasks for wait in task.waits if wait.state == state)
        return sum((wait.ended - wait.started for wait in waits), 0.0)


def is_wait(state: Standing) -> bool:
    """Return whether a task run waits in that state, other than for what is upstream."""
    return state.name in WAITING or "slots" in state.detail


def standing(detail: Any) -> Standing:
    """Return the state that a `state_changed` event carries: a State, or its JSON form."""
    if isinstance(detail, State):
        error = detail.result if isinstance(detail.result, BaseException) else None
        kept = None if error is None else error_to_json(error)
        return Standing(detail.name, detail.message, detail.detail, _error_text(kept))
    if not isinstance(detail, Mapping):
        return Standing(str(detail))
    numbers = detail.get("detail")
    return Standing(
        str(detail.get("state", "Pending")),
        str(detail.get("message", "")),
        numbers if isinstance(numbers, Mapping) else _NO_DETAIL,
        _error_text(detail.get("error")),
    )


def _error_text(data: Any) -> ErrorText | None:
    """Return an error from its JSON form."""
    if not isinstance(data, Mapping):
        return None
    notes = tuple(str(note) for note in data.get("notes") or ())
    return ErrorText(str(data.get("type", "")), str(data.get("text", "")), notes)


def outcome_of(state: Standing) -> Outcome:
    """Return what an attempt came to when its task then moved to `state`."""
    if state.detail.get("called") is False:
        return "refused"
    error = state.error.type if state.error else ""
    if error in ("AttemptTimedOut", "HeartbeatMissed", "DeadlineExceeded"):
        return "timed out"
    if error in ("RETRY", "LOOP"):
        return "signalled"
    return _ROADS.get(state.how) or _OUTCOMES.get(state.name, "failed")


def strike_text(do: str, at: Any) -> str:
    """Return what a fault did and where: `raise at task parse, attempt 1`.

    Args:
        do: the action's word.
        at: its address, a table or a text; empty when it has none.
    """
    where = ", ".join(f"{key} {value}" for key, value in at.items()) if isinstance(at, Mapping) else at
    return f"{do} at {where}" if where else do


def reason_of(state: Standing) -> str:
    """Return why: the decision's own reason, or the message of a waiting state when it says anything."""
    said = state.detail.get("reason")
    if said:
        return str(said)
    if state.how in _STAND_INS:
        return state.message
    default = BY_NAME[state.name].default_message if state.name in BY_NAME else ""
    return state.message if is_wait(state) and state.message != default else ""
