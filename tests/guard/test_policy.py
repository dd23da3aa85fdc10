from __future__ import annotations

import asyncio
import copy
import dataclasses
import functools
import gc
import math
import pickle
import traceback
import weakref
from datetime import timedelta

import pytest

from asyncflow.ambient import World, entered
from asyncflow.errors import AttemptTimedOut, BreakerOpen, InvalidPolicy
from asyncflow.guard.policy import Policy
from asyncflow.policy.backoff import exponential
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.bulkhead import Bulkhead
from asyncflow.policy.fallback import Fallback
from asyncflow.policy.hedge import Hedge
from asyncflow.policy.rate_limit import RateLimit
from asyncflow.policy.retry import Retry
from asyncflow.signals import FAIL, SKIP
from tests.clock import run_virtual
from tests.guard.doubles import Body


async def double(number: int, *, plus: int = 0) -> int:
    """Twice the number."""
    return 2 * number + plus


def test_a_policy_protects_a_call():
    assert run_virtual(Policy(timeout=1.0, retry=3).call(double, 4, plus=1)) == 9


def test_a_policy_decorates_a_coroutine_function_and_keeps_its_face():
    guarded = Policy(timeout=1.0)(double)
    assert run_virtual(guarded(4, plus=1)) == 9
    assert asyncio.iscoroutinefunction(guarded)
    assert (guarded.__name__, guarded.__doc__) == ("double", "Twice the number.")
    assert guarded.__wrapped__ is double


class Callable:
    async def __call__(self):
        return "called"

    async def method(self):
        return "method"


@pytest.mark.parametrize(
    ("fn", "value"),
    [(Callable(), "called"), (Callable().method, "method"), (functools.partial(double, 3), 6)],
)
def test_every_kind_of_coroutine_function_can_be_decorated(fn, value):
    assert run_virtual(Policy(retry=2)(fn)()) == value


@pytest.mark.parametrize("fn", [lambda: 5, len, 5, None])
def test_what_is_no_coroutine_function_is_refused_when_it_is_decorated(fn):
    with pytest.raises(InvalidPolicy, match="declare it with `async def`"):
        Policy(retry=3)(fn)


@pytest.mark.parametrize("policy", [Policy(), Policy(timeout=1, retry=3, breaker=Breaker("b"))])
def test_a_policy_may_be_used_within_itself(policy):
    async def outer():
        return await policy.call(double, 2)

    assert run_virtual(policy.call(outer)) == 4


# -- what comes out ----------------------------------------------------------------------------------------


def test_the_bodys_own_exception_comes_out():
    error = KeyError("mine")
    with pytest.raises(KeyError) as raised:
        run_virtual(Policy(timeout=1).call(Body(error)))
    assert raised.value is error
    assert not hasattr(error, "__notes__")


def test_the_last_error_comes_out_with_one_note_of_the_attempts():
    last = ValueError("third")
    with pytest.raises(ValueError, match="third") as raised:
        run_virtual(Policy(retry=3).call(Body(ValueError("first"), ValueError("second"), last)))
    assert raised.value is last
    assert last.__notes__ == ["asyncflow: 3 attempts were made; attempt 3 of 3 was the last"]


def test_the_note_says_why_there_were_no_more_attempts():
    with pytest.raises(KeyError) as raised:
        run_virtual(Policy(retry=Retry(9, on=ValueError)).call(Body(ValueError(), KeyError("x"))))
    assert raised.value.__notes__ == ["asyncflow: 2 attempts were made; KeyError is not in `on`"]


def test_the_call_that_trips_the_breaker_keeps_its_own_error():
    async def story():
        policy = Policy(breaker=Breaker("b", failures=2))
        for error in (ValueError("first"), ValueError("second")):
            with pytest.raises(ValueError, match=str(error)):
                await policy.call(Body(error))
        with pytest.raises(BreakerOpen, match="breaker 'b' is open after 2 failures in a row") as refused:
            await policy.call(Body(1))
        assert refused.value.retry_after == pytest.approx(30)

    run_virtual(story())


def test_a_refusal_after_failures_names_the_failure_as_its_cause():
    async def story():
        error = ValueError("the trouble")
        with pytest.raises(BreakerOpen) as refused:
            await Policy(retry=5, breaker=Breaker("b", failures=2)).call(Body(error))
        assert refused.value.__cause__ is error
        assert refused.value.__notes__ == [
            "asyncflow: 3 attempts were made; "
            "BreakerOpen is a rejection, which is retried only when `on` names it"
        ]

    run_virtual(story())


def test_refusals_do_not_pile_up_as_causes_of_one_another():
    async def story():
        error = ValueError("the trouble")
        retry = Retry(4, on=(ValueError, BreakerOpen), honour_retry_after=False)
        with pytest.raises(BreakerOpen) as refused:
            await Policy(retry=retry, breaker=Breaker("b", failures=1)).call(Body(error))
        assert refused.value.__cause__ is error

    run_virtual(story())


@pytest.mark.parametrize("signal", [SKIP("nothing new"), FAIL("no")])
def test_a_signal_comes_out_as_itself(signal):
    with pytest.raises(type(signal)) as raised:
        run_virtual(Policy(timeout=1).call(Body(signal)))
    assert raised.value is signal


def test_a_timeout_comes_out_as_a_timeout_error():
    with pytest.raises(TimeoutError) as raised:
        run_virtual(Policy(timeout=timedelta(milliseconds=250)).call(Body(9.0)))
    assert isinstance(raised.value, AttemptTimedOut)
    assert str(raised.value) == "attempt 1 ran longer than its timeout of 250 ms and was given up"


