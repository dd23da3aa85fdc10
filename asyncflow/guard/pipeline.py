"""The one frame in which attempts are made and waited for; plain functions decide what it does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from asyncflow.guard.deadlines import AsyncioTask
from asyncflow.guard.plan import Plan
from asyncflow.outcomes import ENOUGH, Again, Enough, Outcome, Returned
from asyncflow.ports import AttemptObserver


class Planned(Protocol):
    """What has a plan: a `Policy`."""

    @property
    def plan(self) -> Plan:
        """The policies, ready to run."""


_NOT_RUN: Outcome = Returned(None)


async def outcome_of(
    policy: Planned,
    fn: Callable[..., Awaitable[Any]],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    observer: AttemptObserver | None = None,
    task: AsyncioTask | None = None,
    made: tuple[int, int] = (0, 0),
) -> Outcome:
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
    plan = policy.plan
    task = asyncio.current_task() if task is None and plan.watches else task
    requests = 0 if task is None else task.cancelling()
    outcome, (attempt, free) = _NOT_RUN, made
    while True:
        attempt += 1
        early = None if observer is None else observer.attempt_started(attempt)
        decision = early if early is None or isinstance(early, (Enough, Again)) else await early
        if decision is None:
            decision = ENOUGH
            flight = None
            try:
                if plan.guards:
                    flight = plan.depart(task, requests, observer)
                    outcome = Returned(await fn(*args, **kwargs))
                    flight.disarm()
                else:
                    outcome = Returned(await fn(*args, **kwargs))
            except BaseException as error:
                if (settled := plan.outcome(error, flight, attempt, outcome)) is None:
                    raise
                outcome = settled
                del settled
            circuit = None if flight is None else flight.circuit
            if type(outcome) is not Returned or plan.picky or (circuit is not None and not circuit.quiet):
                outcome, decision = plan.judge(flight, requests, outcome, attempt - free, observer)
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
