from __future__ import annotations

import json

import pytest

from asyncflow.ambient import World, entered
from asyncflow.errors import InvalidPolicy
from asyncflow.policy.budget import Budget, TokenBudget


def in_flight(budget, calls):
    """Return the state of a budget and what so many calls in flight have to do with it."""
    spending = budget.spending(World(seed=7))
    return spending, [spending.began() for _ in range(calls)]


def granted(spenders, now=0.0):
    return sum(spender.may_retry(now) for spender in spenders)


@pytest.mark.parametrize(
    ("share", "floor", "calls", "retries"),
    [
        (0.2, 3, 1, 1),  # the floor: a quiet service is retried whatever the share says
        (0.2, 3, 10, 3),
        (0.2, 3, 15, 3),
        (0.2, 3, 19, 3),
        (0.2, 3, 20, 4),  # from here on the share is more
        (0.2, 3, 100, 20),
        (0.2, 0, 4, 0),
        (0.2, 0, 5, 1),
        (0.1, 0, 30, 3),  # 0.1 * 30 is a little more than 3,
        (0.29, 0, 100, 29),  # and 0.29 * 100 a little less than 29
        (0.0, 2, 100, 2),
        (1.0, 0, 7, 7),
        (1, 0, 7, 7),
    ],
)
def test_of_all_calls_in_flight_a_share_is_retried_and_a_few_always_are(share, floor, calls, retries):
    spending, spenders = in_flight(Budget("b", share=share, floor=floor), calls)
    assert granted(spenders) == retries
    assert (spending.extra, spending.calls) == (retries, calls)


def test_row_32_with_half_of_the_flight_and_a_floor_of_one():
    """The first retry goes by the floor; beyond half of what is in flight a retry is refused, a hedge too."""
    spending, (first, second) = in_flight(Budget("b", share=0.5, floor=1), 2)
    assert first.may_retry(0)
    assert not second.may_retry(0)
    assert not spending.take(0)  # no new hedge; nobody hears of it
    others = [spending.began() for _ in range(2)]
    assert second.may_retry(0)  # two of four
    assert not others[0].may_retry(0)


def test_a_retry_is_in_flight_until_it_is_judged_or_its_call_is_over():
    spending, (one, other) = in_flight(Budget("b", share=0.0, floor=1), 2)
    assert one.may_retry(0)
    assert not other.may_retry(0)
    one.failed(0)  # the retry is over; its call may ask for the next
    assert spending.extra == 0
    assert one.may_retry(0)
    assert not other.may_retry(0)
    one.ended(0, succeeded=False)
    assert spending.extra == 0
    assert other.may_retry(0)


def test_a_call_that_asks_again_does_not_compete_with_itself():
    spending, (one,) = in_flight(Budget("b", share=0.0, floor=1), 1)
    assert [one.may_retry(0) for _ in range(5)] == [True] * 5
    assert spending.extra == 1


@pytest.mark.parametrize("budget", [Budget("b"), TokenBudget("b")], ids=["shares", "tokens"])
def test_a_call_ends_once(budget):
    spending, (one,) = in_flight(budget, 1)
    one.may_retry(0)
    one.ended(0, succeeded=True)
    left = spending.numbers()
    one.ended(0, succeeded=True)
    assert spending.numbers() == left


def test_a_hedge_is_an_extra_attempt_as_a_retry_is():
    spending, (one, _) = in_flight(Budget("b", share=0.5, floor=0), 2)
    assert spending.take(0)
    assert not one.may_retry(0)
    spending.give_back()
    assert one.may_retry(0)


def spent(budget, story):
    """Return what each step of a story was answered: f(ail), s(ucceed), r(etry), or seconds that pass."""
    spending, now, answers = budget.spending(World(seed=7)), 0.0, []
    for step in story:
        if isinstance(step, float):
            now += step
        elif step == "r":
            answers.append(spending.take(now))
        else:
            (spending.failed if step == "f" else spending.succeeded)(now)
    return answers, spending


@pytest.mark.parametrize(
    ("budget", "story", "answers", "tokens"),
    [
        # M. Brooker: a tenth of a token for each success, a whole one for each retry.
        (TokenBudget("b", capacity=2), "rrr", [True, True, False], 0),
        (TokenBudget("b", capacity=1), "r" + 9 * "s" + "r", [True, False], 0.9),
        (TokenBudget("b", capacity=1), "r" + 10 * "s" + "r", [True, True], 0),  # ten tenths are one
        (TokenBudget("b", capacity=1), 50 * "s" + "rr", [True, False], 0),  # it never holds more than fit
        (TokenBudget("b", capacity=1, per_retry=0.25), "rrrrr", [True] * 4 + [False], 0),
        (TokenBudget("b", capacity=1), "ffffr", [True], 0),  # failures are free
        # gRPC: a failure costs one, and retries end when half of the tokens are gone.
        (TokenBudget("b", per_retry=0, per_failure=1, capacity=10, keep=5), "ffffrfr", [True, False], 5),
        (TokenBudget("b", per_retry=0, per_failure=1, capacity=10, keep=5), 30 * "f", [], 0),
        (
            TokenBudget("b", per_retry=0, per_failure=1, capacity=10, keep=5),
            "fffff" + "r" + "s" + "r",
            [False, True],
            5.1,
        ),
        # What retries leave is left, to the last token.
        (TokenBudget("b", capacity=3, keep=1), "rrr", [True, True, False], 1),
        # Tokens that come with time, ten a second, for a service that is hardly ever called.
        (
            TokenBudget("b", capacity=1, per_second=10),
            ["r", "r", 0.1, "r", 0.05, "r"],
            [True, False, True, False],
            0.5,
        ),
        (TokenBudget("b", capacity=2, per_second=10), ["r", 3600.0, *"rrr"], [True, True, True, False], 0),
    ],
)
def test_tokens_come_with_successes_and_time_and_go_with_retries_and_failures(budget, story, answers, tokens):
    heard, spending = spent(budget, story)
    assert heard == answers
    assert spending.tokens == pytest.approx(tokens)