def test_an_error_that_came_out_leaves_no_cycle():
    class Payload(Exception):
        pass

    async def body():
        raise Payload

    async def story():
        try:
            await Policy(retry=2).call(body)
        except Payload as error:
            return weakref.ref(error)

    gc.disable()
    try:
        assert run_virtual(story())() is None
    finally:
        gc.enable()


def test_the_traceback_leads_to_the_body_without_detours():
    async def body():
        raise ValueError

    with pytest.raises(ValueError) as raised:
        run_virtual(Policy(timeout=1, retry=2).call(body))
    names = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert names[-1] == "body"
    assert "outcome_of" not in names


# -- the value ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (Policy(), "<Policy body>"),
        (Policy(timeout=2.0), "<Policy attempt timeout 2 s > body>"),
        (Policy(retry=3), "<Policy retry 3 attempts, constant(0) > body>"),
        (Policy(breaker=Breaker("cfpb")), "<Policy breaker cfpb closed, 0/5 failures > body>"),
        (
            Policy(bulkhead=Bulkhead(4, queue=2), rate_limit=RateLimit(10)),
            "<Policy rate limit 10 calls per 1 s > bulkhead 0/4 taken, 0/2 waiting > body>",
        ),
        (
            Policy(
                breaker=Breaker("cfpb"),
                timeout=timedelta(seconds=90),
                retry=Retry(4, exponential(0.2, cap=5), jitter="full"),
                when_rejected="wait",
            ),
            "<Policy retry 4 attempts, exponential(0.2, cap=5) with full jitter "
            "> breaker cfpb closed, 0/5 failures > attempt timeout 1 min 30 s > body; rejected: wait>",
        ),
    ],
)
def test_the_repr_prints_the_order_outermost_first(policy, text):
    assert repr(policy) == text


def test_a_policy_is_a_value():
    policy = Policy(2, 3, Breaker("b"))
    assert policy == Policy(timeout=2.0, retry=Retry(3), breaker=Breaker("b"))
    assert hash(policy) == hash(Policy(timeout=2.0, retry=Retry(3), breaker=Breaker("b")))
    assert policy != Policy(timeout=3.0, retry=Retry(3), breaker=Breaker("b"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        policy.timeout = 3.0


def test_replace_gives_a_changed_copy():
    policy = Policy(timeout=2.0, retry=3)
    assert policy.replace(timeout=None) == Policy(retry=3)
    assert policy.replace(retry=5) == Policy(timeout=2.0, retry=5)
    assert policy == Policy(timeout=2.0, retry=3)


def test_a_policy_that_was_used_can_still_be_copied_and_pickled():
    policy = Policy(timeout=2.0, retry=3, breaker=Breaker("b"))
    run_virtual(policy.call(double, 1))
    for copied in (
        copy.copy(policy),
        copy.deepcopy(policy),
        pickle.loads(pickle.dumps(policy)),
        policy.replace(),
    ):
        assert copied == policy
        assert run_virtual(copied.call(double, 1)) == 2


@pytest.mark.parametrize(
    ("policy", "empty"),
    [
        (Policy(), True),
        (Policy(when_rejected="wait"), True),
        (Policy(timeout=1), False),
        (Policy(retry=1), False),
        (Policy(breaker=Breaker("b")), False),
    ],
)
def test_an_empty_policy_says_so(policy, empty):
    assert policy.is_empty is empty


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Policy(timeout=0),
            "timeout=0 must be more than 0 and finite; use a number of seconds, or None",
        ),
        (lambda: Policy(timeout=-1), "timeout=-1"),
        (lambda: Policy(timeout=math.inf), "timeout=inf"),
        (lambda: Policy(timeout="3s"), "timeout='3s'"),
        (lambda: Policy(retry=0), "max_attempts=0"),
        (lambda: Policy(retry=True), "max_attempts=True"),
        (lambda: Policy(retry="3"), "max_attempts='3'"),
        (lambda: Policy(breaker="cfpb"), "breaker='cfpb' must be a Breaker"),
        (lambda: Policy(when_rejected="queue"), "when_rejected='queue' must be 'fail', 'wait' or None"),
        (lambda: Policy(rate_limit=5), "rate_limit=5 must be a RateLimit; write RateLimit(100, per=1.0)"),
        (lambda: Policy(bulkhead=5), "bulkhead=5 must be a Bulkhead; write Bulkhead(10)"),
        (lambda: Policy(throttle=0.5), "throttle=0.5 must be a Throttle"),
        (
            lambda: Policy(bulkhead=Bulkhead(4), when_rejected="wait"),
            "contradict each other; write Bulkhead(4, queue=100)",
        ),
    ],
)
def test_a_wrong_setting_is_refused_when_it_is_declared(build, message):
    with pytest.raises(InvalidPolicy) as refused:
        build()
    assert message in str(refused.value)


@pytest.mark.parametrize("option", ["retry", "fallback", "hedge"])
def test_a_name_with_two_settings_comes_out_at_once_and_nothing_repeats_or_covers_it(option):
    judged = []
    outer = {
        "retry": Retry(3, on_retry=judged.append),
        "fallback": Fallback("covered"),
        "hedge": Hedge(60.0),
    }

    async def main():
        Breaker("shared", failures=1).circuit()
        policy = Policy(breaker=Breaker("shared", failures=2), **{option: outer[option]})
        with pytest.raises(InvalidPolicy, match="breaker 'shared' is used with two different settings"):
            await policy.call(asyncio.sleep, 0)

    with entered(World()):
        asyncio.run(main())
    assert judged == []
