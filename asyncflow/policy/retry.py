"""Retry: whether an attempt is followed by another one, and after which wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from random import Random
from typing import Any

from asyncflow.errors import InvalidPolicy, Rejected
from asyncflow.outcomes import ENOUGH, Again, Decision, Enough, Outcome, Refused, Returned, Signalled
from asyncflow.policy.backoff import LONGEST, Backoff, Jitter, checked_jitter, delays, foreseen
from asyncflow.policy.budget import Budget, Spender, TokenBudget, checked_budget
from asyncflow.policy.checks import checked_function, checked_whole
from asyncflow.policy.hooks import Hook
from asyncflow.policy.matching import Errors, checked, counts, excluded, failure_of, is_failure
from asyncflow.policy.retry_after import wish_of
from asyncflow.policy.seconds import Seconds, seconds, spoken
from asyncflow.policy.waits import Wait, wait_drawn, wait_said
from asyncflow.signals import LOOP, RETRY, Signal


@dataclass(frozen=True, slots=True)
class Retry:
    """Make up to `max_attempts` attempts, with a wait between them.

    Args:
        max_attempts: how many attempts are made at most, the first included; 1 for no retries, None for as
            many as fit into `within`.
        delay: the wait after a failed attempt: `constant`, `linear` or `exponential`, seconds or a
            timedelta, a sequence whose last length repeats, or a function of the attempt's number. The last
            two are not capped.
        jitter: "none", "full", "equal" or "decorrelated"; from which range chance draws the wait. The last
            needs an `exponential` delay, of which it takes base and cap; it triples instead of the factor.
        on: the failures to repeat: an exception type, a tuple of types, or a predicate. A body's `FAIL` and
            its kin count under the default, under their own names and when a predicate says so; a rejection
            by a policy, such as an open breaker, only under its own name.
        never: failures that are not repeated even though `on` means them, in the same forms.
        on_result: a predicate of the returned value; true means that the attempt is repeated. When attempts
            are used up the last value stands.
        delay_for: a function of the error, or of the value that `on_result` refused: the wait, in seconds or
            a timedelta, in place of both the backoff and what the error asks for. It is not capped. None, or
            less than 0, leaves the wait to them.
        honour_retry_after: whether a wait that the error carries (`retry_after`, or a Retry-After header)
            replaces the drawn one when it is the longer of the two. It is not capped: the server knows
            best.
        within: seconds or a timedelta from the beginning of the call in which attempts may begin. A wait that
            does not end before is not started; the call ends at once, with what it has. It cuts no attempt
            that runs.
        budget: what bounds the retries of all calls together: a `Budget` or a `TokenBudget`.
        on_retry: a plain function that is called with a `Judged` before the wait for another attempt. An
            error in a hook is reported, and changes nothing.
        on_success: the same, after a success that took more than one attempt.
        on_give_up: the same, after a failure that no attempt follows; `reason` says why.

    Raises:
        InvalidPolicy: when a setting is out of range, or contradicts another one.
    """

    max_attempts: int | None
    delay: Backoff | Seconds | Sequence[Seconds] | Callable[[int], Seconds] = 0.0
    _: KW_ONLY
    jitter: Jitter = "none"
    on: Errors = Exception
    never: Errors = ()
    on_result: Callable[[Any], bool] | None = None
    delay_for: Callable[[Any], Seconds | None] | None = None
    honour_retry_after: bool = True
    within: Seconds | None = None
    budget: Budget | TokenBudget | None = None
    on_retry: Hook | None = None
    on_success: Hook | None = None
    on_give_up: Hook | None = None

    def __post_init__(self) -> None:
        _check_attempts(self.max_attempts, self.within)
        backoff = delays(self.delay)
        object.__setattr__(self, "delay", backoff)
        checked_jitter(self.jitter, backoff)
        checked(self.on, "on")
        checked(self.never, "never")
        checked_function(self.on_result, "on_result", what="a predicate of the value")
        checked_function(self.delay_for, "delay_for", what="a function of the error that returns seconds")
        for hook in ("on_retry", "on_success", "on_give_up"):
            checked_function(getattr(self, hook), hook, what="a function of what was judged")
        if self.within is not None:
            hint = "use a number of seconds, or None for no end"
            length = seconds(self.within, "within", zero=False, hint=hint)
            object.__setattr__(self, "within", length)
            self._check_first_wait(backoff, length)
        checked_budget(self.budget)

    def __str__(self) -> str:
        count = "any number of" if self.max_attempts is None else f"{self.max_attempts}"
        jitter = "" if self.jitter == "none" else f" with {self.jitter} jitter"
        within = "" if self.within is None else f", within {spoken(seconds(self.within, 'within'))}"
        return f"{count} attempts, {self.delay!r}{jitter}{within}"

    def _check_first_wait(self, backoff: Backoff, within: float) -> None:
        """Refuse a time into which not even the shortest first wait fits."""
        if self.max_attempts == 1 or self.delay_for is not None:
            return
        least = foreseen(self.jitter, backoff)
        if least >= within:
            raise InvalidPolicy(
                f"within={self.within!r} has no room for the first wait, which is {spoken(least)} at least; "
                "use a longer time, or shorter waits"
            )

    def remembers(self) -> bool:
        """Return whether a call has to remember something between its attempts; see `Course`."""
        return self.within is not None or self.budget is not None or self.jitter == "decorrelated"

    def has_hooks(self) -> bool:
        """Return whether somebody wants to hear what is decided."""
        return any(hook is not None for hook in (self.on_retry, self.on_success, self.on_give_up))

    def looks_at_values(self) -> bool:
        """Return whether an attempt that returned a value has to be judged, too."""
        return any(each is not None for each in (self.on_result, self.budget, self.on_success))


def decide(
    retry: Retry | None,
    outcome: Outcome,
    attempt: int,
    random: Random,
    wall: float,
    *,
    previous: float = 0.0,
    left: float | None = None,
    spender: Spender | None = None,
    now: float = 0.0,
) -> Decision:
    """Return whether the attempt is followed by another one.

    Args:
        retry: the policy; None allows no attempt but those that a RETRY or LOOP signal asks for.
        outcome: what the attempt came to.
        attempt: its number, from 1.
        random: where the jitter is drawn.
        wall: the time now, UTC epoch seconds, for waits that are given as a date.
        previous: the wait before this attempt, in seconds.
        left: seconds in which another attempt may begin; None for no end.
        spender: what the call has to do with the policy's budget; None leaves the budget unasked.
        now: the world's monotonic time, for the budget.
    """
    if isinstance(outcome, Signalled) and not outcome.signal.fails:
        return _obeyed(outcome.signal, attempt, wall, left)
    if isinstance(outcome, Returned) and not (retry and retry.on_result and retry.on_result(outcome.value)):
        return ENOUGH
    if retry is None:
        return Enough("there is no retry policy")
    cause, refusal = _meant(retry, outcome)
    if refusal is not None:
        return Enough(refusal, {"attempt": attempt, "max_attempts": retry.max_attempts})
    if spender is not None:
        spender.failed(now)
    if retry.max_attempts is not None and attempt >= retry.max_attempts:
        end = f"attempt {attempt} of {retry.max_attempts} was the last"
        return Enough(end, {"attempt": attempt, "max_attempts": retry.max_attempts})
    wait = _wait(retry, outcome, attempt, random, wall, previous)
    detail = wait.detail(attempt, retry.max_attempts, left)
    refusal = wait.misfit(left)
    if refusal is None and spender is not None:
        refusal = _paid(spender, now, detail)
    if refusal is not None:
        return Enough(f"{cause}, but {refusal}", detail)
    return _again(cause, attempt, retry.max_attempts, wait, detail)


def wait_for_admission(refused: Refused, attempt: int, *, left: float | None = None) -> Decision:
    """Return the wait until the policy that refused the attempt may admit it; the end when it never will.

    Args:
        refused: the outcome of the attempt.
        attempt: its number, from 1.
        left: seconds in which another attempt may begin; None for no end.
    """
    after = refused.error.retry_after
    if after is None:
        return Enough(f"{refused.error}; no wait helps")
    wait = Wait(after, wish=after)
    detail, misfit = wait.detail(attempt, None, left), wait.misfit(left)
    if misfit is not None:
        return Enough(f"{refused.error}; {misfit}", detail)
    return Again(after, f"{refused.error}, which attempt {attempt + 1} does", detail)


def _meant(retry: Retry, outcome: Outcome) -> tuple[str, str | None]:
    """Return why the policy means an outcome, and why it does not: None when it does."""
    if isinstance(outcome, Returned):
        return "the value satisfies `on_result`", None
    error = failure_of(outcome)
    return f"{type(error).__name__} {_relation(retry.on)} `on`", _why_not(retry, error)


def _why_not(retry: Retry, error: BaseException) -> str | None:
    """Return why the policy does not mean such a failure, None when it does."""
    name = type(error).__name__
    if not is_failure(error):
        return f"{name} is not an Exception, and nothing else is retried"
    if excluded(error, retry.never):
        return f"{name} {_relation(retry.never)} `never`"
    if counts(error, retry.on):
        return None
    if isinstance(error, Rejected):
        return f"{name} is a rejection, which is retried only when `on` names it"
    if isinstance(error, InvalidPolicy):
        return f"{name} is a mistake in the program, which no other attempt mends"
    return f"{name} {_relation(retry.on, negated=True)} `on`"


def _paid(spender: Spender, now: float, detail: dict[str, Any]) -> str | None:
    """Take a retry from the budget and leave its numbers in `detail`; return why there was none."""
    may_retry = spender.may_retry(now)
    detail["budget"] = spender.spending.numbers()
    return None if may_retry else spender.spending.refusal()


def _again(cause: str, attempt: int, max_attempts: int | None, wait: Wait, detail: dict[str, Any]) -> Again:
    of = "" if max_attempts is None else f" of {max_attempts}"
    follows = f"{cause}; attempt {attempt + 1}{of} follows {wait.when()}"
    because = wait.because()
    return Again(wait.delay, f"{follows}: {because}" if because else follows, detail)


def _wait(retry: Retry, outcome: Outcome, attempt: int, random: Random, wall: float, previous: float) -> Wait:
    """Return the wait that backoff, chance, the error and `delay_for` make of each other."""
    said = wait_said(retry.delay_for, outcome)
    if said is not None:
        return said
    wish = None
    if retry.honour_retry_after and not isinstance(outcome, Returned):
        wish = wish_of(failure_of(outcome), wall)
    return wait_drawn(retry.jitter, delays(retry.delay), attempt, previous, random, wish)


def _obeyed(signal: Signal, attempt: int, wall: float, left: float | None) -> Decision:
    """Return what a signal that is no failure asks for: RETRY and LOOP another attempt, others the end."""
    if isinstance(signal, LOOP):
        said = f": {signal.message}" if signal.message else ""
        return Again(0.0, f"LOOP was raised{said}; the next iteration follows at once", None, afresh=True)
    if not isinstance(signal, RETRY):
        return Enough(f"{type(signal).__name__} was raised")
    wait = Wait(min(LONGEST, signal.wait(wall)))
    detail, misfit = wait.detail(attempt, None, left), wait.misfit(left)
    if misfit is not None:
        return Enough(f"RETRY was raised, but {misfit}", detail)
    return Again(wait.delay, f"RETRY was raised; attempt {attempt + 1} follows {wait.when()}", detail)


def _check_attempts(max_attempts: object, within: object) -> None:
    if max_attempts is None:
        if within is None:
            raise InvalidPolicy("max_attempts=None never ends; give within= as well, or a number of attempts")
        return
    checked_whole(max_attempts, "max_attempts", 1, "use 1 for no retries")


def _relation(errors: Errors, *, negated: bool = False) -> str:
    """Return the words that join an error with the types or the predicate that it was held against."""
    if isinstance(errors, tuple | type):
        return "is not in" if negated else "is in"
    return "does not satisfy" if negated else "satisfies"
