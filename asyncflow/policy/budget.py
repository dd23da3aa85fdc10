"""Retry budgets: how many extra attempts all calls together may make of a service that is in trouble.

A limit for each call does not bound the load: four attempts each are four times the load, and four layers
of them 256 times. A budget is shared by name. First attempts are free and never refused; a retry or a hedge
has to be paid for, by a share of what is in flight (`Budget`) or with tokens that successes bring
(`TokenBudget`).

A budget never waits and never reads a clock: the caller brings the time.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from typing import Any

from asyncflow.ambient import World
from asyncflow.errors import InvalidPolicy
from asyncflow.human import plural
from asyncflow.policy.checks import checked_name, checked_number, checked_whole
from asyncflow.policy.homes import Stateful

# Tenths add up to a little less than one.
_SLACK = 1e-9


class Spending(ABC):
    """The state of a budget, shared by all calls that name it."""

    __slots__ = ()

    def began(self) -> Spender:
        """Return what a call that begins now has to do with the budget; its first attempt is free."""
        self.entered()
        return Spender(self)

    @abstractmethod
    def entered(self) -> None:
        """Hear that a call begins."""

    @abstractmethod
    def left(self) -> None:
        """Hear that a call is over."""

    @abstractmethod
    def take(self, now: float) -> bool:
        """Take the right to one extra attempt, a retry or a hedge; return whether there was one.

        What was taken is given back when the extra attempt is over.

        Args:
            now: the world's monotonic time.
        """

    @abstractmethod
    def give_back(self) -> None:
        """Hear that an extra attempt is over, however it ended."""

    @abstractmethod
    def succeeded(self, now: float) -> None:
        """Hear that a call succeeded."""

    @abstractmethod
    def failed(self, now: float) -> None:
        """Hear that an attempt failed, in a way that would be retried."""

    @abstractmethod
    def refusal(self) -> str:
        """Return why there is no extra attempt, in words for people."""

    @abstractmethod
    def numbers(self) -> dict[str, Any]:
        """Return the name and the numbers behind the answer, ready for JSON."""


class Spender:
    """One call and what it has taken from a budget.

    From the decision to retry until that retry is over, its wait included, the call holds one extra attempt.

    Args:
        spending: the state of the budget.
    """

    __slots__ = ("_holds", "_is_over", "spending")

    def __init__(self, spending: Spending) -> None:
        self.spending = spending
        self._holds = False
        self._is_over = False

    def failed(self, now: float) -> None:
        """Tell the budget that an attempt failed in a way that would be retried.

        Args:
            now: the world's monotonic time.
        """
        self.give_back()
        self.spending.failed(now)

    def may_retry(self, now: float) -> bool:
        """Return whether the attempt that failed may be repeated, and take what that costs.

        Args:
            now: the world's monotonic time.
        """
        self.give_back()
        self._holds = self.spending.take(now)
        return self._holds

    def ended(self, now: float, *, succeeded: bool) -> None:
        """Give back what is held; a call that is over already changes nothing.

        Args:
            now: the world's monotonic time.
            succeeded: whether the call did; not so when it was cancelled or refused.
        """
        if self._is_over:
            return
        self._is_over = True
        self.give_back()
        self.spending.left()
        if succeeded:
            self.spending.succeeded(now)

    def give_back(self) -> None:
        """Give back the extra attempt that is held, if one is: it is over."""
        if self._holds:
            self._holds = False
            self.spending.give_back()


@dataclass(frozen=True, slots=True)
class Budget(Stateful):
    """Of all calls in flight only a share may be in a retry, and a few always may.

    The form of Envoy and failsafe-go. It needs no history: what is in flight grows by itself when answers
    become slow.

    Args:
        name: what the budget protects, such as a service; uses of the same name share it, per world.
        share: the share of the calls in flight that may be in a retry or wait for one, from 0 to 1.
        floor: how many may be whatever the share says, so that a quiet service is retried too.

    Raises:
        InvalidPolicy: when a setting is out of range, or no retry would ever be allowed.
    """

    name: str
    _: KW_ONLY
    share: float = 0.2
    floor: int = 3

    def __post_init__(self) -> None:
        checked_name(self.name)
        checked_number(self.share, "share", 0, 1, "0.1 stands for a tenth")
        checked_whole(self.floor, "floor", 0, "use 3 or so")
        if not self.share and not self.floor:
            raise InvalidPolicy("share=0 and floor=0 allow no retry at all; leave out the retry policy")

    def spending(self, where: World | None = None) -> Shares:
        """Return the state of this name in a world, by default the current one; made on first use.

        Raises:
            InvalidPolicy: when the name is already in use with other settings.
        """
        return self._state("budget", lambda: Shares(self), where)


class Shares(Spending):
    """The state of a `Budget`.

    Args:
        spec: its settings.

    Attributes:
        calls: how many calls are in flight, their waits included.
        extra: how many extra attempts are, their waits included.
    """

    __slots__ = ("calls", "extra", "spec")

    def __init__(self, spec: Budget) -> None:
        self.spec = spec
        self.calls = 0
        self.extra = 0

    def entered(self) -> None:
        """Count a call."""
        self.calls += 1

    def left(self) -> None:
        """Count a call off."""
        self.calls -= 1

    def take(self, now: float) -> bool:  # noqa: ARG002 - shares don't change with time
        """Take the right to one extra attempt while the share, or the floor, has room."""
        if self.extra + 1 > max(self.spec.floor, self.spec.share * self.calls + _SLACK):
            return False
        self.extra += 1
        return True

    def give_back(self) -> None:
        """Count an extra attempt off."""
        self.extra -= 1

    def succeeded(self, now: float) -> None:
        """Change nothing: only what is in flight counts."""

    def failed(self, now: float) -> None:
        """Change nothing: only what is in flight counts."""

    def refusal(self) -> str:
        """Return why there is no extra attempt, in words for people."""
        spec = self.spec
        most = f"{spec.share * 100:g} %" + (f" or {spec.floor}" if spec.floor else "")
        return f"budget {spec.name!r} allows no more: {self._story()}, and at most {most} may be"

    def numbers(self) -> dict[str, Any]:
        """Return the name and the numbers behind the answer, ready for JSON."""
        return {"name": self.spec.name, "retries": self.extra, "calls": self.calls}

    def forked(self) -> None:
        """Begin afresh in a child process: the calls that are in flight there are not here to end."""
        self.calls = self.extra = 0

    def __repr__(self) -> str:
        return f"<Shares {self.spec.name}: {self._story()}>"

    def _story(self) -> str:
        are = "is" if self.extra == 1 else "are"
        return f"{self.extra} of {plural(self.calls, 'call')} in flight {are} retried"


@dataclass(frozen=True, slots=True)
class TokenBudget(Stateful):
    """Successes bring tokens, retries cost them; without tokens there is no retry.

    The form of M. Brooker ("Fixing retries with token buckets and circuit breakers", 2022) and the AWS SDKs:
    retries are bound to `per_success / per_retry` of what succeeds. gRPC's throttling of retries
    (`tokenRatio=0.1, maxTokens=10`) is `per_success=0.1, per_retry=0, per_failure=1, capacity=10, keep=5`.
    Finagle's ten retries a second for quiet services are `per_second=10`.

    Args:
        name: what the budget protects, such as a service; uses of the same name share it, per world.
        per_success: tokens that a call brings when it succeeds.
        per_retry: tokens that a retry costs.
        capacity: how many tokens there are at most, and in the beginning.
        per_failure: tokens that a failed attempt costs, whether it is repeated or not.
        per_second: tokens that come by themselves.
        keep: tokens that retries leave: there is a retry only while there are more.

    Raises:
        InvalidPolicy: when a setting is out of range, or no retry would ever be allowed, or all would.
    """

    name: str
    _: KW_ONLY
    per_success: float = 0.1
    per_retry: float = 1.0
    capacity: float = 100.0
    per_failure: float = 0.0
    per_second: float = 0.0
    keep: float = 0.0

    def __post_init__(self) -> None:
        checked_name(self.name)
        for setting in ("per_success", "per_retry", "capacity", "per_failure", "per_second", "keep"):
            checked_number(getattr(self, setting), setting, 0, math.inf, "0.1 stands for a tenth")
        if not self.per_retry and not self.per_failure:
            raise InvalidPolicy("per_retry=0 and per_failure=0 make every retry free; use per_retry=1.0")
        if self.capacity <= self.keep or self.capacity < self.keep + self.per_retry:
            raise InvalidPolicy(
                f"capacity={self.capacity:g} never suffices for a retry, which costs {self.per_retry:g} "
                f"and leaves keep={self.keep:g}; use a larger capacity"
            )

    def spending(self, where: World | None = None) -> Tokens:
        """Return the state of this name in a world, by default the current one; made on first use.

        Raises:
            InvalidPolicy: when the name is already in use with other settings.
        """
        return self._state("budget", lambda: Tokens(self), where)


class Tokens(Spending):
    """The state of a `TokenBudget`.

    Args:
        spec: its settings.

    Attributes:
        tokens: how many there were when they were last looked at.
    """

    __slots__ = ("_counted_at", "spec", "tokens")

    def __init__(self, spec: TokenBudget) -> None:
        self.spec = spec
        self.tokens = float(spec.capacity)
        self._counted_at: float | None = None

    def entered(self) -> None:
        """Change nothing: first attempts are free."""

    def left(self) -> None:
        """Change nothing: what counts is how the call ended."""

    def take(self, now: float) -> bool:
        """Pay for one extra attempt, if there are tokens for it."""
        self._change(0.0, now)
        spec = self.spec
        if self.tokens <= spec.keep + _SLACK or self.tokens < spec.keep + spec.per_retry - _SLACK:
            return False
        self._change(-spec.per_retry, now)
        return True

    def give_back(self) -> None:
        """Change nothing: tokens are spent when they are taken."""

    def succeeded(self, now: float) -> None:
        """Add the tokens of a success."""
        self._change(self.spec.per_success, now)

    def failed(self, now: float) -> None:
        """Take the tokens that a failure costs, down to none."""
        self._change(-self.spec.per_failure, now)

    def refusal(self) -> str:
        """Return why there is no extra attempt, in words for people."""
        spec = self.spec
        leaves = f" and leaves {spec.keep:g}" if spec.keep else ""
        costs = (
            f"a retry costs {spec.per_retry:g}{leaves}" if spec.per_retry else f"retries end at {spec.keep:g}"
        )
        there = f"{self.tokens:.3g} of {spec.capacity:g} tokens"
        return f"budget {spec.name!r} allows no more: {there} are left, and {costs}"

    def numbers(self) -> dict[str, Any]:
        """Return the name and the numbers behind the answer, ready for JSON."""
        return {"name": self.spec.name, "tokens": self.tokens, "capacity": self.spec.capacity}

    def _change(self, tokens: float, now: float) -> None:
        """Add tokens, and those that came with time; there are never fewer than 0 or more than fit."""
        since = 0.0 if self._counted_at is None else max(0.0, now - self._counted_at)
        self._counted_at = now
        there = min(self.spec.capacity, self.tokens + since * self.spec.per_second)
        self.tokens = min(self.spec.capacity, max(0.0, there + tokens))

    def __repr__(self) -> str:
        return f"<Tokens {self.spec.name}: {self.tokens:.3g} of {self.spec.capacity:g} left>"


def checked_budget(budget: Budget | TokenBudget | None) -> None:
    """Raise InvalidPolicy for what extra attempts can't be paid from."""
    if budget is not None and not isinstance(budget, Budget | TokenBudget):
        raise InvalidPolicy(f"budget={budget!r} must be a Budget; write Budget('payments')")
