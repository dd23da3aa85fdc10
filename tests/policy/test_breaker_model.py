"""The circuit against a naive reference that keeps all it ever heard, under calls that overlap at will."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from asyncflow.ambient import World
from asyncflow.errors import BreakerOpen
from asyncflow.policy.breaker import Breaker


@dataclass
class Call:
    era: int
    since: int
    verdict: str | None = None
    end: int | None = None
    is_known_slow: bool = False


class Reference:
    """The rules in their plainest form: the eras of the circuit, and each call with its era and result.

    Every question is answered by going through all calls.
    """

    def __init__(self, spec):
        self.spec = spec
        self.eras = [("closed", 0)]
        self.calls = {}  # by number, the ended ones in the order of their ends
        self.openings = 0
        self.due = None
        self.exceeded = False

    @property
    def state(self):
        return self.eras[-1][0]

    def of_this_era(self):
        return [call for call in self.calls.values() if call.era == len(self.eras)]

    def in_flight(self):
        return [call for call in self.of_this_era() if call.end is None]

    def enter(self, state, now):
        self.eras.append((state, now))
        if state == "open":
            self.openings += 1
            self.due = now + self.spec.open_for * self.spec.grow ** (self.openings - 1)
        elif state == "closed":
            self.openings = 0

    def is_slow(self, call, now):
        return self.spec.slow_after is not None and now >= call.since + self.spec.slow_after

    def counted(self, now):
        """Return the calls that count: all answers of probes, else those in the window."""
        told = [call for call in self.of_this_era() if call.verdict in ("success", "failure")]
        if self.spec.mode == "disabled":
            return []
        if self.state == "half-open" or self.spec.failures is not None:
            return told
        if self.spec.window is not None:
            return told[-self.spec.window :]
        width = self.spec.window_for / 10
        return [call for call in told if call.end // width > now // width - 10]

    def is_too_much(self, now):
        told = self.counted(now)
        if self.spec.failures is not None:
            limit = 1 if self.state == "half-open" else self.spec.failures
            return [call.verdict for call in told[-limit:]] == ["failure"] * limit
        least = self.spec.probes if self.state == "half-open" else self.spec.min_calls
        hung = [call for call in self.in_flight() if call.is_known_slow]
        known = [*told, *hung]
        failures = sum(call.verdict == "failure" for call in told)
        slow = sum(self.is_slow(call, call.end) for call in told) + len(hung)
        if self.state == "half-open" and len(known) < least:
            return False
        failing = len(told) >= least and Fraction(failures, len(told)) >= Fraction(self.spec.failure_rate)
        if self.spec.slow_after is None:
            return failing
        return failing or (
            len(known) >= least and Fraction(slow, len(known)) >= Fraction(self.spec.slow_rate)
        )

    def judge(self, now):
        if self.spec.mode == "disabled" or self.state == "open":
            return
        if self.is_too_much(now):
            if self.spec.mode == "metrics-only":
                self.exceeded = True
            else:
                self.enter("open", now)
        elif self.state == "half-open" and len(self.counted(now)) == self.spec.probes:
            self.enter("closed", now)

    def stuck_at(self):
        if self.state != "half-open" or self.spec.half_open_for is None:
            return None
        return self.eras[-1][1] + self.spec.half_open_for

    def is_stuck(self, now):
        return self.stuck_at() is not None and now >= self.stuck_at()

    def look(self, now):
        """Note what has become slow in flight, and judge if there is something new."""
        new = [call for call in self.in_flight() if self.is_slow(call, now) and not call.is_known_slow]
        for call in new:
            call.is_known_slow = True
        if new and not self.is_stuck(now):
            self.judge(now)

    def admit(self, number, now):
        self.look(now)
        if self.is_stuck(now):
            self.enter(self.spec.half_open_to, self.stuck_at())
        if self.state == "open":
            if now < self.due:
                return False
            self.enter("half-open", now)
        if self.state == "half-open" and len(self.in_flight()) + len(self.counted(now)) >= self.spec.probes:
            return False
        self.calls[number] = Call(len(self.eras), now)
        return True

    def end(self, number, verdict, now):
        call = self.calls.pop(number)
        if call.era != len(self.eras):
            return
        self.look(now)
        if call.era != len(self.eras):
            return
        if self.is_stuck(now):
            self.enter(self.spec.half_open_to, self.stuck_at())
            return
        call.verdict, call.end = verdict, now
        self.calls[number] = call
        if verdict != "neutral":
            self.judge(now)

    def drop(self, number):
        del self.calls[number]


WINDOWS = st.one_of(
    st.fixed_dictionaries({"failures": st.integers(1, 3)}),
    st.fixed_dictionaries({"window": st.integers(2, 5)}),
    st.fixed_dictionaries({"window_for": st.just(20)}),
)
RATE = st.sampled_from([0.25, 0.5, 1.0])
RATES = st.fixed_dictionaries({"failure_rate": RATE, "min_calls": st.integers(2, 4)})
SLOWNESS = st.just({}) | st.fixed_dictionaries({"slow_after": st.sampled_from([1, 4]), "slow_rate": RATE})
OPEN_TIMES = st.fixed_dictionaries(
    {
        "open_for": st.sampled_from([0, 1, 8]),
        "grow": st.sampled_from([1, 2]),
        "probes": st.integers(1, 3),
        "half_open_for": st.sampled_from([5, 9]),
        "half_open_to": st.sampled_from(["open", "closed"]),
        "mode": st.sampled_from(["normal"] * 6 + ["metrics-only", "disabled"]),
    }
)


class BreakerMachine(RuleBasedStateMachine):
    calls = Bundle("calls")

    @initialize(window=WINDOWS, rates=RATES, slowness=SLOWNESS, others=OPEN_TIMES, gives_up=st.booleans())
    def start(self, window, rates, slowness, others, gives_up):
        if "failures" in window:
            rates = slowness = {}
        if not gives_up:
            others = {**others, "half_open_for": None, "half_open_to": "open"}
        self.now = 0
        self.number = 0
        spec = Breaker("b", **window, **rates, **slowness, **others)
        self.circuit = spec.circuit(World(monotonic=lambda: float(self.now)))
        self.reference = Reference(spec)

    @rule(target=calls, hurries=st.booleans())
    def call(self, hurries=False):
        self.number += 1
        answer = self.circuit.shortcut(self.now) if hurries else None
        if answer is None:
            answer = self.circuit.admit(self.now)
        admitted = self.reference.admit(self.number, self.now)
        assert isinstance(answer, BreakerOpen) is not admitted
        return (self.number, answer)

    @rule(call=consumes(calls), verdict=st.sampled_from(["success", "failure", "failure", "neutral"]))
    def end(self, call, verdict):
        number, answer = call
        if not isinstance(answer, BreakerOpen):
            self.circuit.record(answer, verdict, self.now)
            self.reference.end(number, verdict, self.now)

    @rule(verdict=st.sampled_from(["success", "failure"]), many=st.integers(1, 4))
    def calls_that_end_at_once(self, verdict, many):
        for _ in range(many):
            self.end(self.call(), verdict)

    @rule(call=consumes(calls))
    def cancel(self, call):
        number, answer = call
        if not isinstance(answer, BreakerOpen):
            self.circuit.release(answer)
            self.reference.drop(number)

    @rule(passed=st.sampled_from([1, 2, 4, 8, 19]))
    def wait(self, passed):
        self.now += passed

    @rule()
    def wait_as_long_as_it_says(self):
        self.now += self.circuit.retry_after(self.now)
        if self.circuit.state == "open":
            assert self.circuit.probe_due(self.now)

    @invariant()
    def agrees(self):
        reference, reading = self.reference, self.circuit.reading(self.now)
        assert (reading.state, self.circuit.generation) == (reference.state, len(reference.eras) - 1)
        assert (reading.openings, self.circuit.exceeded) == (reference.openings, reference.exceeded)
        if self.circuit.state == "open":
            return
        told = reference.counted(self.now)
        failures = sum(call.verdict == "failure" for call in told)
        if self.circuit.state == "closed" and reference.spec.failures is not None:
            verdicts = [call.verdict for call in reversed(told)]
            streak = verdicts.index("success") if "success" in verdicts else len(verdicts)
            assert reading.failures == streak
            assert self.circuit.quiet == (streak == 0)
        else:
            assert (reading.calls, reading.failures) == (len(told), failures)
        hanging = [call for call in reference.in_flight() if reference.is_slow(call, self.now)]
        assert reading.hanging == len(hanging)

    @invariant()
    def probes_out_are_the_calls_in_flight(self):
        if self.circuit.state == "half-open":
            out, probes = len(self.reference.in_flight()), self.reference.spec.probes
            assert out + self.circuit.reading(self.now).calls <= probes
            assert f"{out}/{probes} probes out" in repr(self.circuit)


BreakerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestBreakerAgainstReference = BreakerMachine.TestCase
