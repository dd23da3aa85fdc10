"""Both budgets against naive references, under calls that begin, fail, ask and end at will."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from asyncflow.ambient import World
from asyncflow.policy.budget import Budget, TokenBudget

TENTHS = st.integers(0, 30)


class PlainShares:
    """All calls that are in flight, each with whether it holds an extra attempt; counted whenever asked."""

    def __init__(self, share, floor):
        self.share, self.floor = share, floor
        self.holds = {}
        self.hedges = 0

    def extra(self):
        return sum(self.holds.values()) + self.hedges

    def may_take(self):
        return self.extra() + 1 <= self.floor or Fraction(self.extra() + 1) <= self.share * len(self.holds)


class PlainTokens:
    """Everything that ever happened, added up from the beginning in exact numbers whenever asked."""

    def __init__(self, capacity, per_second):
        self.capacity, self.per_second = capacity, per_second
        self.changes = []

    def tokens(self):
        tokens, before = self.capacity, None
        for at, change in self.changes:
            passed = 0 if before is None else at - before
            tokens = min(self.capacity, tokens + passed * self.per_second)
            tokens, before = min(self.capacity, max(Fraction(0), tokens + change)), at
        return tokens


class SharesMachine(RuleBasedStateMachine):
    calls = Bundle("calls")

    @initialize(tenths=st.integers(0, 10), floor=st.integers(0, 3))
    def start(self, tenths, floor):
        assume(tenths or floor)
        self.reference = PlainShares(Fraction(tenths, 10), floor)
        self.spending = Budget("b", share=tenths / 10, floor=floor).spending(World(seed=7))

    @rule(target=calls, count=st.integers(1, 8))
    def begin(self, count):
        spenders = [self.spending.began() for _ in range(count)]
        self.reference.holds.update(dict.fromkeys(spenders, False))
        return multiple(*spenders)

    @rule(spender=calls)
    def fail(self, spender):
        """The first attempt, or the retry that was granted, fails."""
        spender.failed(0.0)
        self.reference.holds[spender] = False

    @rule(spender=calls)
    def ask(self, spender):
        self.reference.holds[spender] = False
        expected = self.reference.may_take()
        assert spender.may_retry(0.0) is expected
        self.reference.holds[spender] = expected

    @rule(spender=consumes(calls), succeeded=st.booleans(), again=st.booleans())
    def end(self, spender, succeeded, again):
        """A call succeeds, is given up, or is cancelled: in an attempt, in a wait, or before the first."""
        for _ in range(1 + again):
            spender.ended(0.0, succeeded=succeeded)
        del self.reference.holds[spender]

    @rule()
    def hedge(self):
        expected = self.reference.may_take()
        assert self.spending.take(0.0) is expected
        self.reference.hedges += expected

    @rule()
    def end_hedge(self):
        assume(self.reference.hedges)
        self.spending.give_back()
        self.reference.hedges -= 1

    @invariant()
    def permits_are_conserved(self):
        assert self.spending.calls == len(self.reference.holds)
        assert self.spending.extra == self.reference.extra()

    def teardown(self):
        if not hasattr(self, "reference"):
            return
        for spender in list(self.reference.holds):
            self.end(spender, succeeded=False, again=False)
        while self.reference.hedges:
            self.end_hedge()
        assert (self.spending.calls, self.spending.extra) == (0, 0)


class TokensMachine(RuleBasedStateMachine):
    calls = Bundle("calls")

    @initialize(
        per_success=TENTHS, per_retry=TENTHS, per_failure=TENTHS, per_second=TENTHS, keep=TENTHS, above=TENTHS
    )
    def start(self, per_success, per_retry, per_failure, per_second, keep, above):
        assume((per_retry or per_failure) and (above or per_retry))
        self.spec = TokenBudget(
            "b",
            per_success=per_success / 10,
            per_retry=per_retry / 10,
            per_failure=per_failure / 10,
            per_second=per_second / 10,
            keep=keep / 10,
            capacity=(keep + per_retry + above + 1) / 10,
        )
        self.exact = {
            name: Fraction(round(getattr(self.spec, name) * 10), 10)
            for name in ("per_success", "per_retry", "per_failure", "per_second", "keep", "capacity")
        }
        self.reference = PlainTokens(self.exact["capacity"], self.exact["per_second"])
        self.spending = self.spec.spending(World(seed=7))
        self.now = Fraction(0)

    def change(self, tokens):
        self.reference.changes.append((self.now, tokens))

    @rule(tenths=st.integers(1, 40))
    def wait(self, tenths):
        self.now += Fraction(tenths, 10)

    @rule(target=calls)
    def begin(self):
        return self.spending.began()

    @rule(spender=calls)
    def fail(self, spender):
        spender.failed(float(self.now))
        self.change(-self.exact["per_failure"])

    @rule(spender=calls)
    def ask(self, spender):
        self.change(Fraction(0))
        there, exact = self.reference.tokens(), self.exact
        expected = there > exact["keep"] and there >= exact["keep"] + exact["per_retry"]
        assert spender.may_retry(float(self.now)) is expected
        if expected:
            self.change(-exact["per_retry"])

    @rule(spender=consumes(calls), succeeded=st.booleans(), again=st.booleans())
    def end(self, spender, succeeded, again):
        for _ in range(1 + again):
            spender.ended(float(self.now), succeeded=succeeded)
        if succeeded:
            self.change(self.exact["per_success"])

    @invariant()
    def tokens_are_conserved(self):
        if hasattr(self, "reference"):
            assert abs(self.spending.tokens - self.reference.tokens()) < 1e-6
            assert 0 <= self.spending.tokens <= self.spec.capacity


TestShares = SharesMachine.TestCase
TestShares.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
TestTokens = TokensMachine.TestCase
TestTokens.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
