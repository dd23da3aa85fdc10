"""A flight: one attempt, what it has taken from the policies, and how each of them gets its own back.

Boarding asks the policies from the outside in: breaker, throttle, rate limit, bulkhead. Each may refuse, and
the two limits may make the attempt wait; its timeout begins when it is aboard. Whatever ends it, and
wherever, what was taken until then is given back once.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from asyncflow.errors import BreakerOpen, BulkheadFull, RateLimited
from asyncflow.guard import scopes
from asyncflow.guard.deadlines import Alarm, AsyncioTask
from asyncflow.guard.found import Found
from asyncflow.guard.telling import Waiting, tell_of_circuit
from asyncflow.outcomes import Outcome, Returned, Signalled, TimedOut, error_of
from asyncflow.policy.bulkhead import LeftAs, Place, Places
from asyncflow.policy.circuit import Permit, Verdict
from asyncflow.ports import AttemptObserver

if TYPE_CHECKING:
    from asyncflow.guard.plan import Plan


class Flight(Alarm):
    """One attempt on its way.

    Attributes:
        found: the states of the policies.
        permit: what the circuit gave; None when it gave nothing, or has it back.
        slot: the time that was reserved of the rate limit for a body that has not begun; None when none was.
        place: what the bulkhead gave, or the turn in its queue; None when there is nothing to leave.
        is_aboard: whether all policies let the attempt pass.
    """

    __slots__ = ("found", "is_aboard", "permit", "place", "slot")

    found: Found
    permit: Permit | None
    slot: float | None
    place: Place | None
    is_aboard: bool

    def board(
        self, plan: Plan, task: AsyncioTask | None, observer: AttemptObserver | None
    ) -> Awaitable[None] | None:
        """Ask the policies; return what has to be awaited first when one of them makes the attempt wait.

        Args:
            plan: the policies.
            task: the asyncio task that awaits the body.
            observer: who hears that a circuit changed, and what is waited for.

        Raises:
            Rejected: when a policy refuses.
        """
        now = self._now()
        self._ask_circuit(now, observer)
        self._ask_throttle(now)
        limiter = self.found.limiter
        if limiter is not None:
            wait = limiter.reserve(now, within=plan.patience())
            if isinstance(wait, RateLimited):
                raise wait
            self.slot = limiter.slot
            if wait:
                return self._board_after(wait, task, observer)
        self._take_a_place(now)
        if self.place is not None and not self.place.is_granted:
            return self._board_in_turn(task, observer)
        self._begin(task)
        return None

    async def _board_after(
        self, wait: float, task: AsyncioTask | None, observer: AttemptObserver | None
    ) -> None:
        with self._waiting("rate limit", observer):
            await asyncio.sleep(wait)
        self._take_a_place(self._now())
        await self._board_in_turn(task, observer)

    async def _board_in_turn(self, task: AsyncioTask | None, observer: AttemptObserver | None) -> None:
        if self.place is not None and not self.place.is_granted:
            with self._waiting("bulkhead", observer):
                await self._granted(self.place)
        # What was known of the circuit is old by now; and its clock of the call has not to count the wait.
        self._leave_circuit()
        self._ask_circuit(self._now(), observer)
        self._begin(task)

    def _waiting(self, gate: str, observer: AttemptObserver | None) -> Waiting:
        found = self.found
        assert found.world is not None
        state = found.limiter if gate == "rate limit" else found.places
        return Waiting(gate, None if state is None else state.spec.name, found.world, observer)

    def _ask_circuit(self, now: float, observer: AttemptObserver | None) -> None:
        circuit = self.found.circuit
        if circuit is None:
            return
        old = circuit.state
        answer = circuit.admit(now)
        tell_of_circuit(circuit, old, observer)
        if isinstance(answer, BreakerOpen):
            raise answer
        self.permit = answer

    def _ask_throttle(self, now: float) -> None:
        throttler, home = self.found.throttler, self.found.world
        if throttler is not None and home is not None:
            refusal = throttler.admit(now, home.stream("throttle").random())
            if refusal is not None:
                raise refusal

    def _take_a_place(self, now: float) -> None:
        places = self.found.places
        if places is not None:
            place = places.enter(now)
            if isinstance(place, BulkheadFull):
                raise place
            self.place = place

    async def _granted(self, place: Place) -> None:
        """Wait until the place is granted; raise the bulkhead's refusal when that takes too long."""
        loop, places = asyncio.get_running_loop(), self.found.places
        assert places is not None
        woken = loop.create_future()
        place.wake = functools.partial(_told, loop, woken)
        patience = place.due - self._now()
        timer = loop.call_later(patience, place.wake) if patience < _ENDLESS else None
        try:
            await woken
        finally:
            if timer is not None:
                timer.cancel()
        refusal = places.expire(place, self._now())
        if refusal is not None:
            raise refusal

    def _begin(self, task: AsyncioTask | None) -> None:
        """Let the timeout begin, unless a deadline around the call ends no later: that one cuts, then."""
        self.is_aboard = True
        queue = self.found.queue
        if queue is not None:
            end = scopes.ends_at()
            if end is None or queue.end() < end:
                self.task = task
                queue.arm(self)

    def owes(self) -> bool:
        """Return whether somebody has to hear of a success."""
        circuit = self.found.circuit
        if self.place is not None or self.found.throttler is not None:
            return True
        return circuit is not None and not circuit.quiet

    def give_back(self) -> None:
        """Give back what was taken for an attempt that says nothing about health: cancelled, or refused."""
        if self.slot is not None and not self.is_aboard:
            assert self.found.limiter is not None
            self.found.limiter.give_back(1, self._now(), self.slot)
            self.slot = None
        self._leave_place("neutral")
        self._leave_circuit()

    def land(self, outcome: Outcome, observer: AttemptObserver | None) -> None:
        """Give back what was taken, with what the attempt came to.

        Raises:
            Exception: what a predicate of the breaker's or the throttle's raised; all is given back
                nevertheless.
        """
        self._leave_place(_left_as(outcome))
        try:
            if self.found.throttler is not None and self.is_aboard:
                self.found.throttler.judge(outcome, self._now())
        finally:
            self._tell_circuit(outcome, observer)

    def _tell_circuit(self, outcome: Outcome, observer: AttemptObserver | None) -> None:
        circuit, permit = self.found.circuit, self.permit
        if circuit is None or permit is None:
            return
        self.permit = None
        verdict: Verdict = "neutral"
        old = circuit.state
        try:
            verdict = circuit.spec.verdict(outcome)
        finally:
            circuit.record(permit, verdict, self._now(), error_of(outcome))
        tell_of_circuit(circuit, old, observer)

    def _leave_place(self, how: LeftAs) -> None:
        place, self.place = self.place, None
        if place is not None:
            assert self.found.places is not None
            now = self._now()
            wake(self.found.places, self.found.places.leave(place, now, how), now)

    def _leave_circuit(self) -> None:
        permit, self.permit = self.permit, None
        if permit is not None:
            assert self.found.circuit is not None
            self.found.circuit.release(permit)

    def _now(self) -> float:
        assert self.found.world is not None
        return self.found.world.monotonic()


