"""Events: everything that happens in a run, past tense, versioned, totally ordered inside the run.

The engine appends plain tuples in the shape of `Event`, since it does so several times per task; names and
JSON are made when somebody reads them. The position in the run's list is the event's sequence number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

SCHEMA_VERSION = 1
"""The version of the JSON form; it grows when a reader would have to change."""

Kind = Literal[
    "run_started",
    "task_called",
    "edge_added",
    "elements_counted",
    "state_changed",
    "fault_injected",
    "breaker_changed",
    "breaker_exceeded",
    "admission_delayed",
    "admission_waited",
    "hedge_started",
    "hedge_ended",
    "fell_back",
    "handler_failed",
    "thread_abandoned",
    "cache_hit",
    "cache_missed",
    "cache_not_kept",
    "rolled_back",
    "rollback_failed",
    "thread_returned",
    "heartbeat_missed",
    "loop_blocked",
    "cancel_swallowed",
    "run_paused",
    "run_resumed",
    "run_ended",
]
"""What can happen.

run_started       detail: flow, name, parent, scenario, seed, target (where the flow is), parameters (as
                  text), scheduled (UTC epoch seconds of the fire that it was made for, None when it was not
                  made by a schedule)
task_called       detail: name, key, upstream (numbers of task runs); of a mapped task also map (elements, or
                  null while nobody knows; max_running); of an element of one also element_of (its number),
                  index
edge_added        detail: upstream (the number of a task run), for an edge set after the call
elements_counted  detail: states (name: count), retried, attempts, calls, and with hedges hedge_calls: all
                  elements of a mapped task so far that have no events of their own
state_changed     detail: a State (in memory) or its JSON form (read back); task 0 is the flow itself
fault_injected    detail: id, at, do
breaker_changed   detail: breaker, old, new, why (it is not closed, in words; empty when it is); of one that
                  opened also probe_in (seconds until a probe, None for never), calls, failures and slow (that
                  were counted), openings (since it was closed), cause (the last failure as text, or None); of
                  a half-open one also probes
breaker_exceeded  detail: breaker, why (it would have opened in another mode); once
admission_delayed detail: gate (`rate limit` or `bulkhead`), name (of the policy, or None); the wait begins
admission_waited  detail: gate, name, seconds, admitted; the wait is over
hedge_started     detail: hedge (its number, from 1), after (seconds since the call began), cause (slow,
                  failed or `at once`), delay (seconds without an answer that bring one on, None for never)
hedge_ended       detail: hedge, seconds (since it was started), end (won, failed, refused, late or
                  cancelled), attempts and calls (of its own), error (as text, None without)
fell_back         detail: to (value, function or cached), error (as text), age (seconds, of a cached result),
                  failed (what the fallback itself failed with, as text; None when it did not)
handler_failed    detail: error (which names the handler)
thread_abandoned  detail: threads (how many are abandoned now)
cache_hit         detail: family, made and expires (UTC epoch seconds), run (which computed it), stale, waited
                  (whether it waited for another computation of the same key)
cache_missed      detail: family, reason (no entry, expired, other code, other inputs, never used, no key,
                  unreadable), text, waited
cache_not_kept    detail: family, text
rolled_back       detail: key (of what was undone), hook, attempts (of the hook); of an element without events
                  of its own also index; of what a child run did, told by its parent, also run (its id)
rollback_failed   detail: the same, and error
thread_returned   detail: threads (how many are still abandoned), seconds (since this one was)
heartbeat_missed  detail: limit, last (seconds into the attempt, None without a beat), beats, detail (of the
                  last beat)
loop_blocked      detail: seconds (in all), where (`file:line in function`), stack (such places, the outermost
                  first), for a body that kept the event loop from turning; task 0 is the flow's own
cancel_swallowed  detail: seconds (since the cancellation), where (the attempt waits), why (`cancelled` or
                  `timeout`); task 0 is the flow's own body
run_paused        detail: tasks, attempts, faults; nothing but a resume goes on
run_resumed       detail: tasks (keys of those that go on), input (as text)
run_ended         detail: tasks, attempts, faults
"""


class Event(NamedTuple):
    """One fact about a run.

    Attributes:
        offset: seconds since the run started, on the world's monotonic clock.
        kind: what happened.
        task: the number of the task run in its flow run, from 1; 0 is the flow run itself.
        attempt: the number of the attempt, from 1; 0 when no attempt is meant.
        detail: what belongs to the kind.
    """

    offset: float
    kind: Kind
    task: int
    attempt: int
    detail: Any


class RunStarted:
    """The detail of the event `run_started`: what views are told, and what a resume needs.

    Args:
        said: the JSON form.
        arguments: the run's parameters themselves.
    """

    __slots__ = ("arguments", "said")

    def __init__(self, said: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
        self.said = said
        self.arguments = arguments

    def to_json(self) -> Mapping[str, Any]:
        """Return what views are told."""
        return self.said


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What is known of a flow run when it starts.

    Attributes:
        id: unique, sorts by time.
        name: the friendly name (`quiet-heron`).
        flow: the flow's name.
        started: wall-clock time of the start, UTC epoch seconds.
        parent: the id of the flow run that called this one, or None.
        scenario: the name of the scenario that rehearses it, or None.
        seed: the seed of the world, or None when chance is not fixed.
        parameters: the flow's parameters, each as a short text.
        variant: the variant of the scenario, or None for the scenario itself.
        world: `real`, or `simulated` for a run in virtual time.
    """

    id: str
    name: str
    flow: str
    started: float
    parent: str | None = None
    scenario: str | None = None
    seed: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    variant: str | None = None
    world: str = "real"


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of the list of runs.

    Attributes:
        header: what was known at the start.
        state: the name of the flow run's newest state.
        ended: wall-clock time of its end, or None while it is not final.
        tasks: task runs that were called.
        attempts: attempts of all of them.
        faults: faults that were injected.
        home: the folder of a rehearsal, which holds its own store; None for an ordinary run.
    """

    header: RunHeader
    state: str
    ended: float | None = None
    tasks: int = 0
    attempts: int = 0
    faults: int = 0
    home: str | None = None


def event_to_json(event: Iterable[Any], seq: int, header: RunHeader) -> dict[str, Any]:
    """Return an event as JSON-ready data.

    Args:
        event: an Event or a tuple of that shape.
        seq: its position in the run, from 0.
        header: the run that it belongs to, for the run's id and the wall-clock time.
    """
    offset, kind, task, attempt, detail = event
    return {
        "v": SCHEMA_VERSION,
        "run": header.id,
        "seq": seq,
        "at": header.started + offset,
        "offset": offset,
        "kind": kind,
        "task": task,
        "attempt": attempt,
        "detail": plain_detail(detail),
    }


def plain_detail(detail: Any) -> Any:
    """Return an event's detail as JSON-ready data.

    The engine appends its own objects (a State, a task run), which say `to_json` when somebody reads them.
    """
    to_json = getattr(type(detail), "to_json", None)
    return detail if to_json is None else to_json(detail)


def event_from_json(data: Mapping[str, Any]) -> Event:
    """Return the event that `event_to_json` wrote; a state stays in its JSON form."""
    return Event(data["offset"], data["kind"], data["task"], data["attempt"], data["detail"])
