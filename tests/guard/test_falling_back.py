"""Fallbacks: what stands in for which failure, and what becomes of one that fails itself."""

from __future__ import annotations

import asyncio

import pytest

from asyncflow.errors import BreakerOpen, BulkheadFull, DeadlineExceeded, NotAcceptable
from asyncflow.guard.pipeline import outcome_of
from asyncflow.outcomes import Raised, Returned, Signalled, StoodIn
from asyncflow.policies import Breaker, Fallback, Hedge, Policy, Retry
from asyncflow.signals import FAIL, SKIP
from tests.clock import run_virtual
from tests.guard.doubles import Body, Follower, now


def call(policy, body, *args, **kwargs):
    return run_virtual(policy.call(body, *args, **kwargs))


async def apology(error):
    await asyncio.sleep(1)
    return f"sorry: {error}"


@pytest.mark.parametrize(
    ("fallback", "value"),
    [
        (Fallback("instead"), "instead"),
        (Fallback(None), None),
        (Fallback(function=lambda error: f"{error}!"), "down!"),
        (Fallback(function=apology), "sorry: down"),
    ],
    ids=["value", "None is a value", "def", "async def"],
)
def test_a_fallback_gives_what_it_has(fallback, value):
    body = Body(OSError("down"))
    assert call(Policy(fallback=fallback, retry=3), body) == value
    assert body.calls == 3  # it stands around the retries


def test_row_25_a_fallback_around_retries_and_a_breaker():
    async def story():
        breaker, body = Breaker("row 25", failures=5), Body(OSError("down"))
        assert await Policy(fallback=Fallback("instead"), retry=3, breaker=breaker).call(body) == "instead"
        assert body.calls == 3
        assert "3/5" in repr(breaker.circuit())

    run_virtual(story())


@pytest.mark.parametrize(
    ("on", "error", "covered"),
    [
        (OSError, ConnectionError("down"), True),
        (OSError, ValueError("your mistake"), False),
        ((OSError, ValueError), ValueError("your mistake"), True),
        (lambda error: "down" in str(error), OSError("down"), True),
        (lambda error: "down" in str(error), OSError("up"), False),
        (Exception, FAIL("no"), True),
        (Exception, SKIP("not now"), False),
    ],
)
def test_a_fallback_covers_the_failures_that_it_means(on, error, covered):
    async def story():
        outcome = await outcome_of(Policy(fallback=Fallback("instead", on=on)), Body(error), (), {})
        assert isinstance(outcome, StoodIn) == covered
        if not covered:
            assert isinstance(outcome, Raised | Signalled)

    run_virtual(story())


def test_a_rejection_keeps_the_answer_away_like_any_failure():
    async def story():
        body = Body(OSError("down"))
        policy = Policy(breaker=Breaker("rejects", failures=1), fallback=Fallback("instead"))
        assert await policy.call(body) == "instead"
        assert await policy.call(body) == "instead"
        assert body.calls == 1
        with pytest.raises(BreakerOpen):
            await policy.replace(fallback=Fallback("instead", on=(OSError, BulkheadFull))).call(body)
        assert await policy.replace(fallback=Fallback("instead", on=BreakerOpen)).call(body) == "instead"

    run_virtual(story())


def test_a_fallback_stands_around_the_deadline_and_may_take_its_time():
    async def story():
        assert await Policy(deadline=2, fallback=Fallback(function=apology)).call(Body(10.0)) == (
            "sorry: the deadline of 2 s was over during attempt 1"
        )
        assert now() == 3.0

    run_virtual(story())


def test_a_fallback_stands_around_the_hedge():
    async def story():
        body = Body(OSError("one"), OSError("two"))
        assert await Policy(hedge=Hedge(), fallback=Fallback("instead")).call(body) == "instead"
        assert body.calls == 2

    run_virtual(story())


def test_a_cancellation_is_never_covered():
    async def story():
        body = Body(10.0)
        task = asyncio.create_task(Policy(fallback=Fallback("instead")).call(body))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(story())


def test_a_result_that_retries_did_not_accept_is_a_failure_with_the_value_in_it():
    errors = []

    def take(error):
        errors.append(error)
        return "instead"

    retry = Retry(2, on_result=lambda value: value == "bad")
    assert call(Policy(retry=retry, fallback=Fallback(function=take)), Body("bad")) == "instead"
    assert isinstance(errors[0], NotAcceptable)
    assert errors[0].value == "bad"


# -- a fallback that fails ---------------------------------------------------------------------------------


def test_what_a_fallback_fails_with_is_caused_by_what_the_call_failed_with():
    async def broken(error):
        raise KeyError("not there either")

    with pytest.raises(KeyError, match="not there either") as failed:
        call(Policy(fallback=Fallback(function=broken)), Body(OSError("down")))
    assert str(failed.value.__cause__) == "down"


def test_a_fallback_may_raise_the_error_as_it_is():
    def again(error):
        raise error

    with pytest.raises(OSError, match="down") as failed:
        call(Policy(fallback=Fallback(function=again)), Body(OSError("down")))
    assert failed.value.__cause__ is None


def test_a_cause_that_the_fallback_names_itself_stands():
    def broken(error):
        raise KeyError("no") from ValueError("because")

    with pytest.raises(KeyError) as failed:
        call(Policy(fallback=Fallback(function=broken)), Body(OSError("down")))
    assert isinstance(failed.value.__cause__, ValueError)


def test_a_signal_of_the_fallback_counts_like_one_of_the_body():
    def skip(error):
        raise SKIP("nothing to do")

    async def story():
        outcome = await outcome_of(Policy(fallback=Fallback(function=skip)), Body(OSError("down")), (), {})
        assert isinstance(outcome, Signalled)

    run_virtual(story())