_ENDLESS = float("inf")


def flight_of(found: Found, requests: int) -> Flight:
    """Return a flight that has taken nothing yet.

    Args:
        found: the states of the policies.
        requests: the count of requests to cancel the asyncio task, before the attempt.
    """
    flight = Flight()
    flight.task = None
    flight.fired = False
    flight.requests = requests
    flight.found = found
    flight.permit = None
    flight.slot = None
    flight.place = None
    flight.is_aboard = False
    return flight


def let_in(places: Places, now: float) -> None:
    """Wake those who wait in a bulkhead, as far as there are free places."""
    wake(places, places.grant(now), now)


def wake(places: Places, granted: list[Place], now: float) -> None:
    """Let those go on who have a place now; that of one who can't goes to the next."""
    for place in granted:
        if place.wake is not None and not place.wake():
            granted += places.leave(place, now, "neutral")


def _told(loop: asyncio.AbstractEventLoop, woken: asyncio.Future[None]) -> bool:
    """End a wait, on another thread's loop too; return whether there is still a loop on which to go on."""
    if asyncio._get_running_loop() is loop:
        _answer(woken)
        return True
    try:
        loop.call_soon_threadsafe(_answer, woken)
    except RuntimeError:  # it was closed
        return False
    return True


def _answer(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


def _left_as(outcome: Outcome) -> LeftAs:
    match outcome:
        case Returned():
            return "success"
        case TimedOut():
            return "dropped"
        case Signalled(signal) if not signal.fails:
            return "success"
        case _:
            return "failure"
