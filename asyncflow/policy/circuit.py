"""The circuit: the state machine of a breaker.

It never waits and never reads a clock: the caller brings the time. Every change of state begins a new
generation; a call carries the generation that admitted it, and a result from an older one changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from asyncflow.errors import BreakerOpen, IllegalMove, UsageError
from asyncflow.policy.likeness import likeness
from asyncflow.policy.probes import Probes
from asyncflow.policy.reading import CircuitState, Mode, Reading
from asyncflow.policy.seconds import Seconds, seconds, spoken
from asyncflow.policy.windows import FAILED, Blind, Window

if TYPE_CHECKING:
    from asyncflow.policy.breaker import Breaker

Verdict = Literal["success", "failure", "neutral"]

Permit = int
"""The right to make one call; opaque to who holds it. Every permit is given back once."""

MOVES: Final[dict[CircuitState, frozenset[CircuitState]]] = {
    "closed": frozenset({"open"}),
    "open": frozenset({"half-open", "closed"}),
    "half-open": frozenset({"open", "closed"}),
}
"""The legal moves; staying is legal and silent."""

# An instant that was reached by adding a wait to another instant may fall short of it by rounding, and a
# loop's timer by the resolution of its clock. Waiting exactly `retry_after` must be enough all the same.
_SLACK = 1e-6

OPEN_FOR: Final = 30.0
"""How many seconds a circuit is open when nothing is said."""

# Nobody knows when a probe will answer: ask again within these bounds, in seconds.
_SOONEST, _LATEST = 0.01, 1.0


class Circuit:
    """The state of a breaker.

    Args:
        spec: its settings.
        clock: the world's monotonic clock, for those who ask without bringing the time.

    Attributes:
        state: "closed", "open" or "half-open". Time alone changes nothing: an open circuit stays open until a
            call asks.
        mode: "normal", or what it was switched to.
        generation: grows with every change of state.
        quiet: neither an admission nor a plain success has to be told; the permit is `generation`.
        free: an admission need not be told, a success has to be; the permit is `generation`.
        refused: calls turned away since the state last changed.
        openings: how often it opened since it was last closed.
        why: in words why it is not closed, or would not be; empty when it is.
        cause: a likeness of the last failure that opened it; None when it is closed, or no failure did.
        exceeded: whether it would have opened if the mode were not "metrics-only".
        unsaid: whether that is still to be told; who tells it sets it to False.
    """

    __slots__ = (
        "_due",
        "_lasting",
        "_probes",
        "_stuck_at",
        "_tally",
        "_window",
        "cause",
        "clock",
        "exceeded",
        "free",
        "generation",
        "mode",
        "openings",
        "quiet",
        "refused",
        "spec",
        "state",
        "unsaid",
        "why",
    )

    _watches: ClassVar[bool] = False
    """Whether a call has to be told of when it starts."""

    def __init__(self, spec: Breaker, clock: Callable[[], float]) -> None:
        self.spec = spec
        self.clock = clock
        self.mode: Mode = "normal"
        self.state: CircuitState = "closed"
        self.generation = -1
        self.openings = self.refused = 0
        self.why = ""
        self.cause: BaseException | None = None
        self._window: Window  # what counts while the circuit is closed
        self._tally: Window  # what counts now, or counted last: the window or the probes
        self._probes = Probes(spec.probes, spec.rates)
        self._due = math.inf  # when an open circuit may be probed
        self._stuck_at = math.inf  # when the patience with probes ends
        self._lasting = 0.0
        self.reset()

    def admit(self, now: float) -> Permit | BreakerOpen:
        """Return a permit for one call, or the refusal; the only place where an open circuit turns half-open.

        Args:
            now: the world's monotonic time.
        """
        if self.state != "closed":
            refusal = self._ask(now)
            if refusal is not None:
                return refusal
        return self.generation

    def shortcut(self, now: float) -> Permit | None:  # noqa: ARG002 - time matters to who watches durations
        """Return a permit if it takes no thought to give one; None when `admit` has to be asked."""
        return self.generation if self.free else None

    def record(
        self, permit: Permit, verdict: Verdict, now: float, error: BaseException | None = None
    ) -> None:
        """Give a permit back with what came of the call.

        Args:
            permit: what `admit` gave.
            verdict: "neutral" also for a call that was cancelled: it says nothing about health.
            now: the world's monotonic time.
            error: how the call failed, if it did; a likeness is kept when that opens the circuit.
        """
        if permit != self.generation:
            return
        kind = FAILED if verdict == "failure" else 0
        if not self.free:
            self._answered(verdict, kind, now, error)
        elif verdict != "neutral":
            tally = self._tally
            if tally.count(kind, now):
                self.quiet = False
                self._judge(now, error)
            elif tally.is_calm:
                self.quiet = self.spec.on_result is None

    def release(self, permit: Permit) -> None:
        """Give back the permit of a call that says nothing about health, because it was cancelled, say."""
        if permit == self.generation and self.state == "half-open":
            self._probes.out -= 1

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
        if self.state == "half-open" and self._probes.is_full and not self._is_stuck(now):
            return min(_LATEST, max(_SOONEST, self._lasting))
        return 0.0

    def reading(self, now: float) -> Reading:
        """Return what the circuit looks like at a time; this changes nothing."""
        tally, hanging = self._tally, self._hanging_at(now)
        # What opened a circuit is remembered as it was; it does not age.
        sums = tally.sums(now) if self.state == "closed" else (tally.calls, tally.failures, tally.slow)
        failure_rate, slow_rate = tally.shares(sums, hanging)
        return Reading(
            self.state,
            self.mode,
            *sums,
            hanging,
            failure_rate,
            slow_rate,
            self.refused,
            self.openings,
            story=self._story(now, tally.story(sums, hanging)),
        )

    def forked(self) -> None:
        """Begin a new generation in a child process: the calls in flight there don't answer here."""
        if self.state == "half-open":
            self._probe(self.clock())
        else:
            self._enter(self.state)

    # -- by hand -------------------------------------------------------------------------------------------

    def move(self, new: CircuitState, now: float) -> None:
        """Change the state and begin a new generation; moving to the state that is there changes nothing.

        Raises:
            IllegalMove: when `MOVES` does not join the two, as closed and half-open.
            UsageError: when the mode lets it not open.
        """
        if new == self.state:
            return
        if new not in MOVES[self.state]:
            raise IllegalMove(
                f"breaker {self.spec.name!r} can't go from {self.state} to {new}; "
                "see asyncflow.policy.circuit.MOVES"
            )
        if new == "open":
            self.open(now)
        elif new == "half-open":
            self._probe(now)
        else:
            self._close()

    def open(self, now: float, lasting: Seconds | None = None) -> None:
        """Refuse all calls from now on, whatever the state is.

        Args:
            now: the world's monotonic time.
            lasting: seconds, or a timedelta, until a probe; infinity for good, None for as long as the
                settings say.

        Raises:
            UsageError: when the mode is not "normal".
        """
        if self.mode != "normal":
            raise UsageError(
                f"breaker {self.spec.name!r} is {self.mode} and can't be opened; switch it to 'normal' first"
            )
        if lasting is None:
            self._open("by hand", now)
        else:
            self._open_for(seconds(lasting, "lasting", endless=True), now, "by hand")
        self._tally.forget()

    def close(self, now: float) -> None:
        """Admit all calls again, and end a forced opening; a circuit that is closed stays as it is."""
        self.move("closed", now)

    def switch(self, mode: Mode) -> None:
        """Change the mode and forget all calls: the circuit begins closed, or open when that is forced."""
        self.exceeded = self.unsaid = False
        self._window = Blind() if mode == "disabled" else self.spec.window_of_calls()
        self._close()
        self.mode = mode
        if mode == "forced-open":
            self.why = "by force"
            self._enter("open")

    def reset(self) -> None:
        """Begin anew, in the mode of the settings."""
        self.switch(self.spec.mode)

    # -- what it comes to ----------------------------------------------------------------------------------

    def _ask(self, now: float) -> BreakerOpen | None:
        """Return the refusal of a circuit that was not closed, or None when the call may try."""
        if self._is_stuck(now):
            self._give_up_probes()
        if self.probe_due(now):
            self._probe(now)
        if self.state == "half-open" and not self._probes.is_full:
            self._probes.out += 1
            return None
        if self.state == "closed":
            return None
        self.refused += 1
        return self._refusal(now)

    def _answered(self, verdict: Verdict, kind: int, now: float, error: BaseException | None) -> None:
        """Count the answer of a probe."""
        if self._is_stuck(now):
            self._give_up_probes()
        elif verdict == "neutral":
            self._probes.out -= 1
        else:
            self._probes.count(kind, now)
            self._judge(now, error)

    def _judge(self, now: float, error: BaseException | None) -> None:
        """Open the circuit when something is too much; close it when all probes are well."""
        why = "" if self.exceeded else self._tally.why(self._hanging)
        if why and self.mode == "metrics-only":
            self.exceeded = self.unsaid = True
            self.why = why
        elif why:
            self._open(why, now, error)
        elif self.state == "half-open" and self._probes.have_answered:
            self._close()

    def _open(self, why: str, now: float, error: BaseException | None = None) -> None:
        """Open for as long as the settings say; one that a function fails to say is 30 s."""
        lasting = OPEN_FOR
        try:
            lasting = self.spec.open_time(replace(self.reading(now), openings=self.openings + 1))
        finally:
            self._open_for(lasting, now, why, error)

    def _open_for(self, lasting: float, now: float, why: str, error: BaseException | None = None) -> None:
        self._lasting, self._due, self.why = lasting, now + lasting, why
        if error is not None:
            self.cause = likeness(error)
        self.openings += 1
        self._enter("open")

    def _probe(self, now: float) -> None:
        self._probes = self._tally = Probes(self.spec.probes, self.spec.rates)
        self._stuck_at = now + self.spec.patience
        self._enter("half-open")

    def _is_stuck(self, now: float) -> bool:
        return self.state == "half-open" and now >= self._stuck_at - _SLACK

    def _give_up_probes(self) -> None:
        """Leave half-open as if at the moment at which the patience with the probes ended."""
        if self.spec.half_open_to == "closed":
            self._close()
        else:
            self._open("since its probes did not answer in time", self._stuck_at)

    def _close(self) -> None:
        self._window.forget()
        self._tally = self._window
        self.openings, self.why, self.cause = 0, "", None
        self._due = math.inf
        if self.mode == "forced-open":
            self.mode = "normal"
        self._enter("closed")

    def _enter(self, state: CircuitState) -> None:
        """Begin a new generation."""
        self.state = state
        self.generation += 1
        self.refused = 0
        self.free = state == "closed" and not self._watches
        self.quiet = self.free and self._tally.is_calm and self.spec.on_result is None

    @property
    def _hanging(self) -> int:
        """How many calls in flight are known to be slow already."""
        return 0

    def _hanging_at(self, now: float) -> int:  # noqa: ARG002 - nobody watches
        """Return how many calls in flight are slow by now, without changing anything."""
        return 0

    # -- for people ----------------------------------------------------------------------------------------

    def _refusal(self, now: float) -> BreakerOpen:
        after = self.retry_after(now)
        hint = (
            "it stays open until it is closed by hand" if after is None else f"ask again in {spoken(after)}"
        )
        state = f"open {self.why}"
        if self.state == "half-open":
            state = f"half-open and waits for {self._probes.out} of {self.spec.probes} probes"
        name = self.spec.name
        refusal = BreakerOpen(f"breaker {name!r} is {state}; {hint}", retry_after=after, name=name)
        refusal.__cause__ = self.cause
        return refusal

    def __repr__(self) -> str:
        return f"<Breaker {self.spec.name} {self.reading(self.clock()).story}>"

    def _story(self, now: float, numbers: str) -> str:
        """Return the mode, the state and its numbers in a few words."""
        mode = "" if self.mode == "normal" else f"{self.mode}, "
        if self.state == "closed":
            return f"{mode}closed, {numbers}{', which is too much' if self.exceeded else ''}"
        refused = f", {self.refused} refused" if self.refused else ""
        if self.state == "half-open":
            return f"half-open, {numbers}{', overdue' if self._is_stuck(now) else ''}{refused}"
        by_window = self._tally is self._window and self._tally.calls
        how = f"open, {numbers}" if by_window else f"open {self.why}"
        left = self._due - now
        until = "for good" if left == math.inf else f"half-open in {left:.1f}s"
        return f"{mode}{how}, {'probe due' if self.probe_due(now) else until}{refused}"
