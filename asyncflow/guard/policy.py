"""Policy: what protects a call, as one immutable value. It needs no flow."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, ParamSpec, TypeVar

from asyncflow.errors import InvalidPolicy
from asyncflow.guard.around import Outer
from asyncflow.guard.pipeline import outcome_of
from asyncflow.guard.plan import Plan
from asyncflow.outcomes import Outcome, Returned
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.fallback import Fallback
from asyncflow.policy.hedge import Hedge
from asyncflow.policy.matching import failure_of
from asyncflow.policy.retry import Retry
from asyncflow.policy.seconds import Seconds, seconds, spoken

P = ParamSpec("P")
T = TypeVar("T")

WhenRejected = Literal["fail", "wait"]


@dataclass(frozen=True, repr=False)
class Policy:
    """Protect calls of a coroutine function; the order is fixed: retry > breaker > attempt timeout > body.

    Use it as a decorator, `@policy`, or call through it: `await policy.call(fn, *args)`.

    Args:
        timeout: seconds (or a timedelta) that one attempt may take; then it is cancelled and fails with
            AttemptTimedOut.
        retry: when and how attempts are repeated; a whole number is short for `Retry(number)`.
        breaker: what stops calling a body that keeps failing.
        when_rejected: what becomes of an attempt that the breaker refuses: "fail" raises BreakerOpen at once,
            unless `retry` names it; "wait" tries again when the breaker may admit, however often that takes.
        deadline: seconds (or a timedelta) that a call may take in all, attempts and waits included; then it
            is cancelled and fails with DeadlineExceeded. What the body calls inherits it.
        hedge: when a call is made once more beside itself; a length of time is short for `Hedge(length)`.
        fallback: what stands in for a failure.

    Raises:
        InvalidPolicy: when a setting is out of range.
    """

    timeout: Seconds | None = None
    retry: Retry | int | None = None
    breaker: Breaker | None = None
    when_rejected: WhenRejected = "fail"
    _: KW_ONLY
    deadline: Seconds | None = None
    hedge: Hedge | Seconds | None = None
    fallback: Fallback | None = None

    def __post_init__(self) -> None:
        if self.timeout is not None:
            hint = "use a number of seconds, or None for no timeout"
            object.__setattr__(self, "timeout", seconds(self.timeout, "timeout", zero=False, hint=hint))
        if self.retry is not None and not isinstance(self.retry, Retry):
            object.__setattr__(self, "retry", Retry(self.retry))
        if self.breaker is not None and not isinstance(self.breaker, Breaker):
            raise InvalidPolicy(f"breaker={self.breaker!r} must be a Breaker; write Breaker('payments')")
        if self.when_rejected not in ("fail", "wait"):
            raise InvalidPolicy(f"when_rejected={self.when_rejected!r} must be 'fail' or 'wait'")
        self._check_outer()

    def _check_outer(self) -> None:
        """Check what stands around the attempts."""
        if self.hedge is not None and not isinstance(self.hedge, Hedge):
            object.__setattr__(self, "hedge", Hedge(self.hedge))
        if self.fallback is not None and not isinstance(self.fallback, Fallback):
            raise InvalidPolicy(f"fallback={self.fallback!r} must be a Fallback; write Fallback(value=...)")
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
        inner = self.timeout is None and self.retry is None and self.breaker is None
        return inner and self.deadline is None and self.hedge is None and self.fallback is None

    @functools.cached_property
    def plan(self) -> Plan:
        """The policies, ready to run; made on first use."""
        timeout = None if self.timeout is None else seconds(self.timeout, "timeout")
        retry = self.retry if isinstance(self.retry, Retry) else None
        waits = self.when_rejected == "wait"
        return Plan(timeout, retry, self.breaker, waits=waits, outer=self._outer(retry))

    def _outer(self, retry: Retry | None) -> Outer | None:
        """Return what stands around the attempts, or None when there is nothing."""
        hedge = self.hedge if isinstance(self.hedge, Hedge) else None
        if self.deadline is None and hedge is None and self.fallback is None:
            return None
        deadline = None if self.deadline is None else seconds(self.deadline, "deadline")
        pays = hedge is None or getattr(retry, "budget", None) != hedge.budget
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

        @functools.wraps(fn)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            value: T = _value(await outcome_of(self, fn, args, kwargs))
            return value

        return guarded

    async def call(self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a coroutine function under this policy and return its value.

        Args:
            fn: the body, called once per attempt.
            *args: its positional arguments.
            **kwargs: its keyword arguments.

        Raises:
            AttemptTimedOut: when the last attempt ran out of time.
            BreakerOpen: when the last attempt was refused.
            Exception: the body's own, as it was raised by the last attempt, with a note when there was more
                than one.
        """
        value: T = _value(await outcome_of(self, fn, args, kwargs))
        return value

    def __repr__(self) -> str:
        parts = []
        if self.fallback is not None:
            parts.append(f"fallback to {self.fallback}")
        if self.deadline is not None:
            parts.append(f"deadline {spoken(seconds(self.deadline, 'deadline'))}")
        if self.hedge is not None:
            parts.append(f"hedge {self.hedge}")
        if isinstance(self.retry, Retry):
            jitter = "" if self.retry.jitter == "none" else f" with {self.retry.jitter} jitter"
            parts.append(f"retry {self.retry.max_attempts} attempts, {self.retry.delay!r}{jitter}")
        if self.breaker is not None:
            waits = ", wait when open" if self.when_rejected == "wait" else ""
            parts.append(f"breaker {self.breaker.name}{waits}")
        if self.timeout is not None:
            parts.append(f"attempt timeout {spoken(seconds(self.timeout, 'timeout'))}")
        return f"<Policy {' > '.join([*parts, 'body'])}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the settings alone: the plan belongs to a loop and a world."""
        return _policy, ({field.name: getattr(self, field.name) for field in dataclasses.fields(self)},)


def _policy(settings: dict[str, Any]) -> Policy:
    """Return the policy with these settings, for one that was copied or pickled."""
    return Policy(**settings)


def _check_fits(length: Seconds | None, name: str, deadline: float) -> None:
    """Raise InvalidPolicy for what could never come to pass, since the deadline is over before."""
    if length is not None and seconds(length, name) > deadline:
        raise InvalidPolicy(
            f"{name}={seconds(length, name):g} is longer than deadline={deadline:g} and would never strike; "
            "make it shorter or leave it out"
        )


def _gives_coroutines(fn: object) -> bool:
    return callable(fn) and (inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(fn.__call__))


def _value(outcome: Outcome) -> Any:
    """Return the value of an outcome or raise its exception."""
    if isinstance(outcome, Returned):
        return outcome.value
    error = failure_of(outcome)
    try:
        raise error
    finally:
        # The traceback holds this frame, which must not hold the error in turn.
        del error, outcome
