"""Bodies and observers that the tests of the guard share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from asyncflow.signals import FAIL, SKIP


async def forever():
    """Wait for what never comes."""
    await asyncio.Event().wait()


def now():
    """Return the time of the running loop, in seconds."""
    return asyncio.get_running_loop().time()


def cancelling():
    """Return how many requests to cancel the current asyncio task are pending."""
    return asyncio.current_task().cancelling()


def attempts_in(follower):
    """Return how many attempts a `Follower` heard of."""
    return sum(heard[0] == "started" for heard in follower.heard)


class Body:
    """A coroutine function that goes through a list, whose last step repeats.

    It raises exceptions, sleeps for floats, and returns whatever it has not raised.
    """

    def __init__(self, *script):
        self.script = list(script)
        self.calls = 0
        self.cancelled = 0

    async def __call__(self):
        self.calls += 1
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, BaseException) or (isinstance(step, type) and issubclass(step, BaseException)):
            raise step
        if isinstance(step, float):
            try:
                await asyncio.sleep(step)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return step


class Follower:
    """An observer that writes down what it hears; `early` and `late` are its own decisions by attempt."""

    def __init__(self, early=None, late=None, waits=False, hedges=None):
        self.hedges = hedges
        self.heard = []
        self.early = early or {}
        self.late = late or {}
        self.waits = waits

    def attempt_started(self, attempt):
        self.heard.append(("started", attempt))
        return self._answer(self.early.get(attempt))

    def attempt_ended(self, attempt, outcome, decision):
        self.heard.append(("ended", attempt, type(outcome).__name__, type(decision).__name__))
        return self._answer(self.late.get(attempt, decision))

    subject = None

    def hedged(self, number):
        return Follower() if self.hedges is None else self.hedges.get(number)

    def left(self):
        self.heard.append(("left",))

    def note(self, kind, detail):
        self.heard.append((kind, detail))

    def _answer(self, decision):
        return self._later(decision) if self.waits else decision

    async def _later(self, decision):
        await asyncio.sleep(0)
        return decision


@dataclass
class Plan:
    """One call of many that overlap: when it begins, what its body does, and when it is cancelled."""

    start: float
    takes: float
    ends: str
    cancelled_after: float | None


async def played(plan, *, fails=True):
    """Do what a plan says; its failure is left out unless it `fails`."""
    try:
        await asyncio.sleep(plan.takes)
    except asyncio.CancelledError:
        if plan.ends != "swallow":
            raise
    endings = {"error": ValueError("error"), "skip": SKIP(), "fail": FAIL()}
    if fails and plan.ends in endings:
        raise endings[plan.ends]
