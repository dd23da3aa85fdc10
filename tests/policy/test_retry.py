from __future__ import annotations

import asyncio
import dataclasses
import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.errors import AttemptTimedOut, BreakerOpen, InvalidPolicy
from asyncflow.outcomes import (
    ENOUGH,
    Again,
    Enough,
    Raised,
    Refused,
    Returned,
    Signalled,
    TimedOut,
)
from asyncflow.policy.backoff import LONGEST, constant, exponential
from asyncflow.policy.retry import Retry, decide, wait_for_admission
from asyncflow.signals import (
    ENDRUN,
    FAIL,
    RETRY,
    SKIP,
    SUCCESS,
    TRIGGERFAIL,
    VALIDATIONFAIL,
)
from asyncflow.states import Success

WALL = 1_700_000_000.0

TIMED_OUT = TimedOut(AttemptTimedOut("late"))
REFUSED = Refused(BreakerOpen("breaker 'b' is open; ask again in 9 s", retry_after=9.0))
RESET = Raised(ConnectionResetError("reset"))


def judged(retry, outcome, attempt=1, seed=7):
    return decide(retry, outcome, attempt, Random(seed), WALL)


def is_reset(error):
    return isinstance(error, ConnectionResetError)


@pytest.mark.parametrize(
    ("retry", "outcome", "attempt", "repeated"),
    [
        # Attempts are counted with the first one.
        (Retry(3), RESET, 1, True),
        (Retry(3), RESET, 2, True),
        (Retry(3), RESET, 3, False),
        (Retry(3), RESET, 9, False),
        (Retry(1), RESET, 1, False),
        (None, RESET, 1, False),
        # `on` and `never`.
        (Retry(3, on=ConnectionError), RESET, 1, True),
        (Retry(3, on=(KeyError, ConnectionError)), RESET, 1, True),
        (Retry(3, on=KeyError), RESET, 1, False),
        (Retry(3, on=is_reset), RESET, 1, True),
        (Retry(3, on=is_reset), Raised(KeyError("x")), 1, False),
        (Retry(3, never=ConnectionResetError), RESET, 1, False),
        (Retry(3, never=ConnectionRefusedError), RESET, 1, True),
        (Retry(3, on=ConnectionError, never=is_reset), RESET, 1, False),
        # Our own timeout is a failure like any other, which `on` decides about.
        (Retry(3), TIMED_OUT, 1, True),
        (Retry(3, on=TimeoutError), TIMED_OUT, 1, True),
        (Retry(3, on=ConnectionError), TIMED_OUT, 1, False),
        (Retry(3, never=AttemptTimedOut), TIMED_OUT, 1, False),
        # A rejection is neutral, also when the body met it in a guard of its own.
        (Retry(3), REFUSED, 1, False),
        (Retry(3, on=lambda error: True), REFUSED, 1, False),
        (Retry(3, on=BreakerOpen), REFUSED, 1, True),
        (Retry(3), Raised(REFUSED.error), 1, False),
        (Retry(3, on=(ConnectionError, BreakerOpen)), Raised(REFUSED.error), 1, True),
        # Signals that fail are failures; the others are the body's last word.
        (Retry(3), Signalled(FAIL("x")), 1, True),
        (Retry(3), Signalled(FAIL("x")), 3, False),
        (Retry(3), Signalled(TRIGGERFAIL("x")), 1, True),
        (Retry(3), Signalled(VALIDATIONFAIL("x")), 1, True),
        (Retry(3, on=ConnectionError), Signalled(FAIL("x")), 1, False),
        (Retry(3, on=(ConnectionError, FAIL)), Signalled(FAIL("x")), 1, True),
        (Retry(3, never=FAIL), Signalled(FAIL("x")), 1, False),
        (None, Signalled(FAIL("x")), 1, False),
        (Retry(3), Signalled(SKIP("x")), 1, False),
        (Retry(3), Signalled(SUCCESS("x")), 1, False),
        (Retry(3), Signalled(ENDRUN(Success())), 1, False),
        # RETRY asks for itself, however many attempts there are.
        (None, Signalled(RETRY()), 1, True),
        (Retry(1), Signalled(RETRY()), 1, True),
        (Retry(3, never=Exception), Signalled(RETRY()), 50, True),
        # What is no Exception is never repeated, whatever a predicate says.
        (Retry(3, on=lambda error: True), Raised(KeyboardInterrupt()), 1, False),
        (Retry(3, on=lambda error: True), Raised(asyncio.CancelledError()), 1, False),
        (Retry(3), Raised(BaseExceptionGroup("x", [FAIL(), ValueError()])), 1, False),
        # Values.
        (None, Returned(5), 1, False),
        (Retry(3), Returned(5), 1, False),
        (Retry(3, on_result=lambda value: value is None), Returned(5), 1, False),
        (Retry(3, on_result=lambda value: value is None), Returned(None), 1, True),
        (Retry(3, on_result=lambda value: value is None), Returned(None), 3, False),
    ],
)
def test_an_outcome_is_repeated_or_is_the_last(retry, outcome, attempt, repeated):
    decision = judged(retry, outcome, attempt)
    assert isinstance(decision, Again if repeated else Enough)


