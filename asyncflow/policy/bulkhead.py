"""The bulkhead: how many calls may be under way at once, and how many more may queue up for it.

It never waits and never reads a clock: a place is taken at once, queues up or is refused, and whoever gives
one back learns which of those that wait have one now. Places are given to calls, for the length of one
attempt; with retries around it a call holds none while it backs off.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from random import Random
from typing import Literal

from asyncflow.ambient import World, world
from asyncflow.errors import BulkheadFull, InvalidPolicy
from asyncflow.human import named
from asyncflow.policy.adaptive import Adaptive
from asyncflow.policy.checks import checked_name, checked_whole
from asyncflow.policy.homes import Stateful
from asyncflow.policy.seconds import Seconds, seconds, spoken

LeftAs = Literal["success", "failure", "dropped", "neutral"]
"""How a call ended. An adaptive limit learns from "success" (how long it took) and from "dropped" (it ran out
of time, or whom it called had no room for it); a failure may be fast for reasons of its own, and a cancelled
call ("neutral") says nothing."""


@dataclass(frozen=True, slots=True)
class Bulkhead(Stateful):
    """Let at most `limit` calls run at once and `queue` more wait for their turn, first come first served.

    A call that finds the places taken and the queue full is not made, and `BulkheadFull` is raised; so is it
    when a place does not come free within `queue_timeout`.

    Args:
        limit: how many calls may run at once; with `adaptive` how many to begin with.
        queue: how many calls may wait for a place.
        queue_timeout: seconds (or a timedelta) that a call may wait for a place; None for as long as it
            takes, or as the call's deadline allows.
        name: uses of the same name share their places; without one the places are this object's own.
        adaptive: how the limit follows what is measured, such as `Vegas()`; None for a fixed limit.

    Raises:
        InvalidPolicy: when a setting is out of range.
    """

    limit: int
    _: KW_ONLY
    queue: int = 0
    queue_timeout: Seconds | None = None
    name: str | None = None
    adaptive: Adaptive | None = None

    def __post_init__(self) -> None:
        checked_whole(self.limit, "limit", 1, "use 1 for one call at a time")
        checked_whole(self.queue, "queue", 0, "use 0 to refuse what can't run at once")
        checked_name(self.name, may_lack=True)
        if self.adaptive is not None:
            if not isinstance(self.adaptive, Adaptive):
                raise InvalidPolicy(f"adaptive={self.adaptive!r} must be a rule such as Vegas(), or None")
            self.adaptive.check_start(self.limit)
        if self.queue_timeout is not None:
            hint = "use a number of seconds, or None to wait as long as it takes"
            given = seconds(self.queue_timeout, "queue_timeout", zero=False, hint=hint)
            object.__setattr__(self, "queue_timeout", given)
            if not self.queue:
                raise InvalidPolicy(
                    f"queue_timeout={given:g} has nothing to end without a queue; give `queue=` as well"
                )

    def places(self, where: World | None = None) -> Places:
        """Return the places in a world, by default the current one; made on first use.

        Raises:
            InvalidPolicy: when the name is already in use with other settings.
        """
        home = where or world()
        return self._state("bulkhead", lambda: Places(self, home.stream("limits")), home)


class Place:
    """One call's place, or its turn in the queue.

    Attributes:
        is_granted: whether the call may run.
        is_over: whether the place was given back or the turn withdrawn.
        since: when the place was granted, or the waiting began, on the world's monotonic clock.
        due: when the waiting is to end without a place; infinity when nothing ends it.
        inflight: how many calls had a place when this one was granted, itself included.
        wake: called by whoever grants the place, when the call waits for it; set by the one who waits. It
            returns whether somebody is there to use the place.
    """

    __slots__ = ("due", "inflight", "is_granted", "is_over", "since", "wake")

    def __init__(self, now: float, due: float = math.inf) -> None:
        self.is_granted = self.is_over = False
        self.since = now
        self.due = due
        self.inflight = 0
        self.wake: Callable[[], bool] | None = None

    def __repr__(self) -> str:
        state = "over" if self.is_over else "granted" if self.is_granted else "waiting"
        return f"<Place {state} since {self.since:g}>"


class Places:
    """The state of a bulkhead.

    A frame in a hurry may leave out `enter` and `leave` of a fixed limit: when `taken < limit` it adds one to
    `taken`, and at the end takes it off again and calls `grant` if `waiting` is not 0. Nobody waits while
    there is a free place, so that it overtakes nobody.

    Args:
        spec: its settings.
        random: draws what an adaptive limit leaves to chance.

    Attributes:
        limit: how many calls may have a place at once.
        taken: how many have one.
        waiting: how many are in the queue.
    """

    __slots__ = ("_learner", "_patience", "_queue", "limit", "spec", "taken", "waiting")

    def __init__(self, spec: Bulkhead, random: Random) -> None:
        self.spec = spec
        self.limit = spec.limit
        self.taken = 0
        self.waiting = 0
        self._learner = None if spec.adaptive is None else spec.adaptive.learner(spec.limit, random)
        patience = spec.queue_timeout
        self._patience = math.inf if patience is None else seconds(patience, "queue_timeout")
        self._queue: OrderedDict[Place, None] = OrderedDict()  # leaving from the middle costs nothing

    def enter(self, now: float) -> Place | BulkheadFull:
        """Return a place, which is granted or in the queue, or the refusal when there is room in neither.

        Args:
            now: the world's monotonic time.
        """
        if self.taken < self.limit:
            place = Place(now)
            self._take(place)
            return place
        if self.waiting < self.spec.queue:
            place = Place(now, now + self._patience)
            self._queue[place] = None
            self.waiting += 1
            return place
        return self._refusal()

    def leave(self, place: Place, now: float, verdict: LeftAs = "success") -> list[Place]:
        """Give a place back, or withdraw from the queue, and return the places that are granted now.

        Whoever leaves calls their `wake`. Leaving twice changes nothing.

        Args:
            place: what `enter` returned.
            now: the world's monotonic time.
            verdict: how the call ended.
        """
        if place.is_over:
            return []
        place.is_over = True
        if place.is_granted:
            self.taken -= 1
            if self._learner is not None and verdict in ("success", "dropped"):
                dropped = verdict == "dropped"
                self.limit = self._learner.sample(now - place.since, place.inflight, dropped, now)
        else:
            del self._queue[place]
            self.waiting -= 1
        return self.grant(now)

    def expire(self, place: Place, now: float) -> BulkheadFull | None:
        """End the waiting of a place that is due, and return the refusal.

        None when the place was granted after all: then it is there to be used.
        """
        if place.is_granted:
            return None
        self.leave(place, now, "neutral")
        waited = spoken(now - place.since)
        return BulkheadFull(
            f"{self._label} had no place free within {waited}; {self._story()}", name=self.spec.name
        )

    def grant(self, now: float) -> list[Place]:
        """Grant the free places to those that wait, the longest waiting first, and return theirs."""
        granted: list[Place] = []
        while self.waiting and self.taken < self.limit:
            place, _ = self._queue.popitem(last=False)
            self.waiting -= 1
            place.since = now
            self._take(place)
            granted.append(place)
        return granted

    def forked(self) -> None:
        """Begin afresh in a child process: who had places there, or waits for one, is not here to leave."""
        for place in self._queue:
            place.is_over = True
        self._queue.clear()
        self.taken = self.waiting = 0

    def _take(self, place: Place) -> None:
        self.taken += 1
        place.is_granted = True
        place.inflight = self.taken

    def _refusal(self) -> BulkheadFull:
        hint = "let fewer calls in at once, or give it a longer queue"
        return BulkheadFull(f"{self._label} is full: {self._story()}; {hint}", name=self.spec.name)

    @property
    def _label(self) -> str:
        return named("bulkhead", self.spec.name)

    def _story(self) -> str:
        waiting = f", {self.waiting}/{self.spec.queue} waiting" if self.spec.queue else ""
        return f"{self.taken}/{self.limit} taken{waiting}"

    def __repr__(self) -> str:
        name = "" if self.spec.name is None else f" {self.spec.name}"
        return f"<Bulkhead{name} {self._story()}>"
