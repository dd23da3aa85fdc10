"""What stands around the attempts of a call: fallback > total deadline > hedge > retry and all inside it.

Calls without any of it never come here.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from asyncflow.errors import DeadlineExceeded, Rejected, UsageError
from asyncflow.guard.around import Outer
from asyncflow.guard.deadlines import AsyncioTask
from asyncflow.guard.ends import Ends
from asyncflow.guard.falling_back import Call, stood_in
from asyncflow.guard.hedging import Inner, Race
from asyncflow.guard.scopes import Deadline, Stay
from asyncflow.guard.telling import note_attempts
from asyncflow.outcomes import Again, Decision, Enough, Outcome, Refused, StoodIn, TimedOut
from asyncflow.ports import AttemptObserver


async def outcome_within(
    outer: Outer,
    inner: Inner,
    call: Call,
    observer: AttemptObserver | None,
    task: AsyncioTask | None,
    made: tuple[int, int],
) -> Outcome:
    """Make a call with what stands around its attempts, and return what it came to.

    The observer follows the call's own attempts; of hedges it hears by `note`. It is told of the last
    attempt's end when the outcome of the whole is known. Should it then ask for another attempt, all begins
    anew, with a new deadline.

    Args:
        outer: the outer part of the policy.
        inner: makes the attempts.
        call: what is called.
        observer: who follows the attempts and has the last word about each.
        task: the asyncio task that awaits this; it is looked up when not given.
        made: how many attempts there were before a pause, and how many of them no policy counts.

    Raises:
        CancelledError, KeyboardInterrupt, SystemExit: everything is given back and nothing is tried again.
    """
    task = asyncio.current_task() if task is None else task
    if task is None:
        raise UsageError("a deadline or a hedge needs an asyncio task; start one with asyncio.run")
    if observer is not None and observer.subject is not None:
        call = call._replace(fn=observer.subject)
    while True:
        ends = Ends(observer, made, is_raced=outer.hedge is not None)
        outcome = await _in_time(outer, inner, ends, task)
        if ends.is_told:
            return outcome
        decision = ends.decision
        if outer.fallback is not None:
            outcome, decision = await stood_in(outer.fallback, call, outcome, decision, observer)
        if observer is None:
            note_attempts(outcome, ends.attempts, decision)
            return outcome
        if ends.refusal is not None and not isinstance(outcome, Refused):
            outcome, decision = _uncalled(outcome, decision, ends.refusal)
        told = observer.attempt_ended(ends.attempt, outcome, decision)
        told = told if isinstance(told, Decision) else await told
        if isinstance(told, Enough):
            return outcome
        ends.goes_on(told)
        made = ends.made
        await asyncio.sleep(told.delay)


async def _in_time(outer: Outer, inner: Inner, ends: Ends, task: AsyncioTask) -> Outcome:
    """Make a call under its own deadline, or under the inherited one, whichever is over first."""
    stay = Stay(task, outer.deadline, is_declared=True)
    if stay.deadline is None:
        return await _made(outer, inner, ends, task)
    try:
        stay.enter()
    except DeadlineExceeded as late:
        return _cut(late, ends, None)
    try:
        outcome = await _made(outer, inner, ends, task)
    except BaseException as error:
        if not (stay.leave() and isinstance(error, asyncio.CancelledError)):
            raise
        return _cut(_too_late(stay.deadline, ends), ends, error)
    stay.leave()
    return outcome


async def _made(outer: Outer, inner: Inner, ends: Ends, task: AsyncioTask) -> Outcome:
    if outer.hedge is None:
        return await inner(ends, task, ends.made)
    while True:
        outcome = await Race(outer.hedge, inner, ends, task, pays=outer.pays).run()
        if ends.is_told or not isinstance(ends.decision, Again):
            return outcome
        told = await ends.tell(outcome, ends.decision)  # a LOOP: the next iteration has hedges of its own
        if isinstance(told, Enough):
            return outcome
        await asyncio.sleep(told.delay)


def _too_late(deadline: Deadline, ends: Ends) -> DeadlineExceeded:
    if ends.is_in_flight:
        return deadline.exceeded(f" during attempt {ends.attempt}")
    return deadline.exceeded(
        f" after attempt {ends.attempt}" if ends.attempts else " before an attempt began"
    )


def _cut(late: DeadlineExceeded, ends: Ends, cancelled: BaseException | None) -> TimedOut:
    """Return what a call came to that ran out of time.

    Args:
        late: the error that says so.
        ends: what is known of its attempts.
        cancelled: the cancellation, whose traceback shows where the body was.
    """
    late.attempts = ends.attempts
    late.__context__ = cancelled
    late.__cause__ = ends.cause() or cancelled
    late.__traceback__ = None
    ends.decision = Enough("the deadline was over", {"attempt": ends.attempt})
    return TimedOut(late)


def _uncalled(outcome: Outcome, decision: Decision, refusal: Rejected) -> tuple[Outcome, Decision]:
    """Return what a call came to with the mark that its last attempt was refused, whatever followed that."""
    said = {"called": False, "refused": type(refusal).__name__}
    if isinstance(outcome, StoodIn):
        return replace(outcome, detail={**(outcome.detail or {}), **said}), decision
    return outcome, replace(decision, detail={**(decision.detail or {}), **said})
