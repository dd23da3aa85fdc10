"""The circuit against a naive reference that keeps all it ever heard, under calls that overlap at will."""

from __future__ import annotations

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

from asyncflow.errors import BreakerOpen
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.circuit import Circuit


class Reference:
    """The rules in their plainest form: the eras of the circuit, and each call with its era and result."""

    def __init__(self, failures, open_for, probes):
        self.failures, self.open_for, self.probes = failures, open_for, probes
        self.eras = [("closed", 0)]
        self.calls = {}  # number -> [era, result or None]

    @property
    def state(self):
        return self.eras[-1][0]

    def results(self):
        return [result for era, result in self.calls.values() if era == len(self.eras)]

    def admit(self, number, now):
        if self.state == "open":
            if now < self.eras[-1][1] + self.open_for:
                return False
            self.eras.append(("half-open", now))
        if self.state == "half-open":
            taken = [result for result in self.results() if result in (None, "success")]
            if len(taken) >= self.probes:
                return False
        self.calls[number] = [len(self.eras), None]
        return True

    def end(self, number, verdict, now):
        era, _ = self.calls.pop(number)
        self.calls[number] = [era, verdict]  # in the order of the ends
        if era != len(self.eras):
            return
        told = [result for result in self.results() if result in ("success", "failure")]
        failures = 1 if self.state == "half-open" else self.failures
        if self.state != "open" and told[-failures:] == ["failure"] * failures:
            self.eras.append(("open", now))
        elif self.state == "half-open" and told == ["success"] * self.probes:
            self.eras.append(("closed", now))


class BreakerMachine(RuleBasedStateMachine):
    calls = Bundle("calls")

    @initialize(failures=st.integers(1, 3), open_for=st.sampled_from([0, 1, 8]), probes=st.integers(1, 3))
    def start(self, failures, open_for, probes):
        self.now = 0
        self.number = 0
        self.circuit = Circuit(
            Breaker("b", failures=failures, open_for=open_for, probes=probes), lambda: float(self.now)
        )
        self.reference = Reference(failures, open_for, probes)

    @rule(target=calls)
    def call(self):
        self.number += 1
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

    @rule(call=consumes(calls))
    def cancel(self, call):
        number, answer = call
        if not isinstance(answer, BreakerOpen):
            self.circuit.release(answer)
            self.reference.end(number, "neutral", self.now)

    @rule(passed=st.sampled_from([1, 4, 8]))
    def wait(self, passed):
        self.now += passed

    @rule()
    def wait_as_long_as_it_says(self):
        self.now += self.circuit.retry_after(self.now)
        if self.circuit.state == "open":
            assert self.circuit.probe_due(self.now)

    @invariant()
    def agrees(self):
        assert self.circuit.state == self.reference.state
        assert self.circuit.generation == len(self.reference.eras) - 1
        failures = self.circuit.reading(self.now).failures
        assert self.circuit.quiet == (self.circuit.state == "closed" and failures == 0)
        if self.circuit.state == "closed":
            told = [result for result in self.reference.results() if result in ("success", "failure")]
            streak = next((i for i, result in enumerate(reversed(told)) if result == "success"), len(told))
            assert failures == streak

    @invariant()
    def probes_out_are_the_calls_in_flight(self):
        if self.circuit.state == "half-open":
            out = self.reference.results().count(None)
            assert f"{out}/{self.reference.probes} probes out" in repr(self.circuit)


BreakerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestBreakerAgainstReference = BreakerMachine.TestCase