@pytest.mark.parametrize(
    ("retry", "outcome", "attempt", "reason"),
    [
        (Retry(3), RESET, 3, "attempt 3 of 3 was the last"),
        (Retry(3, on=KeyError), RESET, 1, "ConnectionResetError is not in `on`"),
        (Retry(3, on=lambda error: False), RESET, 1, "ConnectionResetError does not satisfy `on`"),
        (Retry(3, never=OSError), RESET, 1, "ConnectionResetError is in `never`"),
        (Retry(3, never=is_reset), RESET, 1, "ConnectionResetError satisfies `never`"),
        (None, RESET, 1, "there is no retry policy"),
        (Retry(3), REFUSED, 1, "BreakerOpen is a rejection, which is retried only when `on` names it"),
        (Retry(3), Signalled(SKIP()), 1, "SKIP was raised"),
        (Retry(3, on=KeyError), Signalled(FAIL()), 1, "FAIL is not in `on`"),
        (
            Retry(3),
            Raised(GeneratorExit()),
            1,
            "GeneratorExit is not an Exception, and nothing else is retried",
        ),
        (Retry(3), Returned(1), 1, ""),
        (Retry(2, on_result=bool), Returned(1), 2, "attempt 2 of 2 was the last"),
        (Retry(4), RESET, 1, "ConnectionResetError is in `on`; attempt 2 of 4 follows at once"),
        (
            Retry(4, 0.4),
            RESET,
            2,
            "ConnectionResetError is in `on`; attempt 3 of 4 follows in 400 ms: the backoff asks for 400 ms",
        ),
        (
            Retry(4, exponential(0.2, cap=5), jitter="full", on=is_reset),
            RESET,
            2,
            "ConnectionResetError satisfies `on`; attempt 3 of 4 follows in 130 ms: "
            "the backoff allows up to 400 ms and full jitter drew 130 ms",
        ),
        (
            Retry(2, on_result=bool),
            Returned(1),
            1,
            "the value satisfies `on_result`; attempt 2 of 2 follows at once",
        ),
        (None, Signalled(RETRY(delay=2.5)), 1, "RETRY was raised; attempt 2 follows in 2.5 s"),
        (None, Signalled(RETRY()), 7, "RETRY was raised; attempt 8 follows at once"),
    ],
)
def test_every_decision_says_why(retry, outcome, attempt, reason):
    assert judged(retry, outcome, attempt).reason == reason


def test_a_plain_success_costs_no_new_decision():
    assert judged(Retry(3), Returned(1)) is ENOUGH
    assert judged(None, Returned(1)) is ENOUGH


def test_the_numbers_are_ready_for_json():
    decision = judged(Retry(4, exponential(0.2, cap=5.0), jitter="full", on=ConnectionError), RESET, 2)
    assert json.loads(json.dumps(decision.detail)) == {
        "attempt": 2,
        "max_attempts": 4,
        "bound": 0.4,
        "delay": decision.delay,
        "jitter": "full",
        "least": 0.0,
        "draw": decision.delay,
        "retry_after": None,
    }
    assert decision.delay == pytest.approx(0.4 * Random(7).random())
    assert judged(Retry(3), RESET, 3).detail == {"attempt": 3, "max_attempts": 3}


