from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.ambient import World
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
from asyncflow.policy.backoff import LONGEST, constant, exponential, linear
from asyncflow.policy.budget import Budget, TokenBudget
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


def judged(retry, outcome, attempt=1, seed=7, **told):
    return decide(retry, outcome, attempt, Random(seed), WALL, **told)


async def asleep(anything):
    """Look like a hook, and be none."""


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


def budget_of(spec, calls=1):
    """Return what the last of so many calls in flight has to do with a budget."""
    spending = spec.spending(World(seed=7))
    return [spending.began() for _ in range(calls)][-1]


@pytest.mark.parametrize(
    ("retry", "outcome", "told", "delay", "reason"),
    [
        # Decorrelated jitter goes by the wait before.
        (
            Retry(4, exponential(0.2, cap=5.0), jitter="decorrelated"),
            RESET,
            {},
            0.33,
            "ConnectionResetError is in `on`; attempt 3 of 4 follows in 330 ms: the backoff allows 200 ms to "
            "600 ms and decorrelated jitter drew 330 ms",
        ),
        (
            Retry(4, exponential(0.2, cap=5.0), jitter="decorrelated"),
            RESET,
            {"previous": 1.0},
            1.107,
            "ConnectionResetError is in `on`; attempt 3 of 4 follows in 1.11 s: the backoff allows 200 ms to "
            "3 s and decorrelated jitter drew 1.11 s",
        ),
        (
            Retry(4, 0.4, jitter="equal"),
            RESET,
            {},
            0.265,
            "ConnectionResetError is in `on`; attempt 3 of 4 follows in 265 ms: the backoff allows 200 ms to "
            "400 ms and equal jitter drew 265 ms",
        ),
        # No wait is started that does not end in time.
        (
            Retry(4, 0.4),
            RESET,
            {"left": 0.5},
            0.4,
            "ConnectionResetError is in `on`; attempt 3 of 4 follows in 400 ms: the backoff asks for 400 ms",
        ),
        (
            Retry(4, 0.4),
            RESET,
            {"left": 0.4},
            None,
            "ConnectionResetError is in `on`, but a wait of 400 ms does not fit into the 400 ms that "
            "are left",
        ),
        (
            Retry(4, 0.4, on=is_reset),
            RESET,
            {"left": 0.12},
            None,
            "ConnectionResetError satisfies `on`, but a wait of 400 ms does not fit into the 120 ms "
            "that are left",
        ),
        (
            Retry(4),
            RESET,
            {"left": 0.001},
            0.0,
            "ConnectionResetError is in `on`; attempt 3 of 4 follows at once",
        ),
        (
            Retry(4),
            RESET,
            {"left": 0.0},
            None,
            "ConnectionResetError is in `on`, but no time is left for another attempt",
        ),
        (
            Retry(4, on_result=bool),
            Returned(1),
            {"left": -3.0},
            None,
            "the value satisfies `on_result`, but no time is left for another attempt",
        ),
        (Retry(2), RESET, {"left": 0.0}, None, "attempt 2 of 2 was the last"),
        (None, Signalled(RETRY(delay=2)), {"left": 2.5}, 2.0, "RETRY was raised; attempt 3 follows in 2 s"),
        (
            None,
            Signalled(RETRY(delay=2)),
            {"left": 1.5},
            None,
            "RETRY was raised, but a wait of 2 s does not fit into the 1.5 s that are left",
        ),
        # As many attempts as fit.
        (Retry(None, within=9), RESET, {}, 0.0, "ConnectionResetError is in `on`; attempt 3 follows at once"),
        # A function of the error says the wait, and may leave it to the others.
        (
            Retry(4, 9.0, delay_for=lambda error: 0.5 if is_reset(error) else None),
            RESET,
            {},
            0.5,
            "ConnectionResetError is in `on`; attempt 3 of 4 follows in 500 ms: `delay_for` says so",
        ),
        # The budget has the last word, and only about what would be retried.
        (
            Retry(4, budget=Budget("api", share=0.1)),
            RESET,
            {"spender": (Budget("api", share=0.1), 9)},
            0.0,
            "ConnectionResetError is in `on`; attempt 3 of 4 follows at once",
        ),
        (
            Retry(4, budget=Budget("api", share=0.1, floor=0)),
            RESET,
            {"spender": (Budget("api", share=0.1, floor=0), 9)},
            None,
            "ConnectionResetError is in `on`, but budget 'api' allows no more: 0 of 9 calls in flight are "
            "retried, and at most 10 % may be",
        ),
        (
            Retry(2, budget=Budget("api", share=0.1, floor=0)),
            RESET,
            {"spender": (Budget("api", share=0.1, floor=0), 9)},
            None,
            "attempt 2 of 2 was the last",
        ),
    ],
)
def test_the_wait_the_time_and_the_budget_are_told_with_their_numbers(retry, outcome, told, delay, reason):
    if "spender" in told:
        told = {**told, "spender": budget_of(*told["spender"])}
    decision = judged(retry, outcome, 2, **told)
    assert decision.reason == reason
    assert (decision.delay if isinstance(decision, Again) else None) == pytest.approx(delay, abs=1e-3)
    assert decision.detail is None or json.loads(json.dumps(decision.detail)) == decision.detail


