"""A run's history as JSON: what `show --json` prints, version 1.

    v            1; it grows when a reader would have to change
    run          the run's id
    name         its friendly name
    flow         {name, state, message, error?}
    scenario, seed, parent    null when there is none
    parameters   {name: text}
    scheduled_at the fire that the run was made for, UTC epoch seconds; null without a schedule
    started_at   wall-clock time of the start, UTC epoch seconds
    duration_s   seconds until the end, or until the view of a run that is not over
    is_over      whether the run has ended
    attempts     all tries of all tasks
    calls        how many bodies ran, those of hedges included
    waited_s     seconds between attempts, all tasks added up
    queued_s     seconds of waiting for slots, all tasks added up
    held_up_s    seconds of attempts that waited to be admitted by bulkheads and rate limits, all added up
    tasks        a list in the order of calls: {number, name, key, upstream [numbers], state, how, message,
                 error?, attempts, calls, cache, called_s, changed_s, rolled_back, tries [...], waits
                 [...], decisions [...], hedges [...]}; of a mapped task also map {states {name: count},
                 retried, expected, elements [like tasks, with index]}, where elements has those that are
                 known one by one
    tries        {number, started_s, ended_s, held_up_s, outcome, called, retried, why, detail, error?,
                 faults [...]}
    cache        what the cache said to the task, in a sentence; empty when nothing
    waits        {started_s, ended_s, state, reason, is_over}
    decisions    {offset_s, attempt, kind, text}, what policies decided beside the ends of attempts
    hedges       {number, started_s, ended_s, end, calls}
    faults       {at, do, offset_s, task, attempt}, every one of the run
    breakers     {breaker, old, new, offset_s, text}
    notices      {task, text, offset_s}, what went wrong beside the tasks
    variant      of the scenario, null when it was the scenario itself
    world        real, or simulated: in virtual time
    error        {type, text, notes}

Names that end in `_s` are seconds; all but those three of the run count from the run's start.
"""

from __future__ import annotations

from typing import Any

from asyncflow.history.record import Attempt, ErrorText, Fault, RunHistory, Standing, TaskHistory, Wait
from asyncflow.history.why import explain

VERSION = 1
"""The version of this form."""


def run_to_json(history: RunHistory) -> dict[str, Any]:
    """Return a run's history as JSON-ready data in the form that this module describes."""
    header = history.header
    return {
        "v": VERSION,
        "run": header.id,
        "name": header.name,
        "flow": {"name": header.flow, **_state(history.state)},
        "scenario": header.scenario,
        "seed": header.seed,
        "parent": header.parent,
        "parameters": dict(header.parameters),
        "scheduled_at": history.scheduled,
        "started_at": header.started,
        "duration_s": history.ended,
        "is_over": history.is_over,
        "attempts": history.attempts,
        "calls": history.calls,
        "waited_s": history.waited,
        "queued_s": history.queued,
        "held_up_s": history.held_up,
        "tasks": [{**_task(task), **_map(task, history)} for task in history.tasks],
        "faults": [_fault(fault) for fault in history.faults],
        "breakers": [
            {
                "breaker": change.breaker,
                "old": change.old,
                "new": change.new,
                "offset_s": change.offset,
                "text": change.text,
            }
            for change in history.breakers
        ],
        "notices": [
            {"task": notice.task, "text": notice.text, "offset_s": notice.offset}
            for notice in history.notices
        ],
        "variant": header.variant,
        "world": header.world,
    }


def _state(state: Standing) -> dict[str, Any]:
    return {"state": state.name, "message": state.message, **_error(state.error)}


def _error(error: ErrorText | None) -> dict[str, Any]:
    if error is None:
        return {}
    return {"error": {"type": error.type, "text": error.text, "notes": list(error.notes)}}


def _task(task: TaskHistory) -> dict[str, Any]:
    return {
        "number": task.number,
        "name": task.name,
        "key": task.key,
        "upstream": list(task.upstream),
        "how": task.state.how,
        **_state(task.state),
        "attempts": task.attempt_count,
        "calls": task.call_count,
        "cache": task.cache,
        "called_s": task.called,
        "changed_s": task.changed,
        "rolled_back": task.rolled_back,
        "tries": [_attempt(attempt) for attempt in task.attempts],
        "waits": [_wait(wait) for wait in task.waits],
        "decisions": [
            {"offset_s": one.offset, "attempt": one.attempt, "kind": one.kind, "text": one.text}
            for one in task.decisions
        ],
        "hedges": [
            {
                "number": hedge.number,
                "started_s": hedge.started,
                "ended_s": hedge.ended,
                "end": hedge.end,
                "calls": hedge.calls,
            }
            for hedge in task.hedges
        ],
    }


def _map(task: TaskHistory, history: RunHistory) -> dict[str, Any]:
    """Return what a mapped task has beyond any task."""
    if task.elements is None:
        return {}
    told = [{"index": one.index, **_task(one)} for one in history.elements_of(task)]
    return {
        "map": {
            "states": dict(task.elements.states),
            "retried": task.elements.retried,
            "expected": task.elements.expected,
            "elements": told,
        }
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started_s": attempt.started,
        "ended_s": attempt.ended,
        "held_up_s": attempt.waited,
        "outcome": attempt.outcome,
        "called": attempt.called,
        "retried": attempt.retried,
        "why": explain(attempt),
        "detail": dict(attempt.detail),
        **_error(attempt.error),
        "faults": [_fault(fault) for fault in attempt.faults],
    }


def _wait(wait: Wait) -> dict[str, Any]:
    return {
        "started_s": wait.started,
        "ended_s": wait.ended,
        "state": wait.state,
        "reason": wait.reason,
        "is_over": wait.is_over,
    }


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        "at": fault.at,
        "do": fault.do,
        "offset_s": fault.offset,
        "task": fault.task,
        "attempt": fault.attempt,
    }
