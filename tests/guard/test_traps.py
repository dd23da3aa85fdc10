"""Traps that asyncio sets, and that libraries for fault tolerance are known to have stepped into."""

from __future__ import annotations

import asyncio

import pytest

from asyncflow.ambient import world
from asyncflow.errors import AttemptTimedOut, BulkheadFull, InvalidPolicy
from asyncflow.guard.deadlines import queue_for
from asyncflow.guard.policy import Policy
from asyncflow.policies import Breaker, Bulkhead, Hedge, RateLimit, Retry
from asyncflow.sim.loop import SimLoop
from tests.clock import run_virtual
from tests.guard.doubles import Body, cancelling, forever

F = ValueError("F")


async def cancelled(policy, body, after=0.5):
    """Call the body, cancel the call, and return what the body was called."""
    task = asyncio.create_task(policy.call(body))
    await asyncio.sleep(after)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


EVERYTHING = Policy(
    timeout=9.0,
    retry=Retry(5, 0.1),
    breaker=Breaker("b", failures=3, open_for=5.0),
    rate_limit=RateLimit(100),
    bulkhead=Bulkhead(2, queue=2),
)


def test_trap_01_cancelled_calls_count_for_nothing():
    async def story():
        with pytest.raises(ValueError, match="F"):
            await EVERYTHING.replace(retry=None).call(Body(F))
        for _ in range(5):
            await cancelled(EVERYTHING, forever)
        closed = repr(EVERYTHING.breaker.circuit())
        for _ in range(2):
            with pytest.raises(ValueError, match="F"):
                await EVERYTHING.replace(retry=None).call(Body(F))
        await asyncio.sleep(5.0)
        await cancelled(EVERYTHING, forever)  # the probe
        half_open = repr(EVERYTHING.breaker.circuit())
        await EVERYTHING.call(Body("well"))
        return closed, half_open, EVERYTHING.breaker.circuit().state

    closed, half_open, last = run_virtual(story())
    assert "closed, 1/3 failures" in closed
    assert "half-open, 0/1 probes out" in half_open
    assert last == "closed"


@pytest.mark.parametrize(
    "retry",
    [Retry(5, on=lambda error: True), Retry(5, never=KeyError), Retry(5, on_result=lambda value: True)],
    ids=["catch-all", "negative", "any value"],
)
def test_trap_02_no_predicate_gets_to_see_a_cancellation(retry):
    async def story():
        calls = []

        async def body():
            calls.append(1)
            await forever()

        await cancelled(Policy(retry=retry), body)
        await asyncio.sleep(60)
        return len(calls)

    assert run_virtual(story()) == 1


@pytest.mark.parametrize("first", ["result", "cancellation"])
def test_trap_03_a_cancellation_in_the_tick_of_the_result_is_not_lost(first):
    async def story():
        answered = asyncio.get_running_loop().create_future()
        await EVERYTHING.call(asyncio.sleep, 0)

        async def body():
            return await answered

        task = asyncio.create_task(EVERYTHING.call(body))
        await asyncio.sleep(1)
        steps = [lambda: answered.set_result("too late"), task.cancel]
        for step in steps if first == "result" else reversed(steps):
            if not (step is steps[0] and answered.cancelled()):
                step()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(story())


@pytest.mark.parametrize("way", ["timeout", "deadline", "hedge"])
def test_trap_04_a_timeout_of_ours_leaves_nothing_for_the_one_around_it(way):
    policies = {
        "timeout": Policy(timeout=1.0),
        "deadline": Policy(deadline=1.0),
        "hedge": Policy(timeout=1.0, hedge=Hedge(0.5)),
    }

    async def story():
        with pytest.raises(TimeoutError) as outer:
            async with asyncio.timeout(10):
                for _ in range(3):
                    with pytest.raises(TimeoutError):
                        await policies[way].call(forever)
                    assert cancelling() == 0
                await forever()
        assert type(outer.value) is TimeoutError
        assert cancelling() == 0
        return world().monotonic()

    assert run_virtual(story()) == pytest.approx(10)


@pytest.mark.parametrize("error", [TimeoutError("mine"), AttemptTimedOut("of a guard further in")])
def test_trap_05_the_bodys_own_timeout_error_is_not_ours(error):
    async def story():
        for _ in range(2):
            with pytest.raises(TimeoutError) as raised:
                await EVERYTHING.replace(retry=None).call(Body(error))
            assert raised.value is error
            assert raised.value.__cause__ is None

    run_virtual(story())


def test_trap_12_a_call_that_is_cancelled_in_the_queue_takes_no_place_with_it():
    async def story():
        policy = Policy(timeout=60, bulkhead=Bulkhead(2, queue=5))
        places = policy.bulkhead.places
        busy = [asyncio.create_task(policy.call(Body(10.0))) for _ in range(2)]
        await asyncio.sleep(0)
        await cancelled(policy, Body(1))
        assert (places().taken, places().waiting) == (2, 0)
        # Granted and cancelled in one tick: the place goes to the next in line.
        waits, after = (asyncio.create_task(policy.call(Body(1.0))) for _ in range(2))
        await asyncio.sleep(1)
        busy[0].cancel()
        await asyncio.wait(busy[:1])
        waits.cancel()
        assert await after == 1.0
        await asyncio.wait([*busy, waits])
        return places().taken, places().waiting

    assert run_virtual(story()) == (0, 0)


def test_trap_13_what_is_decorated_is_awaited_and_judged():
    async def story():
        policy = Policy(breaker=Breaker("b", failures=2))

        @policy
        async def fails():
            await asyncio.sleep(1)
            raise F

        for _ in range(2):
            with pytest.raises(ValueError, match="F"):
                await fails()
        return policy.breaker.circuit().state

    assert run_virtual(story()) == "open"
    with pytest.raises(InvalidPolicy, match="declare it with `async def`"):
        Policy(retry=3)(lambda: None)


def test_trap_20_a_cancellation_before_the_first_step_is_not_lost():
    async def story():
        body = Body(1)
        task = asyncio.create_task(EVERYTHING.call(body))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        asleep = asyncio.create_task(Policy(retry=Retry(3, 1000.0)).call(Body(F)))
        await asyncio.sleep(1)
        asleep.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asleep
        return body.calls, world().monotonic(), EVERYTHING.bulkhead.places().taken

    assert run_virtual(story()) == (0, 1.0, 0)


def test_trap_24_calls_that_end_leave_no_timers_in_the_loop(monkeypatch):
    asked, call_at = [], SimLoop.call_at

    def counting(self, when, callback, *args, **kwargs):
        asked.append(callback)
        return call_at(self, when, callback, *args, **kwargs)

    async def story():
        monkeypatch.setattr(SimLoop, "call_at", counting)
        policy = EVERYTHING.replace(rate_limit=None)
        for _ in range(1000):
            await policy.call(Body(1))
        queue = repr(queue_for(asyncio.get_running_loop(), 9.0))
        return len(asked), queue.startswith("<DeadlineQueue 9 s, 0 running, ")

    assert run_virtual(story()) == (1, True)


def test_a_full_bulkhead_refuses_without_a_trace():
    """What is refused holds nothing, whichever frame has asked."""

    async def story():
        policy = EVERYTHING.replace(bulkhead=Bulkhead(1), retry=None)
        busy = asyncio.create_task(policy.call(Body(5.0)))
        await asyncio.sleep(0)
        for _ in range(3):
            with pytest.raises(BulkheadFull):
                await policy.call(Body(1))
        await busy
        return policy.bulkhead.places().taken

    assert run_virtual(story()) == 0