def test_the_numbers_of_time_chance_and_budget_are_in_the_detail():
    budget = TokenBudget("api", capacity=5)
    retry = Retry(4, exponential(1, cap=9), jitter="decorrelated", budget=budget)
    spender = budget_of(budget)
    detail = judged(retry, RESET, 2, previous=2.0, left=60.0, spender=spender, now=3.0).detail
    draw = 1 + 5 * Random(7).random()
    assert detail == {
        "attempt": 2,
        "max_attempts": 4,
        "delay": draw,
        "bound": 6.0,
        "least": 1.0,
        "draw": draw,
        "jitter": "decorrelated",
        "previous": 2.0,
        "retry_after": None,
        "left": 60.0,
        "budget": {"name": "api", "tokens": 4.0, "capacity": 5},
    }


def test_what_is_not_retried_costs_the_budget_nothing():
    """Not by its kind, not by its number, and not by its wait: the budget is asked last."""
    spender = budget_of(budget := TokenBudget("api", capacity=5))
    judged(Retry(4, on=KeyError, budget=budget), RESET, spender=spender)
    judged(Retry(2, budget=budget), RESET, 2, spender=spender)
    judged(Retry(4, 9.0, budget=budget), RESET, left=5.0, spender=spender)
    assert spender.spending.tokens == 5
    assert isinstance(judged(Retry(4, budget=budget), RESET, spender=spender), Again)
    assert spender.spending.tokens == 4


@pytest.mark.parametrize(
    ("said", "delay"),
    [
        (30, 30.0),  # not capped, and not jittered
        (timedelta(minutes=2), 120.0),
        (0, 0.0),
        (1e12, LONGEST),
        (float("inf"), LONGEST),
        (None, 1.1),  # the built-in delay
        (-1, 1.1),
        (timedelta(seconds=-1), 1.1),
    ],
)
def test_row_22_what_a_function_says_is_not_capped_and_none_or_less_than_zero_leaves_it_to_the_backoff(
    said, delay
):
    retry = Retry(5, exponential(1.0, cap=1.1), delay_for=lambda error: said)
    assert judged(retry, RESET, 3).delay == delay


def test_a_delay_for_an_error_stands_in_for_what_the_error_asks_for():
    assert judged(Retry(3, delay_for=lambda error: 1.0), asking(60.0)).delay == 1.0
    assert judged(Retry(3, delay_for=lambda error: None), asking(60.0)).delay == 60.0


def test_a_delay_for_a_refused_value_is_told_the_value():
    retry = Retry(3, on_result=lambda value: value < 5, delay_for=lambda value: value * 10)
    assert judged(retry, Returned(4)).delay == 40


@pytest.mark.parametrize("said", ["soon", True, float("nan")])
def test_a_delay_for_an_error_that_is_no_length_of_time_is_an_error_of_the_function(said):
    with pytest.raises(InvalidPolicy, match=r"delay_for\(\.\.\.\)=.*let it return seconds"):
        judged(Retry(3, delay_for=lambda error: said), RESET)


def test_trap_15_a_timeout_is_not_repeated_where_the_work_may_have_been_done():
    retry = Retry(4, on=(ConnectionRefusedError, TimeoutError), never=AttemptTimedOut)
    assert isinstance(judged(retry, Raised(ConnectionRefusedError())), Again)
    assert judged(retry, TIMED_OUT) == Enough(
        "AttemptTimedOut is in `never`", {"attempt": 1, "max_attempts": 4}
    )


