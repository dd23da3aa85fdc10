"""A policy made ready to run: what the frame needs, looked up once and not on every call."""

from __future__ import annotations

import asyncio

from asyncflow.ambient import World, world
from asyncflow.errors import AttemptTimedOut, BreakerOpen, HeartbeatMissed, UsageError
from asyncflow.guard.deadlines import Alarm, AsyncioTask, DeadlineQueue, queue_for
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
from asyncflow.policy.circuit import Circuit, Permit, Verdict
from asyncflow.policy.reading import CircuitState
from asyncflow.policy.retry import Retry, decide, wait_for_admission
from asyncflow.policy.seconds import spoken
from asyncflow.ports import AttemptObserver
from asyncflow.signals import Signal, sole_signal

# Neither the body's answer nor ours to judge: they always reach the caller.
TRAVELLERS = (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit)


class Flight(Alarm):
    """One attempt on its way, with what it has to give back.

    Attributes:
        circuit: the breaker's circuit that admitted it; None when there is no breaker.
        permit: what the circuit gave.
    """

    __slots__ = ("circuit", "permit")

    circuit: Circuit | None
    permit: Permit


class Plan:
    """The policies of one `Policy`, and where their state was found last.

    Args:
        timeout: seconds that an attempt may take.
        retry: when attempts are repeated.
        breaker: what may refuse them.
        waits: whether a refused attempt waits until the breaker may admit it.

    Attributes:
        guards: whether an attempt takes something that it has to give back.
        watches: whether it has to be known that the caller is cancelled during an attempt.
        picky: whether a returned value has to be judged, too.
    """

    __slots__ = ("_found", "_queue", "breaker", "guards", "picky", "retry", "timeout", "waits", "watches")

    def __init__(
        self, timeout: float | None, retry: Retry | None, breaker: Breaker | None, *, waits: bool
    ) -> None:
        self.timeout = timeout
        self.retry = retry
        self.breaker = breaker
        self.waits = waits
        self.guards = timeout is not None or breaker is not None
        self.watches = timeout is not None or retry is not None or waits
        self.picky = retry is not None and retry.on_result is not None
        self._queue: DeadlineQueue | None = None
        self._found: tuple[World, Circuit] | None = None

    def depart(self, task: AsyncioTask | None, requests: int, observer: AttemptObserver | None) -> Flight:
        """Ask the breaker, arm the timeout, and return what the attempt has to give back.

        Args:
            task: the asyncio task that awaits the body.
            requests: the task's count of cancellation requests before the attempt.
            observer: who hears that the circuit changed.

        Raises:
            BreakerOpen: when the breaker refuses; nothing was taken.
            InvalidPolicy: when the breaker's name is in use with other settings.
            UsageError: when no asyncio task awaits the body.
        """
        queue = self._queue
        if self.timeout is not None and (queue is None or task is None or queue.loop is not task.get_loop()):
            queue = self._queue = _queue_of(task, self.timeout)
        flight = Flight()
        flight.task = task
        flight.fired = False
        flight.requests = requests
        flight.circuit = None
        if self.breaker is not None:
            found = self._found
            if found is None or found[0] is not world():
                found = self._found = _find(self.breaker)
            circuit = found[1]
            flight.permit = circuit.generation if circuit.quiet else _admitted(circuit, observer)
            flight.circuit = circuit
        if queue is not None:
            queue.arm(flight)
        return flight

    def outcome(
        self, error: BaseException, flight: Flight | None, attempt: int, before: Outcome
    ) -> Outcome | None:
        """Return what an exception makes of an attempt, or None when it must travel on.

        Args:
            error: what `depart` or the body raised.
            flight: what `depart` returned, if it did.
            attempt: the attempt's number, from 1.
            before: what the attempt before it came to.
        """
        overdue = flight is not None and flight.disarm() and isinstance(error, asyncio.CancelledError)
        if isinstance(error, TRAVELLERS) and not overdue:
            if flight is not None and flight.circuit is not None:
                flight.circuit.release(flight.permit)
            return None
        # The frame that awaits the body tells nothing about it, and would tie error and outcome into a cycle.
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        if overdue:
            return TimedOut(self._too_long(attempt, error))
        if flight is None and self.guards and isinstance(error, BreakerOpen):
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
        observer: AttemptObserver | None,
    ) -> tuple[Outcome, Decision]:
        """Give the circuit its permit back, and return what the policies make of an outcome.

        A function of the user's that fails while it judges (a predicate, a custom delay) makes the attempt a
        failure of its own.
        """
        try:
            if flight is not None and flight.circuit is not None:
                _settle(flight.circuit, flight.permit, outcome, observer)
            decision = self._decision(requests, outcome, attempt)
        except Exception as problem:  # noqa: BLE001 - a user's function may raise anything
            problem.add_note(f"asyncflow: raised by a function of the policy that judged {outcome!r}")
            outcome = Raised(problem)
            decision = Enough(f"a function of the policy raised {type(problem).__name__}")
        if observer is None and attempt > 1 and isinstance(decision, Enough):
            _note_attempts(outcome, attempt, decision)
        return outcome, decision

    def _decision(self, requests: int, outcome: Outcome, attempt: int) -> Decision:
        here = world()
        if self.waits and isinstance(outcome, Refused):
            decision = wait_for_admission(outcome, attempt)
        else:
            decision = decide(self.retry, outcome, attempt, here.stream("backoff"), here.wall())
        if isinstance(decision, Again) and _requests_now() > requests:
            # The body answered a cancellation with something of its own. That stands; it is not run again.
            return Enough("the caller was cancelled during the attempt")
        return decision

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


def _queue_of(task: AsyncioTask | None, timeout: float) -> DeadlineQueue:
    """Return the queue of the loop that runs the task."""
    if task is None:
        raise UsageError("a timeout needs an asyncio task to cancel; start one with asyncio.run")
    return queue_for(task.get_loop(), timeout)


def _find(breaker: Breaker) -> tuple[World, Circuit]:
    here = world()
    return here, breaker.circuit(here)


def _admitted(circuit: Circuit, observer: AttemptObserver | None) -> Permit:
    """Return the circuit's permit, or raise its refusal."""
    old = circuit.state
    answer = circuit.admit(world().monotonic())
    _tell(circuit, old, observer)
    if isinstance(answer, BreakerOpen):
        raise answer
    return answer


def _settle(circuit: Circuit, permit: Permit, outcome: Outcome, observer: AttemptObserver | None) -> None:
    """Give the circuit its permit back, with the verdict on the outcome."""
    verdict: Verdict = "neutral"
    old = circuit.state
    try:
        verdict = circuit.spec.verdict(outcome)
    finally:
        circuit.record(permit, verdict, world().monotonic(), error_of(outcome))
    _tell(circuit, old, observer)


def _note_attempts(outcome: Outcome, attempt: int, decision: Enough) -> None:
    """Leave the number of attempts on the error that comes out, where nobody follows them."""
    error = error_of(outcome)
    if error is not None:
        error.add_note(f"asyncflow: {attempt} attempts were made; {decision.reason}")


def _tell(circuit: Circuit, old: CircuitState, observer: AttemptObserver | None) -> None:
    if observer is None:
        return
    told = {"breaker": circuit.spec.name, "why": circuit.why}
    if circuit.state != old:
        observer.note("breaker_changed", {**told, "old": old, "new": circuit.state})
    if circuit.unsaid:
        circuit.unsaid = False
        observer.note("breaker_exceeded", told)
