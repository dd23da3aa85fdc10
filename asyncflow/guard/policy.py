"""Policy: what protects a call, as one immutable value. It needs no flow."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import KW_ONLY, dataclass
from typing import Any, ParamSpec, TypeVar

from asyncflow.errors import InvalidPolicy
from asyncflow.guard.around import Outer
from asyncflow.guard.compiled import Caller, caller, protected
from asyncflow.guard.plan import Plan, WhenRejected
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.bulkhead import Bulkhead
from asyncflow.policy.fallback import Fallback
from asyncflow.policy.hedge import Hedge
from asyncflow.policy.rate_limit import RateLimit
from asyncflow.policy.retry import Retry
from asyncflow.policy.seconds import Seconds, seconds, spoken
from asyncflow.policy.throttle import Throttle

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class Policy:
    """Protect calls of a coroutine function; use it as a decorator, or call through it.

    The order is fixed: fallback > deadline > hedge > retry > breaker > throttle >
    rate limit > bulkhead > attempt timeout > body. What is left out
    costs nothing. `@policy` decorates a coroutine function; `await policy.call(fn, *args)` calls one.

    Args:
        timeout: seconds (or a timedelta) that one attempt may take; then it is cancelled and fails with
            AttemptTimedOut. Waits until it is admitted don't count.
        retry: when and how attempts are repeated; a whole number is short for `Retry(number)`.
        breaker: what stops calling a body that keeps failing.
        when_rejected: what becomes of an attempt that the breaker or a limit refuses: "fail" raises the
            refusal at once, unless `retry` names it; "wait" waits until there may be room, however long that
            takes; None waits where a deadline is there and the wait ends before it, and fails otherwise.
        throttle: what keeps attempts back by chance while few of them are accepted.
        rate_limit: how many attempts there may be in a time.
        bulkhead: how many attempts there may be at once, and how many may queue up for a place.
        deadline: seconds (or a timedelta) that a call may take in all, attempts and waits included; then it
            is cancelled and fails with DeadlineExceeded. What the body calls inherits it.
        hedge: when a call is made once more beside itself; a length of time is short for `Hedge(length)`.
        fallback: what stands in for a failure.

    Raises:
        InvalidPolicy: when a setting is out of range, or two contradict each other.
    """

    timeout: Seconds | None = None
    retry: Retry | int | None = None
    breaker: Breaker | None = None
    when_rejected: WhenRejected = None
    _: KW_ONLY
    throttle: Throttle | None = None
    rate_limit: RateLimit | None = None
    bulkhead: Bulkhead | None = None
    deadline: Seconds | None = None
    hedge: Hedge | Seconds | None = None
    fallback: Fallback | None = None

    def __post_init__(self) -> None:
        if self.timeout is not None:
            hint = "use a number of seconds, or None for no timeout"
            object.__setattr__(self, "timeout", seconds(self.timeout, "timeout", zero=False, hint=hint))
        if self.retry is not None and not isinstance(self.retry, Retry):
            object.__setattr__(self, "retry", Retry(self.retry))
        if self.hedge is not None and not isinstance(self.hedge, Hedge):
            object.__setattr__(self, "hedge", Hedge(self.hedge))
        for name, (kind, example) in _PARTS.items():
            part = getattr(self, name)
            if part is not None and not isinstance(part, kind):
                raise InvalidPolicy(f"{name}={part!r} must be a {kind.__name__}; write {example}")
        if self.when_rejected not in (None, "fail", "wait"):
            raise InvalidPolicy(f"when_rejected={self.when_rejected!r} must be 'fail', 'wait' or None")
        if self.when_rejected == "wait" and self.bulkhead is not None and not self.bulkhead.queue:
            raise InvalidPolicy(
                "when_rejected='wait' and a bulkhead without a queue contradict each other; "
                f"write Bulkhead({self.bulkhead.limit}, queue=100), or leave out when_rejected"
            )
        self._check_deadline()

    def _check_deadline(self) -> None:
        if self.deadline is None:
            return
        hint = "use a number of seconds, or None for no deadline"
        deadline = seconds(self.deadline, "deadline", zero=False, hint=hint)
        object.__setattr__(self, "deadline", deadline)
        _check_fits(self.timeout, "timeout", deadline)
        if isinstance(self.hedge, Hedge):
            _check_fits(self.hedge.after, "the hedge's after", deadline)

    @property
    def is_empty(self) -> bool:
        """Whether calls run as if there were no policy."""
        names = ("timeout", "retry", "deadline", "hedge", *_PARTS)
        return all(getattr(self, name) is None for name in names)

    @functools.cached_property
    def plan(self) -> Plan:
        """The policies, ready to run; made on first use."""
        timeout = None if self.timeout is None else seconds(self.timeout, "timeout")
        retry = self.retry if isinstance(self.retry, Retry) else None
        return Plan(
            timeout,
            retry,
            self.breaker,
            throttle=self.throttle,
            rate_limit=self.rate_limit,
            bulkhead=self.bulkhead,
            when_rejected=self.when_rejected,
            outer=self._outer(retry),
        )

    def _outer(self, retry: Retry | None) -> Outer | None:
        """Return what stands around the attempts, or None when there is nothing."""
        hedge = self.hedge if isinstance(self.hedge, Hedge) else None
        if self.deadline is None and hedge is None and self.fallback is None:
            return None
        deadline = None if self.deadline is None else seconds(self.deadline, "deadline")
        pays = hedge is None or retry is None or retry.budget != hedge.budget
        return Outer(deadline, hedge, self.fallback, pays)

    def replace(self, **changes: Any) -> Policy:
        """Return a copy with other settings, such as `policy.replace(timeout=5.0)`."""
        return dataclasses.replace(self, **changes)

    def __call__(self, fn: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        """Return `fn` under this policy.

        Raises:
            InvalidPolicy: when `fn` is not a coroutine function, so that its work could be neither timed
                nor repeated.
        """
        if not _gives_coroutines(fn):
            raise InvalidPolicy(
                f"a Policy protects coroutine functions; {fn!r} is none: declare it with `async def`"
            )

        return functools.wraps(fn)(protected(self.plan, fn))

    @functools.cached_property
    def call(self) -> Caller:
        """Call a coroutine function under this policy and return its value: `await policy.call(fn, 1, b=2)`.

        `fn` is called once per attempt, with the arguments that follow it.

        Raises:
            AttemptTimedOut: when the last attempt ran out of time.
            Rejected: when the last attempt was refused; by its subclass one sees by whom.
            Exception: the body's own, as it was raised by the last attempt, with a note when there was more
                than one.
        """
        return caller(self.plan)

    def __repr__(self) -> str:
        parts = []
        if self.fallback is not None:
            parts.append(f"fallback to {self.fallback}")
        if self.deadline is not None:
            parts.append(f"deadline {spoken(seconds(self.deadline, 'deadline'))}")
        if self.hedge is not None:
            parts.append(f"hedge {self.hedge}")
        if isinstance(self.retry, Retry):
            budget = self.retry.budget
            paid = "" if budget is None else f", {_standing('budget', budget.spending)}"
            parts.append(f"retry {self.retry}{paid}")
        if self.breaker is not None:
            parts.append(_standing("breaker", self.breaker.circuit))
        if self.throttle is not None:
            parts.append(_standing("throttle", self.throttle.throttler))
        if self.rate_limit is not None:
            parts.append(_standing("rate limit", self.rate_limit.limiter))
        if self.bulkhead is not None:
            parts.append(_standing("bulkhead", self.bulkhead.places))
        if self.timeout is not None:
            parts.append(f"attempt timeout {spoken(seconds(self.timeout, 'timeout'))}")
        rejected = f"; rejected: {self.when_rejected}" if self.when_rejected is not None else ""
        return f"<Policy {' > '.join([*parts, 'body'])}{rejected}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the settings alone: the plan belongs to a loop and a world."""
        return _made, (type(self), {each.name: getattr(self, each.name) for each in dataclasses.fields(self)})