@pytest.mark.parametrize("jitter", ["none", "full", "equal", "decorrelated"])
@given(
    steps=st.lists(st.tuples(st.floats(0, 5), st.sampled_from([None, 0.2, 3.0])), max_size=12),
    base=st.floats(0, 0.9),
    seed=st.integers(0, 99),
)
def test_trap_06_no_wait_ends_after_the_time_is_over(jitter, steps, base, seed):
    """Whatever attempts take and errors ask for, the last attempt begins while there is time left."""
    retry, now, previous = Retry(None, exponential(base, cap=4.0), jitter=jitter, within=10.0), 0.0, 0.0
    for attempt, (takes, wish) in enumerate(steps, start=1):
        now += takes
        outcome = RESET if wish is None else asking(wish)
        decision = judged(retry, outcome, attempt, seed, previous=previous, left=10.0 - now)
        if isinstance(decision, Enough):
            assert decision.detail["delay"] >= 10.0 - now
            break
        previous = decision.delay
        now += decision.delay
        assert now < 10.0 + 1e-9


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
        (lambda: Retry(0), "max_attempts=0 must be a whole number, 1 or more; use 1 for no retries"),
        (lambda: Retry(-3), "max_attempts=-3"),
        (lambda: Retry(True), "max_attempts=True must be a whole number"),
        (lambda: Retry(2.0), "max_attempts=2.0 must be a whole number"),
        (lambda: Retry(3, -1), "delay=-1"),
        (lambda: Retry(3, jitter="some"), "jitter='some'"),
        (lambda: Retry(3, on=BaseException), "on: BaseException"),
        (lambda: Retry(3, never=[KeyError]), "never=[<class 'KeyError'>]"),
        (lambda: Retry(3, on_result=5), "on_result=5 must be a predicate of the value, or None"),
        (lambda: Retry(None), "max_attempts=None never ends; give within= as well"),
        (lambda: Retry(3, within=0), "within=0 must be more than 0"),
        (lambda: Retry(3, within="1h"), "within='1h' is not a length of time"),
        (
            lambda: Retry(3, 5.0, within=5.0),
            "within=5.0 has no room for the first wait, which is 5 s at least",
        ),
        (lambda: Retry(3, linear(9), jitter="equal", within=4), "which is 4.5 s at least; use a longer time"),
        (lambda: Retry(3, [7, 1], within=2), "which is 7 s at least"),
        (lambda: Retry(3, budget=0.2), "budget=0.2 must be a Budget; write Budget('payments')"),
        (lambda: Retry(3, delay_for=5), "delay_for=5 must be a function of the error"),
        (lambda: Retry(3, delay_for=asleep), "is a coroutine function, for which nobody waits; write `def`"),
        (lambda: Retry(3, on_result=asleep), "is a coroutine function, for which nobody waits"),
        (lambda: Retry(3, on_retry=asleep), "on_retry=<function asleep"),
        (lambda: Retry(3, on_success="x"), "on_success='x' must be a function of what was judged, or None"),
        (lambda: Retry(3, on_give_up=3), "on_give_up=3"),
        (lambda: Retry(3, 1.0, jitter="decorrelated"), "use delay=exponential(0.2, cap=5.0)"),
    ],
)
def test_a_wrong_setting_is_refused_when_it_is_declared(build, message):
    with pytest.raises(InvalidPolicy) as refused:
        build()
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Retry(1, 9.0, within=5),  # without a second attempt there is no wait
        lambda: Retry(3, 9.0, jitter="full", within=5),  # chance may draw a wait that fits
        lambda: Retry(3, 9.0, delay_for=lambda error: 0, within=5),
        lambda: Retry(3, lambda attempt: 1 / 0, within=5),  # a function is asked when its time comes
        lambda: Retry(None, within=timedelta(minutes=1)),
    ],
)
def test_settings_that_may_work_are_not_refused(build):
    build()


def test_waiting_for_admission_has_to_end_in_time_too():
    assert wait_for_admission(REFUSED, 4, left=9.5).delay == 9.0
    decision = wait_for_admission(REFUSED, 4, left=9.0)
    assert decision.reason == (
        "breaker 'b' is open; ask again in 9 s; a wait of 9 s does not fit into the 9 s that are left"
    )
    assert decision.detail["left"] == 9.0


@pytest.mark.parametrize(
    ("retry", "remembers", "hooks", "values"),
    [
        (Retry(3, 1.0, jitter="full"), False, False, False),
        (Retry(3, on_result=bool), False, False, True),
        (Retry(3, within=1), True, False, False),
        (Retry(3, budget=Budget("b")), True, False, True),
        (Retry(3, exponential(1), jitter="decorrelated"), True, False, False),
        (Retry(3, on_retry=print), False, True, False),
        (Retry(3, on_give_up=print), False, True, False),
        (Retry(3, on_success=print), False, True, True),
    ],
)
def test_the_guard_learns_what_it_has_to_do_and_what_it_may_leave(retry, remembers, hooks, values):
    assert (retry.remembers(), retry.has_hooks(), retry.looks_at_values()) == (remembers, hooks, values)


def test_a_retry_is_a_value():
    retry = Retry(3, 1.0)
    assert retry == Retry(3, constant(1))
    assert hash(retry) == hash(Retry(3, constant(1)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        retry.max_attempts = 4
    assert repr(retry).startswith("Retry(max_attempts=3, delay=constant(1), jitter='none'")


@pytest.mark.parametrize(
    ("retry", "text"),
    [
        (Retry(3), "3 attempts, constant(0)"),
        (
            Retry(4, exponential(0.2, cap=5), jitter="full"),
            "4 attempts, exponential(0.2, cap=5) with full jitter",
        ),
        (Retry(None, 0.5, within=90), "any number of attempts, constant(0.5), within 1 min 30 s"),
    ],
)
def test_a_retry_says_in_short_what_it_does(retry, text):
    assert str(retry) == text
