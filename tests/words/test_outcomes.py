from __future__ import annotations

import dataclasses

import pytest

from asyncflow.errors import AttemptTimedOut, BreakerOpen
from asyncflow.outcomes import (
    ENOUGH,
    Enough,
    Outcome,
    Raised,
    Refused,
    Returned,
    Signalled,
    TimedOut,
    error_of,
)
from asyncflow.signals import FAIL

BROKEN, LATE, OPEN, FAILED = ValueError(), AttemptTimedOut(), BreakerOpen("open"), FAIL()


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Returned(3), None),
        (Raised(BROKEN), BROKEN),
        (TimedOut(LATE), LATE),
        (Refused(OPEN), OPEN),
        (Signalled(FAILED), FAILED),
    ],
)
def test_an_outcome_says_which_exception_it_stands_for(outcome: Outcome, error: BaseException | None) -> None:
    assert error_of(outcome) is error


def test_outcomes_and_decisions_are_values() -> None:
    assert Returned(3) == Returned(3)
    assert Enough() == ENOUGH
    with pytest.raises(dataclasses.FrozenInstanceError):
        ENOUGH.reason = "x"  # type: ignore[misc]  # the point of the test
