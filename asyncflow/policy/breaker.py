"""The circuit breaker: a state machine that stops calling what keeps failing, and probes whether it is well.

It never waits and never reads a clock: the caller brings the time. Every change of state begins a new
generation; a call carries the generation that admitted it, and a result from an older one changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Final, Literal, NewType

from asyncflow.ambient import World, world
from asyncflow.errors import BreakerOpen, IllegalMove, InvalidPolicy
from asyncflow.outcomes import Outcome, Refused, Returned
from asyncflow.policy.matching import Errors, checked, counts, failure_of
from asyncflow.policy.seconds import Seconds, seconds, spoken
from asyncflow.signals import SUCCESS

CircuitState = Literal["closed", "open", "half-open"]
Verdict = Literal["success", "failure", "neutral"]

Permit = NewType("Permit", int)
"""The right to make one call: the generation that gave it. Every permit is given back once."""

MOVES: Final[dict[CircuitState, frozenset[CircuitState]]] = {
    "closed": frozenset({"open"}),
    "open": frozenset({"half-open", "closed"}),
    "half-open": frozenset({"open", "closed"}),
}
"""The legal moves; staying is legal and silent."""

# An instant that was reached by adding a wait to another instant may fall short of it by rounding, and a
# loop's timer by the resolution of its clock. Waiting exactly `retry_after` must be enough all the same.
_SLACK = 1e-6

# Nobody knows when a probe will answer: ask again within these bounds, in seconds.
_SOONEST, _LATEST = 0.01, 1.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """Stop calling after `failures` failures in a row; after `open_for`, let `probes` calls try.

    While the circuit is open, and for calls beyond the probes, the body is not called and `BreakerOpen` is
    raised. The circuit closes when all probes succeed and opens again when one fails. Uses of the same name
    share one circuit per world.

    Args:
        name: what the circuit protects, such as a service.
        failures: how many failures in a row open the circuit.
        open_for: how long it stays open before a probe, in seconds or a timedelta; infinity means for good.
        probes: how many trial calls there are, and how many at once.
        on: what counts as a failure: an exception type, a tuple of types, or a predicate. Other errors are
            neutral: neither success nor failure. Rejections by other policies are neutral unless `on` names
            their type.

    Raises:
        InvalidPolicy: when a setting is out of range.
    """

    name: str
    failures: int = 5
    open_for: Seconds = 30.0
    _: KW_ONLY
    probes: int = 1
    on: Errors = Exception

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise InvalidPolicy(
                f"name={self.name!r} must be a text that says what is protected, such as 'payments'"
            )
        for setting in ("failures", "probes"):
            count = getattr(self, setting)
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise InvalidPolicy(
                    f"{setting}={count!r} must be a whole number, 1 or more; use 1 for the strictest"
                )
        checked(self.on, "on")
        object.__setattr__(self, "open_for", seconds(self.open_for, "open_for", endless=True))

    def circuit(self, where: World | None = None) -> Circuit:
        """Return the circuit of this name in a world, by default the current one; made closed on first use.

        Raises:
            InvalidPolicy: when the name is already in use with other settings.
        """
        home = where or world()
        return home.shared("breaker", self.name, self, lambda: Circuit(self, home.monotonic))

    def verdict(self, outcome: Outcome) -> Verdict:
        """Return what an outcome says about the health of what is called."""
        if isinstance(outcome, Returned):
            return "success"
        if isinstance(outcome, Refused):
            return "neutral"
        error = failure_of(outcome)
        if isinstance(error, SUCCESS):
            return "success"
        return "failure" if counts(error, self.on) else "neutral"


class Circuit:
    """The state of a breaker.

    Args:
        spec: its settings.
        clock: the world's monotonic clock, read by `repr` alone.

    Attributes:
        state: "closed", "open" or "half-open". Time alone changes nothing: an open circuit stays open until a
            call asks.
        streak: failures in a row, up to the one that opened the circuit.
        generation: grows with every change of state.
        quiet: closed without a failure, so that a success changes nothing and need not be recorded.
    """

    __slots__ = (
        "_clock",
        "_due",
        "_open_for",
        "_out",
        "_passed",
        "generation",
        "quiet",
        "spec",
        "state",
        "streak",
    )

    def __init__(self, spec: Breaker, clock: Callable[[], float]) -> None:
        self.spec = spec
        self.state: CircuitState = "closed"
        self.streak = 0
        self.generation = Permit(0)
        self.quiet = True
        self._clock = clock
        self._open_for = seconds(spec.open_for, "open_for", endless=True)
        self._due = 0.0  # when an open circuit may be probed
        self._out = 0  # probes that have not answered
        self._passed = 0  # probes that succeeded

    def admit(self, now: float) -> Permit | BreakerOpen:
        """Return a permit for one call, or the refusal; the only place where an open circuit turns half-open.

        Args:
            now: the world's monotonic time.
        """
        if self.state == "open" and self.probe_due(now):
            self.move("half-open", now)
        if self.state == "open":
            return self._refusal(now)
        if self.state == "half-open":
            if self._out + self._passed >= self.spec.probes:
                return self._refusal(now)
            self._out += 1
        return self.generation

    def record(self, permit: Permit, verdict: Verdict, now: float) -> None:
        """Give a permit back with what came of the call.

        Args:
            permit: what `admit` gave.
            verdict: "neutral" also for a call that was cancelled: it says nothing about health.
            now: the world's monotonic time.
        """
        if permit != self.generation:
            return
        if self.state == "half-open":
            self._record_probe(verdict, now)
        elif verdict == "success":
            self.streak, self.quiet = 0, True
        elif verdict == "failure":
            self.streak, self.quiet = self.streak + 1, False
            if self.streak >= self.spec.failures:
                self.move("open", now)

    def release(self, permit: Permit) -> None:
        """Give back the permit of a call that says nothing about health, because it was cancelled, say."""
        if permit == self.generation and self.state == "half-open":
            self._out -= 1

    def _record_probe(self, verdict: Verdict, now: float) -> None:
        self._out -= 1
        if verdict == "failure":
            self.move("open", now)
        elif verdict == "success":
            self._passed += 1
            if self._passed == self.spec.probes:
                self.move("closed", now)

    def probe_due(self, now: float) -> bool:
        """Return whether the circuit is open and has been for as long as it should."""
        return self.state == "open" and now >= self._due - _SLACK

    def retry_after(self, now: float) -> float | None:
        """Return the seconds until it makes sense to ask again, 0 when that is now; None when that is never.

        Waiting exactly so long is enough for an open circuit. In half-open nobody can know when the probes
        answer, and this is a pause between two questions.
        """
        if self.state == "open":
            return max(0.0, self._due - now) if self._due < math.inf else None
        if self.state == "half-open" and self._out + self._passed >= self.spec.probes:
            return min(_LATEST, max(_SOONEST, self._open_for))
        return 0.0

    def move(self, new: CircuitState, now: float) -> None:
        """Change the state and begin a new generation; moving to the state that is there changes nothing.

        Raises:
            IllegalMove: when `MOVES` does not join the two, as closed and half-open.
        """
        if new == self.state:
            return
        if new not in MOVES[self.state]:
            raise IllegalMove(
                f"breaker {self.spec.name!r} can't go from {self.state} to {new}; "
                "see asyncflow.policy.breaker.MOVES"
            )
        self.state = new
        self.generation = Permit(self.generation + 1)
        self._out = self._passed = 0
        self.quiet = new == "closed"
        if new == "closed":
            self.streak = 0
        elif new == "open":
            self._due = now + self._open_for

    def _refusal(self, now: float) -> BreakerOpen:
        after = self.retry_after(now)
        hint = (
            "it stays open until it is closed by hand" if after is None else f"ask again in {spoken(after)}"
        )
        why = f"open after {self.streak} failures in a row"
        if self.state == "half-open":
            why = f"half-open and waits for {self._out} of {self.spec.probes} probes"
        return BreakerOpen(f"breaker {self.spec.name!r} is {why}; {hint}", retry_after=after)

    def __repr__(self) -> str:
        return f"<Breaker {self.spec.name} {self._story(self._clock())}>"

    def _story(self, now: float) -> str:
        """Return the state and its counts in a few words."""
        failures = f"{self.streak}/{self.spec.failures} failures"
        if self.state == "closed":
            return f"closed, {failures}"
        if self.state == "half-open":
            return f"half-open, {self._out}/{self.spec.probes} probes out, {self._passed} passed"
        if self.probe_due(now):
            return f"open, probe due, {failures}"
        left = self._due - now
        return f"open, {failures}, {'for good' if left == math.inf else f'half-open in {left:.1f}s'}"