def test_a_retry_signal_brings_its_own_delay():
    assert judged(Retry(2, 9.0), Signalled(RETRY(delay=3.0))).delay == 3.0
    assert judged(None, Signalled(RETRY(at=WALL + 20))).delay == 20.0
    assert judged(None, Signalled(RETRY(at=WALL - 20))).delay == 0.0
    assert judged(None, Signalled(RETRY(at=WALL + 10 * LONGEST))).delay == LONGEST


def asking(seconds):
    error = ConnectionError("overloaded")
    error.retry_after = seconds
    return Raised(error)


@pytest.mark.parametrize(
    ("retry", "wish", "delay"),
    [
        (Retry(3, 2.0), 7.0, 7.0),  # the server asks for more than the backoff
        (Retry(3, 2.0), 1.0, 2.0),  # or for less: the backoff stands
        (Retry(3, exponential(2.0, cap=3.0)), 60.0, 60.0),  # the cap is the backoff's, not the server's
        (Retry(3, 2.0), 1e12, LONGEST),
        (Retry(3, 2.0, honour_retry_after=False), 7.0, 2.0),
    ],
)
def test_the_longer_of_backoff_and_the_servers_wish_is_waited(retry, wish, delay):
    decision = judged(retry, asking(wish))
    assert decision.delay == delay
    assert decision.detail["retry_after"] == (wish if retry.honour_retry_after else None)


def test_the_reason_names_the_servers_wish_when_it_decided():
    reason = judged(Retry(3, 2.0), asking(7.0)).reason
    assert reason.endswith("follows in 7 s: the error asks for 7 s and the backoff for 2 s")
    assert judged(Retry(3, 2.0), asking(1.0)).reason.endswith("the backoff asks for 2 s")


def test_an_open_breaker_that_is_named_is_retried_when_it_may_admit():
    assert judged(Retry(3, on=BreakerOpen), REFUSED).delay == 9.0


def test_waiting_for_admission_takes_as_long_as_the_breaker_says():
    decision = wait_for_admission(REFUSED, 4)
    assert decision.delay == 9.0
    assert decision.reason == "breaker 'b' is open; ask again in 9 s, which attempt 5 does"
    assert json.loads(json.dumps(decision.detail))["retry_after"] == 9.0


def test_a_breaker_that_never_admits_is_not_waited_for():
    decision = wait_for_admission(Refused(BreakerOpen("open for good")), 1)
    assert decision == Enough("open for good; no wait helps")


@given(
    max_attempts=st.integers(1, 5),
    base=st.floats(0, 100),
    jitter=st.sampled_from(["none", "full", "equal"]),
    attempt=st.integers(1, 2000),
    seed=st.integers(0, 1000),
)
def test_a_wait_is_never_longer_than_its_bound_and_attempts_never_exceed_the_maximum(
    max_attempts, base, jitter, attempt, seed
):
    retry = Retry(max_attempts, exponential(base, cap=10.0), jitter=jitter)
    decision = judged(retry, RESET, attempt, seed)
    assert isinstance(decision, Again) is (attempt < max_attempts)
    if isinstance(decision, Again):
        assert 0 <= decision.delay <= decision.detail["bound"] <= 10.0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Retry(0), "max_attempts=0 must be 1 or more; use 1 for no retries"),
        (lambda: Retry(-3), "max_attempts=-3"),
        (lambda: Retry(True), "max_attempts=True must be a whole number"),
        (lambda: Retry(2.0), "max_attempts=2.0 must be a whole number"),
        (lambda: Retry(3, -1), "delay=-1"),
        (lambda: Retry(3, jitter="some"), "jitter='some'"),
        (lambda: Retry(3, on=BaseException), "on: BaseException"),
        (lambda: Retry(3, never=[KeyError]), "never=[<class 'KeyError'>]"),
        (lambda: Retry(3, on_result=5), "on_result=5"),
    ],
)
def test_a_wrong_setting_is_refused_when_it_is_declared(build, message):
    with pytest.raises(InvalidPolicy) as refused:
        build()
    assert message in str(refused.value)


def test_a_retry_is_a_value():
    retry = Retry(3, 1.0)
    assert retry == Retry(3, constant(1))
    assert hash(retry) == hash(Retry(3, constant(1)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        retry.max_attempts = 4
    assert repr(retry).startswith("Retry(max_attempts=3, delay=constant(1), jitter='none'")
