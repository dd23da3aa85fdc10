"""A policy made ready to run: what the frames need, and what becomes of an attempt."""

from __future__ import annotations

import asyncio
import math
from typing import Literal

from asyncflow.ambient import world
from asyncflow.errors import AttemptTimedOut, HeartbeatMissed, InvalidPolicy, Rejected
from asyncflow.guard import scopes
from asyncflow.guard.around import Outer
from asyncflow.guard.deadlines import AsyncioTask
from asyncflow.guard.flight import Flight, flight_of
from asyncflow.guard.found import Found
from asyncflow.guard.hooks import told
from asyncflow.guard.telling import note_attempts
from asyncflow.outcomes import (
    Again,
    Decision,
    Enough,
    Outcome,
    Raised,
    Refused,
    Signalled,
    TimedOut,
    error_of,
)
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.bulkhead import Bulkhead
from asyncflow.policy.course import Course
from asyncflow.policy.rate_limit import RateLimit
from asyncflow.policy.retry import Retry, decide, wait_for_admission
from asyncflow.policy.seconds import spoken
from asyncflow.policy.throttle import Throttle
from asyncflow.ports import AttemptObserver
from asyncflow.signals import Signal, sole_signal

WhenRejected = Literal["fail", "wait"] | None
"""What becomes of an attempt that a policy refuses; None: it waits where a deadline leaves room for that."""

# Neither the body's answer nor ours to judge: they always reach the caller.
TRAVELLERS = (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit)


