"""What the guard tells beside the ends of attempts: the numbers, and that nobody pays who does not listen."""

from __future__ import annotations

import asyncio

import pytest

from asyncflow import Breaker, Policy
from asyncflow.errors import BulkheadFull
from asyncflow.guard import telling
from asyncflow.guard.pipeline import outcome_of
from asyncflow.policies import Bulkhead, RateLimit
from tests.clock import run_virtual
from tests.guard.doubles import Body, Follower


def told(follower, kind):
    return [detail for heard, detail, *_ in follower.heard if heard == kind]


def test_a_breaker_that_opens_tells_its_numbers_and_one_that_closes_none():
    async def story():
        policy = Policy(breaker=Breaker("b", failures=2, open_for=5, probes=3))
        follower = Follower()
        for step, pause in ((ValueError("x"), 0), (ValueError("y"), 5), (1, 0), (1, 0), (1, 0)):
            await outcome_of(policy, Body(step), (), {}, follower)
            await asyncio.sleep(pause)
        return told(follower, "breaker_changed")

    opened, probing, closed = run_virtual(story())
    numbers = {"probe_in": 5.0, "calls": 2, "failures": 2, "slow": 0, "openings": 1, "cause": "ValueError: y"}
    assert opened == {
        "breaker": "b", "old": "closed", "new": "open", "why": "after 2 failures in a row", **numbers
    }  # fmt: skip
    assert (probing["new"], probing["probes"]) == ("half-open", 3)
    assert closed == {"breaker": "b", "old": "half-open", "new": "closed", "why": ""}


@pytest.mark.parametrize(
    ("policy", "gate"),
    [
        (Policy(bulkhead=Bulkhead(1, queue=9, name="x"), when_rejected="wait"), "bulkhead"),
        (Policy(rate_limit=RateLimit(1, 2.0, burst=1, name="x"), when_rejected="wait"), "rate limit"),
    ],
)
def test_a_wait_is_told_when_it_begins_and_when_it_is_over(policy, gate):
    async def story():
        followers = [Follower(), Follower()]
        await asyncio.gather(*(outcome_of(policy, Body(2.0), (), {}, one) for one in followers))
        return [[told(one, f"admission_{what}") for what in ("delayed", "waited")] for one in followers]

    first, second = run_virtual(story())
    assert first == [[], []]
    what = {"gate": gate, "name": "x"}
    assert second == [[what], [{**what, "seconds": 2.0, "admitted": True}]]


def test_a_wait_that_led_nowhere_says_so():
    async def story():
        policy = Policy(bulkhead=Bulkhead(1, queue=9, queue_timeout=1.0))
        follower = Follower()
        busy = asyncio.create_task(outcome_of(policy, Body(9.0), (), {}))
        await asyncio.sleep(0)
        refused = await outcome_of(policy, Body(1), (), {}, follower)
        busy.cancel()
        return refused.error, told(follower, "admission_waited")

    error, (waited,) = run_virtual(story())
    assert isinstance(error, BulkheadFull)
    assert waited == {"gate": "bulkhead", "name": None, "seconds": 1.0, "admitted": False}


def test_where_nobody_follows_nothing_is_put_together(monkeypatch):
    def never(_circuit):
        raise AssertionError("nobody wants to know")

    monkeypatch.setattr(telling, "_change", never)

    async def story():
        policy = Policy(breaker=Breaker("b", failures=1, open_for=5))
        await outcome_of(policy, Body(ValueError()), (), {})
        return policy.breaker.circuit().state

    assert run_virtual(story()) == "open"
