"""A circuit that looks at durations, those of calls in flight included.

A call that hangs says something about health long before it ends. So each admission and each result first
looks for calls in flight that have become slow; they count in the share of slow calls from then on, and as
ordinary calls when they end. A call that ends neutrally leaves no trace.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from asyncflow.errors import BreakerOpen
from asyncflow.policy.circuit import Circuit, Permit, Verdict
from asyncflow.policy.reading import CircuitState
from asyncflow.policy.windows import FAILED, SLOW

if TYPE_CHECKING:
    from asyncflow.policy.breaker import Breaker


class WatchedCircuit(Circuit):
    """A circuit whose permits are the numbers of calls, by which it knows when each started.

    Args:
        spec: its settings, `slow_after` among them.
        clock: the world's monotonic clock.
    """

    __slots__ = ("_hung", "_hung_before", "_look_at", "_newest", "_oldest", "_slow_after", "_starts")

    _watches: ClassVar[bool] = True

    def __init__(self, spec: Breaker, clock: Callable[[], float]) -> None:
        assert spec.rates is not None, "only shares of calls can be slow"
        self._slow_after = spec.rates.slow_after
        self._starts: dict[int, float] = {}  # when the calls in flight started, in that order
        self._hung: dict[int, float] = {}  # the same of those that are slow already
        self._hung_before = 0  # how many were when the state last changed
        self._oldest = 1  # no call in `_starts` has a lower number
        self._newest = 0
        self._look_at = -math.inf  # until then no call in `_starts` is slow, and the circuit is closed
        super().__init__(spec, clock)

    def admit(self, now: float) -> Permit | BreakerOpen:
        """Return a permit for one call, whose time runs from now on, or the refusal."""
        if now >= self._look_at:
            self._look(now)
            refusal = None if self.state == "closed" else self._ask(now)
            if refusal is not None:
                return refusal
        self._newest = number = self._newest + 1
        self._starts[number] = now
        return number

    def shortcut(self, now: float) -> Permit | None:
        """Return a permit while the circuit is closed and no call in flight can have become slow."""
        if now >= self._look_at:
            return None
        self._newest = number = self._newest + 1
        self._starts[number] = now
        return number

    def record(
        self, permit: Permit, verdict: Verdict, now: float, error: BaseException | None = None
    ) -> None:
        """Give a permit back with what came of the call; how long it took is known."""
        kind = FAILED if verdict == "failure" else 0
        since = self._starts.pop(permit, None)
        if since is None:
            since = self._hung.pop(permit, None)
            if since is None:
                return  # it was admitted by an older generation
            kind |= SLOW
        if now >= self._look_at:
            if self._look(now):
                return
            if now >= since + self._slow_after:
                kind |= SLOW
            if self.state != "closed":
                self._answered(verdict, kind, now, error)
                return
        if verdict != "neutral" and (self._tally.count(kind, now) or self._hung):
            self._judge(now, error)

    def release(self, permit: Permit) -> None:
        """Give back the permit of a call that says nothing about health."""
        known = self._starts.pop(permit, None) is not None or self._hung.pop(permit, None) is not None
        if known and self.state == "half-open":
            self._probes.out -= 1

    def _look(self, now: float) -> bool:
        """Find the calls in flight that have become slow; return whether that changed the state.

        Numbers are passed once each, so that a look costs little however many calls there are.
        """
        starts, number, found = self._starts, self._oldest, False
        look_at = now + self._slow_after
        while starts:
            since = starts.get(number)
            if since is not None:
                if since + self._slow_after > now:
                    look_at = since + self._slow_after
                    break
                self._hung[number] = starts.pop(number)
                found = True
            number += 1
        self._oldest = number
        if self.state == "closed":
            self._look_at = look_at
        if not found or self._is_stuck(now):
            return False
        generation = self.generation
        self._tally.move_on(now)
        self._judge(now, None)
        return generation != self.generation

    def _enter(self, state: CircuitState) -> None:
        self._hung_before = len(self._hung)
        self._starts.clear()
        self._hung.clear()
        self._look_at = -math.inf  # while it is not closed each call is looked at
        super()._enter(state)

    @property
    def _hanging(self) -> int:
        return len(self._hung)

    def _hanging_at(self, now: float) -> int:
        if self.state == "open":
            return self._hung_before
        late = sum(since + self._slow_after <= now for since in self._starts.values())
        return len(self._hung) + late
