"""The end of a call's own attempts, held back: what stands around them has to see it before anybody else."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from asyncflow.errors import Rejected
from asyncflow.outcomes import (
    ENOUGH,
    Again,
    Decision,
    Enough,
    Outcome,
    Refused,
    Returned,
    error_of,
)
from asyncflow.ports import AttemptObserver, HedgeObserver

_NOTHING: Outcome = Returned(None)


class Ends:
    """Follows the attempts of a call, lets the observer follow too, and keeps the end of the last for itself.

    Args:
        observer: who follows the attempts, or None.
        made: how many attempts there were before, and how many of them no policy counts.
        is_raced: whether they are in a race: an iteration of a loop ends it, and the next is another race.

    Attributes:
        attempt: the number of the newest attempt.
        calls: how many bodies have run.
        decision: what the policies made of the last attempt.
        is_in_flight: whether an attempt is under way.
        is_told: whether the observer itself ended the call, and knows all about it.
        last: what the attempt that ended last came to.
        made: how many attempts there were, and how many of them no policy counts.
        refusal: what the last attempt was refused with, while its end is held back.
    """

    __slots__ = (
        "_before",
        "_free",
        "_is_outside",
        "_is_raced",
        "_observer",
        "attempt",
        "calls",
        "decision",
        "is_in_flight",
        "is_told",
        "last",
        "refusal",
    )

    def __init__(
        self, observer: AttemptObserver | None, made: tuple[int, int] = (0, 0), *, is_raced: bool = False
    ) -> None:
        self._observer = observer
        self._is_raced = is_raced
        self._before, self._free = made
        self.attempt = self._before
        self.calls = 0
        self.decision: Decision = ENOUGH
        self.is_in_flight = False
        self.is_told = False
        self.last = _NOTHING
        self.refusal: Rejected | None = None
        self._is_outside = False  # whether the attempt waits to be admitted, or was not after such a wait

    @property
    def attempts(self) -> int:
        """How many attempts were made here."""
        return self.attempt - self._before

    @property
    def made(self) -> tuple[int, int]:
        """How many attempts there were in all, and how many of them no policy counts."""
        return self.attempt, self._free

    def cause(self) -> BaseException | None:
        """Return what the attempt that ended last failed with, if it did."""
        return error_of(self.last)

    # ------------------------------------------------------------------ as the observer of attempts

    def attempt_started(self, attempt: int) -> Awaitable[Decision | None] | Decision | None:
        """Take note of an attempt, and let the observer do so."""
        self.attempt = attempt
        self.is_in_flight = True
        self.refusal = None
        early = None if self._observer is None else self._observer.attempt_started(attempt)
        if early is None or isinstance(early, Enough | Again):
            return self._started(early)
        return self._started_later(early)

    async def _started_later(self, early: Awaitable[Decision | None]) -> Decision | None:
        return self._started(await early)

    def _started(self, early: Decision | None) -> Decision | None:
        self.calls += early is None
        self.is_in_flight = early is None
        self.is_told = isinstance(early, Enough)
        self._is_outside = False
        return early

    def attempt_ended(
        self, attempt: int, outcome: Outcome, decision: Decision
    ) -> Awaitable[Decision] | Decision:
        """Tell the observer of an attempt that is followed by another one; keep the end of the last."""
        self.is_in_flight = False
        self.calls -= isinstance(outcome, Refused) and not self._is_outside
        self.last, self.decision = outcome, decision
        if isinstance(decision, Enough):
            self.refusal = outcome.error if isinstance(outcome, Refused) else None
            return decision
        if decision.afresh and self._is_raced:
            return ENOUGH
        told = (
            decision if self._observer is None else self._observer.attempt_ended(attempt, outcome, decision)
        )
        return self._ended(told) if isinstance(told, Enough | Again) else self._ended_later(told)

    async def tell(self, outcome: Outcome, decision: Decision) -> Decision:
        """Tell the observer of an end that was held back, and return what is to follow it."""
        if self._observer is not None:
            told = self._observer.attempt_ended(self.attempt, outcome, decision)
            decision = told if isinstance(told, Enough | Again) else await told
        return self._ended(decision)

    async def _ended_later(self, told: Awaitable[Decision]) -> Decision:
        return self._ended(await told)

    def _ended(self, told: Decision) -> Decision:
        self.is_told = isinstance(told, Enough)
        self.goes_on(told)
        return told

    @property
    def subject(self) -> object:
        """What is called."""
        return None if self._observer is None else self._observer.subject

    def note(self, kind: str, detail: dict[str, Any]) -> None:
        """Let the observer know of something that is not an attempt."""
        if kind == "admission_delayed":
            self._is_outside = True
            self.calls -= 1
        elif kind == "admission_waited" and detail["admitted"]:
            self._is_outside = False
            self.calls += 1
        if self._observer is not None:
            self._observer.note(kind, detail)

    def hedged(self, number: int) -> HedgeObserver | None:
        """Return who follows a hedge of this call; None when there is no room for one now."""
        return NOBODY if self._observer is None else self._observer.hedged(number)

    # ------------------------------------------------------------------ for those around

    def goes_on(self, told: Decision) -> None:
        """Take note of what the observer made of an attempt's end."""
        if isinstance(told, Again) and told.afresh:
            self._free = self.attempt


class Nobody:
    """Follows a hedge where nobody follows the call."""

    subject = None

    def attempt_started(self, attempt: int) -> None:
        """Let it begin."""

    def attempt_ended(self, attempt: int, outcome: Outcome, decision: Decision) -> Decision:
        """Leave the decision as it is."""
        del attempt, outcome
        return decision

    def note(self, kind: str, detail: dict[str, Any]) -> None:
        """Forget it."""

    def hedged(self, number: int) -> None:
        """Have no hedge: a hedge is not hedged."""

    def left(self) -> None:
        """Give nothing back."""


NOBODY = Nobody()
