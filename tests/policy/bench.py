"""A circuit under the hands of a test: its clock, and the calls that are under way."""

from __future__ import annotations

from asyncflow.ambient import World
from asyncflow.errors import BreakerOpen
from asyncflow.policy.breaker import Breaker
from asyncflow.sim.clock import Clock

VERDICTS = {"S": "success", "F": "failure", "N": "neutral"}


class Bench:
    """A circuit, its clock and its calls, told as a story of steps.

    `S`, `F` and `N` are calls that succeed, fail or say nothing, at once or after seconds: `F@5`; `C` is one
    that is cancelled. `+a` begins a call and `a:S` ends it. A number lets seconds pass. `?` is a call that
    must be refused.
    """

    def __init__(self, **settings):
        self.clock = Clock()
        self.breaker = Breaker("b", **settings)
        self.circuit = self.breaker.circuit(World(monotonic=self.clock.monotonic))
        self.calls = {}

    @property
    def reading(self):
        return self.circuit.reading(self.clock.now)

    @property
    def state(self):
        return self.circuit.state

    def call(self):
        return self.circuit.admit(self.clock.now)

    def begin(self, told="a call"):
        permit = self.call()
        assert not isinstance(permit, BreakerOpen), f"refused: {told}"
        return permit

    def end(self, permit, letter):
        if letter == "C":
            self.circuit.release(permit)
        else:
            self.circuit.record(permit, VERDICTS[letter], self.clock.now)

    def tell(self, story):
        for step in story.split():
            self._tell(step, f"{step} of {story!r}")
        return self.circuit

    def _tell(self, step, told):
        if step[0] in "SFNC":
            permit = self.begin(told)
            self.clock.now += float(step[2:] or 0)
            self.end(permit, step[0])
        elif step[0] == "+":
            self.calls[step[1:]] = self.begin(told)
        elif step == "?":
            assert isinstance(self.call(), BreakerOpen), f"admitted: {told}"
        elif ":" in step:
            name, letter = step.split(":")
            self.end(self.calls.pop(name), letter)
        else:
            self.clock.now += float(step)