class Plan:
    """The policies of one `Policy`, and where their state was found last.

    Args:
        timeout: seconds that an attempt may take.
        retry: when attempts are repeated.
        breaker: what stops calling a body that keeps failing.
        throttle: what keeps attempts back by chance while few are accepted.
        rate_limit: how many attempts there may be in a time.
        bulkhead: how many attempts there may be at once.
        when_rejected: what becomes of an attempt that one of them refuses.
        outer: what stands around the attempts, or None.

    Attributes:
        found: the states of the policies; see `find`.
        parts: what a compiled frame is made of; empty when the general frame has to make each call.
        budget: what retries are paid from.
        guards: whether an attempt has something to look up, or to take and give back.
        picky: whether a returned value has to be judged, too.
        remembers: whether a call has to remember something from one attempt to the next.
    """

    __slots__ = (
        "_hooked",
        "breaker",
        "budget",
        "bulkhead",
        "found",
        "guards",
        "outer",
        "parts",
        "picky",
        "rate_limit",
        "remembers",
        "retry",
        "throttle",
        "timeout",
        "when_rejected",
    )

    def __init__(
        self,
        timeout: float | None,
        retry: Retry | None,
        breaker: Breaker | None,
        *,
        throttle: Throttle | None,
        rate_limit: RateLimit | None,
        bulkhead: Bulkhead | None,
        when_rejected: WhenRejected,
        outer: Outer | None = None,
    ) -> None:
        self.outer = outer
        self.timeout = timeout
        self.retry = retry
        self.breaker = breaker
        self.throttle = throttle
        self.rate_limit = rate_limit
        self.bulkhead = bulkhead
        self.when_rejected = when_rejected
        self.budget = None if retry is None else retry.budget
        limits = (timeout, breaker, throttle, rate_limit, bulkhead)
        self.guards = any(limit is not None for limit in limits) or self.budget is not None
        self.picky = retry is not None and retry.looks_at_values()
        self.remembers = retry is not None and retry.remembers()
        self._hooked = retry is not None and retry.has_hooks()
        self.parts = self._parts()
        self.found = Found(self)

    def _parts(self) -> frozenset[str]:
        """Return what a compiled frame is made of; it neither judges values nor learns."""
        is_adaptive = self.bulkhead is not None and self.bulkhead.adaptive is not None
        is_picky = self.retry is not None and (self.retry.on_result or self.retry.within) is not None
        if self.outer is not None or is_picky or is_adaptive or self.throttle is not None:
            return frozenset()
        wanted = {
            "call": True,
            "memory": self.remembers,
            "budget": self.budget is not None,
            "timeout": self.timeout is not None,
            "breaker": self.breaker is not None,
            "unwatched": self.breaker is not None and self.breaker.slow_after is None,
            "watched": self.breaker is not None and self.breaker.slow_after is not None,
            "praise": self.breaker is not None and self.breaker.on_result is None,
            "critic": self.breaker is not None and self.breaker.on_result is not None,
            "rate limit": self.rate_limit is not None,
            "bulkhead": self.bulkhead is not None,
        }
        return frozenset(part for part, is_there in wanted.items() if is_there)

    def find(self, task: AsyncioTask | None) -> Found:
        """Return the states of the policies in the current world.

        Args:
            task: the asyncio task that makes a call.

        Raises:
            InvalidPolicy: when the name of a policy is in use with other settings.
            UsageError: when there is an attempt timeout, and no asyncio task.
        """
        found, home = self.found, world()
        if found.world is not home or not found.is_for(task):
            found = self.found = Found(self, home, task)
        return found

    def course(self) -> Course | None:
        """Return what a call that begins now remembers; it has to be ended with the call.

        None when it can't be had, since the name of the budget is in use with other settings. Then the first
        attempt will tell, which looks it up.
        """
        assert self.retry is not None
        try:
            return Course(self.retry, world())
        except InvalidPolicy:
            return None

    def patience(self) -> float:
        """Return the seconds that an attempt may wait until it is admitted."""
        if self.when_rejected == "fail":
            return 0.0
        left = scopes.remaining()
        if left is not None:
            return math.nextafter(left, 0.0)  # in a tie the deadline wins
        return math.inf if self.when_rejected == "wait" else 0.0

    def flight(self, task: AsyncioTask | None, requests: int) -> Flight:
        """Return the flight of an attempt that begins now; see `find` for errors."""
        return flight_of(self.find(task), requests)

    def outcome(
        self, error: BaseException, flight: Flight | None, attempt: int, before: Outcome
    ) -> Outcome | None:
        """Return what an exception makes of an attempt, or None when it must travel on.

        Args:
            error: what boarding or the body raised.
            flight: the attempt, if it came to that.
            attempt: the attempt's number, from 1.
            before: what the attempt before it came to.
        """
        overdue = flight is not None and flight.disarm() and isinstance(error, asyncio.CancelledError)
        if isinstance(error, TRAVELLERS) and not overdue:
            if flight is not None:
                flight.give_back()
            return None
        # The frame that awaits the body tells nothing about it, and would tie error and outcome into a cycle.
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        if overdue:
            return TimedOut(self._too_long(attempt, error))
        if flight is not None and not flight.is_aboard:
            flight.give_back()
            if isinstance(error, Rejected):
                error.__cause__ = _cause(before) or error.__cause__
                return Refused(error)
        if isinstance(error, HeartbeatMissed):
            return TimedOut(error)
        signal = sole_signal(error)
        return Signalled(signal) if isinstance(signal, Signal) else Raised(error)

    def judge(
        self,
        flight: Flight | None,
        requests: int,
        outcome: Outcome,
        attempt: int,
        course: Course | None,
        observer: AttemptObserver | None,
    ) -> tuple[Outcome, Decision]:
        """Give back what the attempt took, and return what the policies make of its outcome.

        A function of the user's that fails while it judges (a predicate, a custom delay) makes the attempt a
        failure of its own.

        Args:
            flight: the attempt, when it took something.
            requests: the count of requests to cancel the asyncio task, before the attempt.
            outcome: what it came to.
            attempt: its number, without those that no policy counts.
            course: what the call remembers, if anything.
            observer: who hears of changes.
        """
        try:
            if flight is not None:
                flight.land(outcome, observer)
            decision = self._decision(requests, outcome, attempt, course)
        except Exception as problem:  # noqa: BLE001 - a user's function may raise anything
            problem.add_note(f"asyncflow: raised by a function of the policy that judged {outcome!r}")
            outcome = Raised(problem)
            decision = Enough(f"a function of the policy raised {type(problem).__name__}")
        if self._hooked and self.retry is not None:
            decision = told(self.retry, attempt, outcome, decision)
        if observer is None and isinstance(decision, Enough):
            note_attempts(outcome, attempt, decision)
        return outcome, decision

    def _decision(self, requests: int, outcome: Outcome, attempt: int, course: Course | None) -> Decision:
        here, left = world(), scopes.remaining()
        if self.remembers and course is None:
            return Enough("what the call has to remember can't be had")
        if isinstance(outcome, Refused) and self._waits(outcome, left):
            waits = wait_for_admission if course is None else course.wait_for_admission
            decision = waits(outcome, attempt, left=left)
        elif course is not None:
            decision = course.decide(outcome, attempt, here.stream("backoff"), here.wall(), left=left)
        else:
            decision = decide(self.retry, outcome, attempt, here.stream("backoff"), here.wall(), left=left)
        if isinstance(decision, Again) and _requests_now() > requests:
            # The body answered a cancellation with something of its own. That stands; it is not run again.
            return Enough("the caller was cancelled during the attempt")
        return decision

    def _waits(self, refused: Refused, left: float | None) -> bool:
        """Whether a refused attempt waits, instead of being a failure for the retry policy to judge."""
        if self.when_rejected is not None:
            return self.when_rejected == "wait"
        after = refused.error.retry_after
        return left is not None and after is not None and after < left

    def _too_long(self, attempt: int, cancelled: BaseException) -> AttemptTimedOut:
        limit = spoken(self.timeout or 0.0)
        error = AttemptTimedOut(f"attempt {attempt} ran longer than its timeout of {limit} and was given up")
        error.__cause__ = cancelled  # its traceback shows where the body was
        return error


def _cause(before: Outcome) -> BaseException | None:
    """Return the failure before a refusal, which most likely opened the circuit; refusals don't pile up."""
    error = error_of(before)
    return error.__cause__ if isinstance(before, Refused) and error is not None else error


def _requests_now() -> int:
    """Return how many requests to cancel the current task are pending."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()
