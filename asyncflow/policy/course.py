"""The course of one call: what it remembers between its attempts, so that policies need not.

Policies are shared by callers; the wait before, the time that is left and what was taken from a budget
belong to one call alone.
"""

from __future__ import annotations

from random import Random

from asyncflow.ambient import World
from asyncflow.outcomes import Again, Decision, Outcome, Refused
from asyncflow.policy.hooks import Judged
from asyncflow.policy.retry import Retry, decide, wait_for_admission
from asyncflow.policy.seconds import seconds


class Course:
    """What one call remembers; made when it begins, and ended whatever becomes of it.

    Args:
        retry: the policy.
        home: the world in which its budget lives.

    Attributes:
        previous: the wait before the attempt that is being made, in seconds.
    """

    __slots__ = ("_ends", "_has_succeeded", "_home", "_retry", "_spender", "previous")

    def __init__(self, retry: Retry, home: World) -> None:
        self._retry = retry
        self._home = home
        self._spender = None if retry.budget is None else retry.budget.spending(home).began()
        self._ends = self._end_from_now()
        self._has_succeeded = False
        self.previous = 0.0

    def left(self) -> float | None:
        """Return the seconds in which another attempt may begin; None for no end."""
        return None if self._ends is None else self._ends - self._home.monotonic()

    def decide(
        self, outcome: Outcome, attempt: int, random: Random, wall: float, *, left: float | None = None
    ) -> Decision:
        """Return whether the attempt is followed by another one; the same as `retry.decide`.

        Args:
            outcome: what the attempt came to.
            attempt: its number, from 1.
            random: where the jitter is drawn.
            wall: the time now, UTC epoch seconds.
            left: seconds until an end that the call was given by others; None when there is none.
        """
        left = _sooner(left, self.left())
        now = self._home.monotonic()
        decision = decide(
            self._retry,
            outcome,
            attempt,
            random,
            wall,
            previous=self.previous,
            left=left,
            spender=self._spender,
            now=now,
        )
        self._remember(Judged(attempt, outcome, decision))
        return decision

    def wait_for_admission(self, refused: Refused, attempt: int, *, left: float | None = None) -> Decision:
        """Return the wait until the policy that refused may admit; the same as `retry.wait_for_admission`."""
        return wait_for_admission(refused, attempt, left=_sooner(left, self.left()))

    def end(self) -> None:
        """Give back what the call holds of a budget; ending it again changes nothing."""
        if self._spender is not None:
            self._spender.ended(self._home.monotonic(), succeeded=self._has_succeeded)

    def _remember(self, judged: Judged) -> None:
        if judged.is_retried():
            self.previous = judged.delay
        elif isinstance(judged.decision, Again):  # a LOOP begins afresh
            self.previous, self._ends = 0.0, self._end_from_now()
            if self._spender is not None:
                self._spender.give_back()
        else:
            self._has_succeeded = judged.is_success()

    def _end_from_now(self) -> float | None:
        within = self._retry.within
        return None if within is None else self._home.monotonic() + seconds(within, "within")


def _sooner(*lengths: float | None) -> float | None:
    return min((length for length in lengths if length is not None), default=None)
