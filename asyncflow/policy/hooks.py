"""Hooks: functions of the user's that hear what was decided, and can neither change it nor do harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from asyncflow.outcomes import ENOUGH, Again, Decision, Outcome, Signalled, error_of
from asyncflow.signals import SUCCESS, Signal


@dataclass(frozen=True, slots=True)
class Judged:
    """What a hook is told: one attempt, what it came to, and what was decided.

    Attributes:
        attempt: the number of the attempt, from 1.
        outcome: what it came to.
        decision: what follows, with the numbers behind it in `decision.detail`.
    """

    attempt: int
    outcome: Outcome
    decision: Decision

    @property
    def error(self) -> BaseException | None:
        """The exception that the attempt ended with; None when it returned a value."""
        return error_of(self.outcome)

    @property
    def delay(self) -> float:
        """The seconds until the next attempt; 0 when there is none."""
        return self.decision.delay if isinstance(self.decision, Again) else 0.0

    @property
    def reason(self) -> str:
        """Why it was decided so, in one sentence; empty after a plain success."""
        return self.decision.reason

    def is_success(self) -> bool:
        """Whether the call ends with a value that was accepted, or with the signal SUCCESS."""
        if isinstance(self.outcome, Signalled):
            return isinstance(self.outcome.signal, SUCCESS)
        return self.decision is ENOUGH

    def is_given_up(self) -> bool:
        """Whether the call ends with a failure."""
        if isinstance(self.decision, Again) or self.decision is ENOUGH:
            return False
        return not isinstance(self.outcome, Signalled) or self.outcome.signal.fails

    def is_retried(self) -> bool:
        """Whether another attempt follows; the next iteration of a LOOP is none."""
        return isinstance(self.decision, Again) and not self.decision.afresh


Hook = Callable[[Judged], object]
"""A plain function; what it returns is dropped."""


def called(hook: Hook, judged: Judged) -> BaseException | None:
    """Call a hook, and return what it raised: an error or a signal, which has no say here."""
    try:
        hook(judged)
    except (Exception, Signal) as problem:  # noqa: BLE001 - user code, whatever it raises
        return problem
    return None