def test_a_predicate_that_fails_is_a_failure_of_the_fallback():
    with pytest.raises(ZeroDivisionError) as failed:
        call(Policy(fallback=Fallback("instead", on=lambda error: 1 / 0)), Body(OSError("down")))
    assert str(failed.value.__cause__) == "down"


# -- the last good result ----------------------------------------------------------------------------------


class Shop:
    """A service that knows prices until it is down."""

    is_down = False

    async def price(self, article, *, currency="EUR", details=None):
        if self.is_down:
            raise OSError("down")
        return f"{article} in {currency} at {now():g}"


def test_the_last_good_result_of_the_same_call_is_given():
    async def story():
        shop, policy = Shop(), Policy(fallback=Fallback(cached=True))
        await policy.call(shop.price, "tea")
        await asyncio.sleep(5)
        assert await policy.call(shop.price, "tea") == "tea in EUR at 5"
        assert await policy.call(shop.price, "tea", currency="USD") == "tea in USD at 5"
        shop.is_down = True
        await asyncio.sleep(5)
        assert await policy.call(shop.price, "tea") == "tea in EUR at 5"
        assert await policy.call(shop.price, "tea", currency="USD") == "tea in USD at 5"
        with pytest.raises(OSError, match="down"):  # nobody has asked for it before
            await policy.call(shop.price, "coffee")

    run_virtual(story())


def test_of_two_policies_each_remembers_its_own_results():
    async def story():
        shop, one, two = (
            Shop(),
            Policy(fallback=Fallback(cached=True)),
            Policy(fallback=Fallback(cached=True)),
        )
        await one.call(shop.price, "tea")
        shop.is_down = True
        with pytest.raises(OSError, match="down"):
            await two.call(shop.price, "tea")

    run_virtual(story())


def test_without_a_result_the_value_is_second_best():
    async def story():
        shop, policy = Shop(), Policy(fallback=Fallback("unknown", cached=True))
        await policy.call(shop.price, "tea")
        shop.is_down = True
        assert await policy.call(shop.price, "tea") == "tea in EUR at 0"
        assert await policy.call(shop.price, "coffee") == "unknown"

    run_virtual(story())


def test_a_result_that_is_too_old_is_not_given():
    async def story():
        shop, policy = Shop(), Policy(fallback=Fallback("unknown", cached=True, max_age=60))
        await policy.call(shop.price, "tea")
        shop.is_down = True
        await asyncio.sleep(60)
        assert await policy.call(shop.price, "tea") == "tea in EUR at 0"
        await asyncio.sleep(1)
        assert await policy.call(shop.price, "tea") == "unknown"

    run_virtual(story())


def test_what_is_remembered_has_a_bound():
    async def story():
        shop, policy = Shop(), Policy(fallback=Fallback("unknown", cached=True, keep=2))
        for article in ("tea", "coffee", "milk"):
            await policy.call(shop.price, article)
        shop.is_down = True
        assert await policy.call(shop.price, "milk") == "milk in EUR at 0"
        assert await policy.call(shop.price, "tea") == "unknown"

    run_virtual(story())


def test_a_call_whose_arguments_cannot_be_told_apart_is_not_remembered():
    async def story():
        shop, policy = Shop(), Policy(fallback=Fallback("unknown", cached=True))
        await policy.call(shop.price, "tea", details={"size": 1})
        shop.is_down = True
        assert await policy.call(shop.price, "tea", details={"size": 1}) == "unknown"

    run_virtual(story())


# -- what the observer hears -------------------------------------------------------------------------------


def test_the_observer_hears_what_it_fell_back_to_and_why():
    async def story():
        follower = Follower()
        policy = Policy(fallback=Fallback("instead"), retry=2)
        outcome = await outcome_of(policy, Body(OSError("down")), (), {}, follower)
        assert follower.heard == [
            ("started", 1),
            ("ended", 1, "Raised", "Again"),
            ("started", 2),
            ("fell_back", {"to": "value", "error": "OSError: down", "age": None, "failed": None}),
            ("ended", 2, "StoodIn", "Enough"),
        ]
        assert isinstance(outcome, StoodIn)
        assert outcome.reason == "Fell back to the value after OSError: down"

    run_virtual(story())


def test_an_end_that_the_observer_made_is_not_the_fallbacks_business():
    from asyncflow.outcomes import Enough

    async def story():
        follower = Follower(early={1: Enough("cached")})
        outcome = await outcome_of(
            Policy(fallback=Fallback("instead")), Body(OSError("down")), (), {}, follower
        )
        assert outcome == Returned(None)
        assert follower.heard == [("started", 1)]
        follower = Follower(late={1: Enough("the handler said so")})
        policy = Policy(fallback=Fallback("instead"), retry=2)
        assert isinstance(await outcome_of(policy, Body(OSError("down")), (), {}, follower), Raised)
        assert [heard[0] for heard in follower.heard] == ["started", "ended"]

    run_virtual(story())


def test_an_error_that_is_not_covered_has_the_note_about_attempts():
    with pytest.raises(DeadlineExceeded):
        call(Policy(deadline=1, fallback=Fallback("instead", on=KeyError)), Body(5.0))
    with pytest.raises(ValueError, match="no") as failed:
        call(Policy(fallback=Fallback("instead", on=KeyError), retry=2), Body(ValueError("no")))
    assert failed.value.__notes__[0].startswith("asyncflow: 2 attempts were made")


def test_a_call_whose_arguments_raise_when_they_are_hashed_keeps_its_result():
    class Odd:
        def __hash__(self):
            raise ValueError("no hash")

    async def body(argument):
        return "fine"

    assert call(Policy(fallback=Fallback("unknown", cached=True)), body, Odd()) == "fine"
