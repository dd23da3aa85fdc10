"""The one frame in which attempts are made and waited for; plain functions decide what it does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Protocol

from asyncflow.guard.around import NOTHING
from asyncflow.guard.deadlines import AsyncioTask
from asyncflow.guard.falling_back import Call
from asyncflow.guard.hedging import Inner
from asyncflow.guard.outer import outcome_within
from asyncflow.guard.plan import Plan
from asyncflow.guard.scopes import innermost, is_foreign
from asyncflow.outcomes import ENOUGH, Again, Decision, Enough, Outcome, Returned
from asyncflow.policy.course import Course
from asyncflow.ports import AttemptObserver


class Planned(Protocol):
    """What has a plan: a `Policy`."""

    @property
    def plan(self) -> Plan:
        """The policies, ready to run."""


Body = Callable[..., Awaitable[Any]]
"""What an attempt calls."""

NOT_RUN: Outcome = Returned(None)
"""What a call comes to whose body was never run."""


def outcome_of(
    policy: Planned,
    fn: Body,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    observer: AttemptObserver | None = None,
    task: AsyncioTask | None = None,
    made: tuple[int, int] = (0, 0),
) -> Coroutine[Any, Any, Outcome]:
    """Run a coroutine function under a policy and return what it came to.

    Args:
        policy: a `Policy`.
        fn: the body, called once per attempt unless a policy or the observer stands in for it.
        args: its arguments by position.
        kwargs: its arguments by name.
        observer: who follows the attempts and has the last word about each. Where it ends an attempt before
            the body ran, the outcome is that of the attempt before, or `Returned(None)`.
        task: the asyncio task that awaits this; it is looked up, which takes time, when not given.
        made: how many attempts there were before a pause, and how many of them no policy counts.

    Raises:
        CancelledError, KeyboardInterrupt, SystemExit: permits are given back and nothing is tried again.
    """
    return calling(policy.plan, fn, args, kwargs, observer, task, made)


def calling(
    plan: Plan,
    fn: Body,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    observer: AttemptObserver | None = None,
    task: AsyncioTask | None = None,
    made: tuple[int, int] = (0, 0),
) -> Coroutine[Any, Any, Outcome]:
    """Return the coroutine that makes a call, whatever its policies are; see `outcome_of`."""
    run = _attempts_of_course if plan.remembers else attempts
    if plan.outer is None and (innermost() is None or not is_foreign(task)):
        return run(plan, fn, args, kwargs, observer, task, made)
    inner: Inner = partial(run, plan, fn, args, kwargs)
    return outcome_within(plan.outer or NOTHING, inner, Call(fn, args, kwargs), observer, task, made)


async def attempts(  # noqa: C901 - one frame for all
    plan: Plan,
    fn: Body,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    observer: AttemptObserver | None = None,
    task: AsyncioTask | None = None,
    made: tuple[int, int] = (0, 0),
    *,
    outcome: Outcome = NOT_RUN,
    course: Course | None = None,
) -> Outcome:
    """Make the attempts of one call, without what stands around them.

    The arguments are those of `outcome_of`; `outcome` is that of the attempt before, and `course` what the
    call remembers.
    """
    if task is None:
        task = asyncio.current_task()
    requests = 0 if task is None else task.cancelling()
    attempt, free = made
    while True:
        attempt += 1
        early = None if observer is None else observer.attempt_started(attempt)
        decision = early if early is None or isinstance(early, (Enough, Again)) else await early
        if decision is None:
            decision = ENOUGH
            flight = None
            try:
                if plan.guards:
                    flight = plan.flight(task, requests)
                    waits = flight.board(plan, task, observer)
                    if waits is not None:
                        await waits
                outcome = Returned(await fn(*args, **kwargs))
                if flight is not None:
                    flight.disarm()
            except BaseException as error:
                if (settled := plan.outcome(error, flight, attempt, outcome)) is None:
                    raise
                outcome = settled
                del settled
            if type(outcome) is not Returned or plan.picky or (flight is not None and flight.owes()):
                outcome, decision = plan.judge(flight, requests, outcome, attempt - free, course, observer)
            if observer is not None:
                ended = observer.attempt_ended(attempt, outcome, decision)
                decision = ended if ended is decision or isinstance(ended, (Enough, Again)) else await ended
        if decision is ENOUGH or isinstance(decision, Enough):
            try:
                return outcome
            finally:
                del outcome  # its error's traceback may hold this frame: no cycle
        free = attempt if decision.afresh else free
        await asyncio.sleep(decision.delay)


async def _attempts_of_course(plan: Plan, *call: Any) -> Outcome:
    """Make the attempts of a call that remembers something from one to the next."""
    course = plan.course()
    try:
        return await attempts(plan, *call, course=course)
    finally:
        if course is not None:
            course.end()


async def go_on(
    plan: Plan,
    fn: Body,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    outcome: Outcome,
    decision: Decision,
    course: Course | None,
) -> Outcome:
    """Make the attempts that follow a first one, which another frame made.

    Args:
        plan: the policies.
        fn: the body.
        args: its arguments by position.
        kwargs: its arguments by name.
        outcome: what the first attempt came to.
        decision: what is to follow it.
        course: what the call remembers.
    """
    if isinstance(decision, Again):
        await asyncio.sleep(decision.delay)
        made = (1, int(decision.afresh))
        outcome = await attempts(plan, fn, args, kwargs, made=made, outcome=outcome, course=course)
    return outcome