def test_a_clock_that_stands_still_or_starts_anywhere_brings_no_tokens():
    budget = TokenBudget("b", capacity=1, per_second=10)
    assert spent(budget, [1e9, "r", "r"])[0] == [True, False]
    assert spent(budget, [5.0, "r", -3.0, "r"])[0] == [True, False]
    assert spent(TokenBudget("b", capacity=2, per_second=10), [5.0, "r", -3.0, "r"])[0] == [True, True]


@pytest.mark.parametrize(
    ("budget", "takes", "refusal"),
    [
        (
            Budget("api"),
            3,
            "budget 'api' allows no more: 3 of 9 calls in flight are retried, and at most 20 % or 3 may be",
        ),
        (
            Budget("api", share=0.125, floor=0),
            1,
            "budget 'api' allows no more: 1 of 9 calls in flight is retried, and at most 12.5 % may be",
        ),
        (
            TokenBudget("api", capacity=1.5),
            1,
            "budget 'api' allows no more: 0.5 of 1.5 tokens are left, and a retry costs 1",
        ),
        (
            TokenBudget("api", capacity=5, keep=4),
            1,
            "budget 'api' allows no more: 4 of 5 tokens are left, and a retry costs 1 and leaves 4",
        ),
        (
            TokenBudget("api", per_retry=0, per_failure=1, capacity=10, keep=9),
            0,
            "budget 'api' allows no more: 9 of 10 tokens are left, and retries end at 9",
        ),
    ],
)
def test_a_refusal_has_the_numbers(budget, takes, refusal):
    spending, spenders = in_flight(budget, 9)
    for spender in spenders[: takes + 1]:
        spender.failed(0)
        spender.may_retry(0)
    assert spending.refusal() == refusal
    assert json.loads(json.dumps(spending.numbers()))["name"] == "api"


def test_states_show_what_they_hold():
    spending, (one, _) = in_flight(Budget("api"), 2)
    one.may_retry(0)
    assert repr(spending) == "<Shares api: 1 of 2 calls in flight is retried>"
    spending, (one,) = in_flight(TokenBudget("api", capacity=9), 1)
    one.may_retry(0)
    assert repr(spending) == "<Tokens api: 8 of 9 left>"


def test_a_forked_process_has_no_calls_in_flight_and_keeps_its_tokens():
    home = World(seed=7)
    shares, tokens = Budget("s").spending(home), TokenBudget("t", capacity=9).spending(home)
    for spending in (shares, tokens):
        spending.began().may_retry(0)
    home.renew()
    assert (shares.calls, shares.extra, tokens.tokens) == (0, 0, 8)


def test_uses_of_a_name_share_a_state_per_world_and_other_settings_are_refused():
    here, elsewhere = World(seed=1), World(seed=1)
    assert Budget("b").spending(here) is Budget("b").spending(here)
    assert Budget("b").spending(here) is not Budget("b").spending(elsewhere)
    with entered(elsewhere):
        assert Budget("b").spending() is Budget("b").spending(elsewhere)
        assert TokenBudget("t").spending() is TokenBudget("t").spending(elsewhere)
    for other in (Budget("b", share=0.5), TokenBudget("b")):
        with pytest.raises(InvalidPolicy, match="budget 'b' is used with two different settings"):
            other.spending(here)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Budget(""), "name='' must be a text that says what is protected"),
        (lambda: Budget(3), "name=3"),
        (lambda: Budget("b", share=-0.1), "share=-0.1 must be a number, from 0 to 1"),
        (lambda: Budget("b", share=20), "share=20 must be a number, from 0 to 1; 0.1 stands for a tenth"),
        (lambda: Budget("b", share=True), "share=True"),
        (lambda: Budget("b", share="20%"), "share='20%'"),
        (lambda: Budget("b", share=float("nan")), "share=nan"),
        (lambda: Budget("b", floor=-1), "floor=-1 must be a whole number, 0 or more"),
        (lambda: Budget("b", floor=1.5), "floor=1.5"),
        (lambda: Budget("b", floor=True), "floor=True"),
        (lambda: Budget("b", share=0, floor=0), "allow no retry at all; leave out the retry policy"),
        (lambda: TokenBudget(None), "name=None"),
        (lambda: TokenBudget("b", capacity=float("inf")), "capacity=inf must be a number, 0 or more"),
        (lambda: TokenBudget("b", per_success=-1), "per_success=-1"),
        (lambda: TokenBudget("b", per_retry=0), "make every retry free; use per_retry=1.0"),
        (lambda: TokenBudget("b", capacity=0.5), "capacity=0.5 never suffices for a retry, which costs 1"),
        (lambda: TokenBudget("b", capacity=5, keep=4.5), "and leaves keep=4.5; use a larger capacity"),
        (lambda: TokenBudget("b", per_retry=0, per_failure=1, capacity=5, keep=5), "capacity=5 never"),
    ],
)
def test_a_wrong_setting_is_refused_when_it_is_declared(build, message):
    with pytest.raises(InvalidPolicy) as refused:
        build()
    assert message in str(refused.value)