_PARTS: dict[str, tuple[type, str]] = {
    "fallback": (Fallback, "Fallback(value=...)"),
    "breaker": (Breaker, "Breaker('payments')"),
    "throttle": (Throttle, "Throttle()"),
    "rate_limit": (RateLimit, "RateLimit(100, per=1.0)"),
    "bulkhead": (Bulkhead, "Bulkhead(10)"),
}
"""The parts of a policy that have one type only, from the outside in, with an example of each."""


def _made(kind: type[Policy], settings: dict[str, Any]) -> Policy:
    return kind(**settings)


def _check_fits(length: Seconds | None, name: str, deadline: float) -> None:
    """Raise InvalidPolicy for what could never come to pass, since the deadline is over before."""
    if length is not None and seconds(length, name) > deadline:
        raise InvalidPolicy(
            f"{name}={seconds(length, name):g} is longer than deadline={deadline:g} and would never strike; "
            "make it shorter or leave it out"
        )


def _gives_coroutines(fn: object) -> bool:
    return callable(fn) and (inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(fn.__call__))


def _standing(label: str, state_of: Callable[[], object]) -> str:
    """Return a part with its state in the current world, such as `breaker payments closed, 0/5 failures`."""
    try:
        _, _, rest = repr(state_of()).strip("<>").partition(" ")
    except InvalidPolicy:
        rest = "whose name is in use with other settings"
    return f"{label} {rest}"
