"""Retry: whether an attempt is followed by another one, and after which wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from random import Random
from typing import Any

from asyncflow.errors import InvalidPolicy, Rejected
from asyncflow.outcomes import ENOUGH, Again, Decision, Enough, Outcome, Refused, Returned, Signalled
from asyncflow.policy.backoff import LONGEST, Backoff, Jitter, checked_jitter, delays, drawn
from asyncflow.policy.matching import Errors, checked, counts, excluded, failure_of, is_failure
from asyncflow.policy.retry_after import wish_of
from asyncflow.policy.seconds import Seconds, spoken
from asyncflow.signals import LOOP, RETRY, Signal


@dataclass(frozen=True, slots=True)
class Retry:
    """Make up to `max_attempts` attempts, with a wait between them.

    Args:
        max_attempts: how many attempts are made at most, the first included; 1 for no retries.
        delay: the wait after a failed attempt: `constant`, `linear` or `exponential`, seconds or a
            timedelta, a sequence whose last length repeats, or a function of the attempt's number. The last
            two are not capped.
        jitter: "none", "full" or "equal"; how chance shortens the wait.
        on: the failures to repeat: an exception type, a tuple of types, or a predicate. A body's `FAIL` and
            its kin count under the default, under their own names and when a predicate says so; a rejection
            by a policy, such as an open breaker, only under its own name.
        never: failures that are not repeated even though `on` means them, in the same forms.
        on_result: a predicate of the returned value; true means that the attempt is repeated. When attempts
            are used up the last value stands.
        honour_retry_after: whether a wait that the error carries (`retry_after`, or a Retry-After header)
            replaces the drawn one when it is the longer of the two. It is not capped: the server knows
            best.

    Raises:
        InvalidPolicy: when a setting is out of range.
    """

    max_attempts: int
    delay: Backoff | Seconds | Sequence[Seconds] | Callable[[int], Seconds] = 0.0
    _: KW_ONLY
    jitter: Jitter = "none"
    on: Errors = Exception
    never: Errors = ()
    on_result: Callable[[Any], bool] | None = None
    honour_retry_after: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.max_attempts, bool) or not isinstance(self.max_attempts, int):
            raise InvalidPolicy(
                f"max_attempts={self.max_attempts!r} must be a whole number; use 1 for no retries"
            )
        if self.max_attempts < 1:
            raise InvalidPolicy(f"max_attempts={self.max_attempts!r} must be 1 or more; use 1 for no retries")
        if self.on_result is not None and not callable(self.on_result):
            raise InvalidPolicy(f"on_result={self.on_result!r} must be a predicate of the value, or None")
        checked_jitter(self.jitter)
        checked(self.on, "on")
        checked(self.never, "never")
        object.__setattr__(self, "delay", delays(self.delay))


def decide(retry: Retry | None, outcome: Outcome, attempt: int, random: Random, wall: float) -> Decision:
    """Return whether the attempt is followed by another one.

    Args:
        retry: the policy; None allows no attempt but those that a RETRY or LOOP signal asks for.
        outcome: what the attempt came to.
        attempt: its number, from 1.
        random: where the jitter is drawn.
        wall: the time now, UTC epoch seconds, for waits that are given as a date.
    """
    if isinstance(outcome, Signalled) and not outcome.signal.fails:
        return _obeyed(outcome.signal, attempt, wall)
    if isinstance(outcome, Returned):
        if retry is None or retry.on_result is None or not retry.on_result(outcome.value):
            return ENOUGH
        return _repeated(retry, None, attempt, random, wall)
    if retry is None:
        return Enough("there is no retry policy")
    error = failure_of(outcome)
    refusal = _why_not(retry, error)
    if refusal is not None:
        return Enough(refusal, {"attempt": attempt, "max_attempts": retry.max_attempts})
    return _repeated(retry, error, attempt, random, wall)


def wait_for_admission(refused: Refused, attempt: int) -> Decision:
    """Return the wait until the policy that refused the attempt may admit it; the end when it never will.

    Args:
        refused: the outcome of the attempt.
        attempt: its number, from 1.
    """
    after = refused.error.retry_after
    if after is None:
        return Enough(f"{refused.error}; no wait helps")
    detail = _detail(attempt, None, after, bound=None, jitter=None, wish=after)
    return Again(after, f"{refused.error}, which attempt {attempt + 1} does", detail)


def _obeyed(signal: Signal, attempt: int, wall: float) -> Decision:
    """Return what a signal that is no failure asks for: RETRY and LOOP another attempt, others the end."""
    if isinstance(signal, LOOP):
        said = f": {signal.message}" if signal.message else ""
        return Again(0.0, f"LOOP was raised{said}; the next iteration follows at once", None, afresh=True)
    if not isinstance(signal, RETRY):
        return Enough(f"{type(signal).__name__} was raised")
    delay = min(LONGEST, signal.wait(wall))
    detail = _detail(attempt, None, delay, bound=None, jitter=None, wish=None)
    return Again(delay, f"RETRY was raised; attempt {attempt + 1} follows {_when(delay)}", detail)


def _why_not(retry: Retry, error: BaseException) -> str | None:
    """Return why the policy would not repeat such a failure, None when it would."""
    name = type(error).__name__
    if not is_failure(error):
        return f"{name} is not an Exception, and nothing else is retried"
    if excluded(error, retry.never):
        return f"{name} {_relation(retry.never)} `never`"
    if counts(error, retry.on):
        return None
    if isinstance(error, Rejected):
        return f"{name} is a rejection, which is retried only when `on` names it"
    return f"{name} {_relation(retry.on, negated=True)} `on`"


def _relation(errors: Errors, *, negated: bool = False) -> str:
    """Return the words that join an error with the types or the predicate that it was held against."""
    if isinstance(errors, tuple | type):
        return "is not in" if negated else "is in"
    return "does not satisfy" if negated else "satisfies"


def _repeated(
    retry: Retry, error: BaseException | None, attempt: int, random: Random, wall: float
) -> Decision:
    """Return the wait before the next attempt, or the end when this one was the last that the policy allows.

    Args:
        retry: the policy.
        error: how the attempt failed; None when it returned a value that `on_result` refused.
        attempt: its number, from 1.
        random: where the jitter is drawn.
        wall: the time now, UTC epoch seconds.
    """
    if attempt >= retry.max_attempts:
        end = f"attempt {attempt} of {retry.max_attempts} was the last"
        return Enough(end, {"attempt": attempt, "max_attempts": retry.max_attempts})
    bound = delays(retry.delay).bound(attempt)
    draw = drawn(retry.jitter, bound, random)
    wish = wish_of(error, wall) if error is not None and retry.honour_retry_after else None
    delay = min(LONGEST, draw if wish is None else max(draw, wish))
    cause = "the value satisfies `on_result`"
    if error is not None:
        cause = f"{type(error).__name__} {_relation(retry.on)} `on`"
    reason = f"{cause}; attempt {attempt + 1} of {retry.max_attempts} follows {_when(delay)}"
    because = _because(retry.jitter, bound, draw, wish)
    detail = _detail(attempt, retry.max_attempts, delay, bound=bound, jitter=retry.jitter, wish=wish)
    return Again(delay, f"{reason}: {because}" if because else reason, detail)


def _because(jitter: Jitter, bound: float, draw: float, wish: float | None) -> str:
    """Return where the wait comes from; empty when there is none and nobody asked for one."""
    if wish is not None and wish > draw:
        return f"the error asks for {spoken(wish)} and the backoff for {spoken(draw)}"
    if not bound:
        return ""
    if jitter == "none":
        return f"the backoff asks for {spoken(bound)}"
    return f"the backoff allows up to {spoken(bound)} and {jitter} jitter drew {spoken(draw)}"


def _when(delay: float) -> str:
    return f"in {spoken(delay)}" if delay else "at once"


def _detail(
    attempt: int,
    max_attempts: int | None,
    delay: float,
    *,
    bound: float | None,
    jitter: Jitter | None,
    wish: float | None,
) -> dict[str, Any]:
    return {
        "attempt": attempt,
        "max_attempts": max_attempts,
        "delay": delay,
        "bound": bound,
        "jitter": jitter,
        "retry_after": wish,
    }
