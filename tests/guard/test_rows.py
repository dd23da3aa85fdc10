"""How policies behave together: the rows of the table that other libraries are held against as well."""

from __future__ import annotations

import asyncio

import pytest

from asyncflow.ambient import World, entered, world
from asyncflow.errors import AttemptTimedOut, BreakerOpen, BulkheadFull, DeadlineExceeded, RateLimited
from asyncflow.guard.pipeline import outcome_of
from asyncflow.guard.policy import Policy
from asyncflow.outcomes import Raised, Refused, Returned
from asyncflow.policies import (
    Breaker,
    Budget,
    Bulkhead,
    Fallback,
    Hedge,
    RateLimit,
    Retry,
    Throttle,
    deadline,
)
from asyncflow.sim.loop import SimLoop
from tests.clock import run_virtual
from tests.guard.doubles import Body, Follower, attempts_in, cancelling, forever

F = ValueError("F")


def run(policy, body):
    """Return the outcome, the attempts and the calls."""

    async def story():
        follower = Follower()
        outcome = await outcome_of(policy, body, (), {}, follower)
        return outcome, attempts_in(follower), body.calls

    return run_virtual(story())


def test_row_23_each_attempt_is_one_sample_of_the_breaker():
    async def story():
        policy = Policy(retry=3, breaker=Breaker("b", failures=3))
        assert await policy.call(body) == "S"
        return policy.breaker.circuit().reading(world().monotonic())

    body = Body(F, F, "S")
    reading = run_virtual(story())
    assert (body.calls, reading.state, reading.failures) == (3, "closed", 0)


@pytest.mark.parametrize(
    ("on", "attempts"), [((ValueError, BreakerOpen), 3), (Exception, 2)], ids=["retried", "by default"]
)
def test_row_24_an_open_circuit_is_retried_only_when_it_is_named(on, attempts):
    policy = Policy(
        retry=Retry(3, on=on, honour_retry_after=False), breaker=Breaker("b", failures=1, open_for=60)
    )
    outcome, made, calls = run(policy, Body(F))
    assert isinstance(outcome.error, BreakerOpen)
    assert (made, calls) == (attempts, 1)


def test_row_25_a_breaker_around_retries_counts_one_failure_and_a_fallback_inside_hides_it():
    async def story():
        outer, inner = Policy(breaker=Breaker("b", failures=5)), Policy(retry=3)
        body = Body(F)
        with pytest.raises(ValueError, match="F"):
            await outer.call(inner.call, body)
        around = body.calls, outer.breaker.circuit().reading(0.0).failures

        whole = Policy(fallback=Fallback("instead"), retry=3, breaker=Breaker("c", failures=5))
        body = Body(F)
        value = await whole.call(body)
        together = value, body.calls, whole.breaker.circuit().reading(0.0).failures

        body = Body(F)
        value = await Policy(retry=3).call(Policy(fallback=Fallback("instead")).call, body)
        return around, together, (value, body.calls)

    assert run_virtual(story()) == ((3, 1), ("instead", 3, 3), ("instead", 1))


def test_row_26_each_attempt_has_a_timeout_of_its_own():
    body = Body(0.1, 0.1, 0.01)
    outcome, attempts, calls = run(Policy(timeout=0.05, retry=3), body)
    assert (outcome, attempts, calls, body.cancelled) == (Returned(0.01), 3, 3, 2)


def test_row_27_retries_meet_a_rate_limit_or_a_full_bulkhead():
    bursty = Policy(
        retry=Retry(7, on=(ValueError, RateLimited), honour_retry_after=False), rate_limit=RateLimit(3)
    )
    outcome, attempts, calls = run(bursty, Body(F))
    assert isinstance(outcome.error, RateLimited)
    assert (attempts, calls) == (7, 3)

    async def full():
        policy = Policy(retry=Retry(7, on=BulkheadFull), bulkhead=Bulkhead(1))
        holder = asyncio.create_task(policy.call(Body(9.0)))
        await asyncio.sleep(0)
        body, follower = Body(1), Follower()
        outcome = await outcome_of(policy, body, (), {}, follower)
        holder.cancel()
        return outcome, attempts_in(follower), body.calls

    outcome, attempts, calls = run_virtual(full())
    assert isinstance(outcome.error, BulkheadFull)
    assert (attempts, calls) == (7, 0)


def test_row_28_nested_retries_multiply():
    async def story():
        body = Body(F, F, F, F, F, "done")
        assert await Policy(retry=11).call(Policy(retry=1).call, body) == "done"
        return body.calls

    assert run_virtual(story()) == 6


async def _busy(policy):
    """Keep the place, or the permit, of the policy for long."""
    task = asyncio.create_task(policy.call(Body(50.0)))
    await asyncio.sleep(0)
    return task


@pytest.mark.parametrize(
    ("policy", "cancel_at", "calls"),
    [
        (Policy(timeout=9, retry=3, breaker=Breaker("b"), bulkhead=Bulkhead(5)), 0.5, 1),
        (Policy(retry=Retry(3, 5.0, on_result=lambda value: True)), 2.0, 1),
        (Policy(rate_limit=RateLimit(1, per=60.0), when_rejected="wait"), 2.0, 0),
        (Policy(timeout=60, bulkhead=Bulkhead(1, queue=1)), 2.0, 0),
        (Policy(hedge=Hedge(5.0)), 0.5, 1),
        (Policy(hedge=Hedge(0.5)), 0.8, 2),
    ],
    ids=["body", "backoff", "rate limit", "bulkhead", "before a hedge", "during a hedge"],
)
def test_row_29_a_cancellation_comes_out_as_itself_and_nothing_follows_it(policy, cancel_at, calls):
    async def story():
        busy = await _busy(policy) if policy.rate_limit or (policy.bulkhead and not policy.retry) else None
        body = Body(1.0)
        task = asyncio.create_task(policy.call(body))
        await asyncio.sleep(cancel_at)
        task.cancel("the caller's")
        with pytest.raises(asyncio.CancelledError, match="the caller's"):
            await task
        assert world().monotonic() == pytest.approx(cancel_at)
        if busy is not None:
            busy.cancel()
        await asyncio.sleep(200)
        return body.calls

    assert run_virtual(story()) == calls


@pytest.mark.parametrize("around", [asyncio.timeout, deadline], ids=["asyncio", "asyncflow"])
def test_row_30_a_timeout_around_the_wait_for_a_limit_consumes_no_permit(around):
    async def story():
        limit = RateLimit(1, per=10.0)
        policy = Policy(rate_limit=limit, when_rejected="wait")
        await policy.call(Body(1))
        body, tat = Body(1), limit.limiter().tat
        with pytest.raises(TimeoutError):
            async with around(2.0):
                await Policy(
                    rate_limit=limit, when_rejected="wait" if around is asyncio.timeout else None
                ).call(asyncio.sleep, 0)
                await asyncio.sleep(60)
        assert limit.limiter().tat == pytest.approx(tat)
        await asyncio.sleep(8.0)
        await policy.replace(when_rejected="fail").call(body)
        return body.calls

    if around is deadline:
        with pytest.raises(RateLimited):  # a wait that can't fit is not started
            run_virtual(story())
    else:
        assert run_virtual(story()) == 1


def test_row_34_what_only_asyncio_asks():
    """The count of requests, ties, the body's own error, two loops, and the probes of a half-open circuit."""
    policy = Policy(timeout=1.0, retry=2, breaker=Breaker("b", failures=2, open_for=5.0))

    async def story():
        for _ in range(2):  # by the general frame, and by the compiled one
            with pytest.raises(AttemptTimedOut):
                await policy.replace(breaker=None).call(forever)
            assert cancelling() == 0
        with pytest.raises(TimeoutError) as outer:
            async with asyncio.timeout(1.0):
                await Policy(timeout=1.0).call(forever)
        assert not isinstance(outer.value, AttemptTimedOut)
        mine = TimeoutError("mine")
        with pytest.raises(TimeoutError) as raised:
            await Policy(timeout=1.0).call(Body(mine))
        assert raised.value is mine

        with pytest.raises(ValueError, match="F"):
            await policy.call(Body(F))
        await asyncio.sleep(5.0)
        body = Body(0.5)
        tasks = [asyncio.create_task(policy.call(body)) for _ in range(20)]
        await asyncio.wait(tasks)
        refused = sum(isinstance(task.exception(), BreakerOpen) for task in tasks)
        return body.calls, refused, policy.breaker.circuit().state

    for _ in range(2):
        assert run_virtual(story()) == (1, 19, "closed")


def test_row_34_one_policy_serves_two_event_loops_one_after_the_other():
    """In one world, with what the first loop left behind: states, and a timer that never rang."""
    policy = Policy(
        timeout=60.0,
        retry=Retry(2, budget=Budget("row 34")),
        breaker=Breaker("row 34", failures=2),
        rate_limit=RateLimit(1000),
        bulkhead=Bulkhead(2, queue=20),
        deadline=90.0,
    )
    inner = policy.replace(deadline=None)
    home = World()

    async def story():
        body = Body(F, *range(60))
        for each in (policy, inner):
            await asyncio.gather(*(each.call(body) for _ in range(10)))
        return body.calls

    with entered(home):
        for _ in range(2):
            assert asyncio.run(story()) == 21
            places, spending = policy.bulkhead.places(), policy.retry.budget.spending()
            assert (places.taken, places.waiting, spending.calls, spending.extra) == (0, 0, 0, 0)


def test_row_34_cancelled_calls_change_no_count_of_a_circuit():
    async def story():
        circuits = []
        for settings in ({"failures": 2}, {"window": 4}, {"window_for": 60, "min_calls": 2, "slow_after": 5}):
            policy = Policy(breaker=Breaker(f"by {min(settings)}", **settings), bulkhead=Bulkhead(50))
            before = repr(policy.breaker.circuit())
            tasks = [asyncio.create_task(policy.call(forever)) for _ in range(50)]
            await asyncio.sleep(1)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            circuits.append((before, repr(policy.breaker.circuit())))
        return circuits

    for before, after in run_virtual(story()):
        assert before == after


def test_row_34_a_cancellation_in_the_tick_of_the_result_is_not_lost():
    async def story():
        policy, answered = Policy(timeout=5.0, retry=3), asyncio.get_running_loop().create_future()
        await policy.call(asyncio.sleep, 0)

        async def body():
            return await answered

        task = asyncio.create_task(policy.call(body))
        await asyncio.sleep(1)
        answered.set_result("too late")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(story())


# -- waits inside an attempt -------------------------------------------------------------------------------


def test_waiting_to_be_admitted_does_not_use_up_the_timeout():
    async def story():
        policy = Policy(timeout=1.0, rate_limit=RateLimit(1, per=10.0), when_rejected="wait")
        await policy.call(Body(1))
        body = Body(0.9)
        await policy.call(body)
        return round(world().monotonic(), 3), body.cancelled

    assert run_virtual(story()) == (10.9, 0)


@pytest.mark.parametrize(
    ("when_rejected", "seconds", "ends"),
    [
        (None, None, "refused"),
        (None, 60.0, "waits"),
        (None, 5.0, "refused"),
        ("wait", None, "waits"),
        ("wait", 5.0, "refused"),
        ("fail", 60.0, "refused"),
    ],
)
@pytest.mark.parametrize(
    "parts",
    [{"rate_limit": RateLimit(1, per=10.0)}, {"breaker": Breaker("b", failures=1, open_for=10.0)}],
    ids=["rate limit", "breaker"],
)
def test_an_attempt_waits_where_it_may_and_the_wait_fits(parts, when_rejected, seconds, ends):
    policy = Policy(**parts, when_rejected=when_rejected, deadline=seconds)

    async def story():
        await outcome_of(policy, Body(F, 1), (), {})
        outcome = await outcome_of(policy, Body(1), (), {})
        return "refused" if isinstance(outcome, Refused) else "waits", round(world().monotonic(), 3)

    assert run_virtual(story()) == (ends, 10.0 if ends == "waits" else 0.0)


def test_places_are_handed_on_in_the_order_of_asking_and_a_queue_has_a_bound():
    async def story():
        policy = Policy(retry=Retry(2, 3.0), bulkhead=Bulkhead(1, queue=2))
        order = []

        async def body(name):
            order.append((name, world().monotonic()))
            await asyncio.sleep(1.0)

        async with asyncio.TaskGroup() as group:
            for name in "abc":
                group.create_task(policy.call(body, name))
            await asyncio.sleep(0)
            with pytest.raises(BulkheadFull):
                await policy.call(body, "d")
        return order

    assert run_virtual(story()) == [("a", 0.0), ("b", 1.0), ("c", 2.0)]


def test_a_place_is_free_while_a_call_backs_off():
    async def story():
        policy = Policy(retry=Retry(2, 10.0), bulkhead=Bulkhead(1))
        backing_off = asyncio.create_task(policy.call(Body(F, "later")))
        await asyncio.sleep(1.0)
        assert await policy.call(Body("meanwhile")) == "meanwhile"
        return await backing_off

    assert run_virtual(story()) == "later"


def test_a_queue_timeout_ends_the_wait_with_the_bulkheads_refusal():
    async def story():
        policy = Policy(bulkhead=Bulkhead(1, queue=1, queue_timeout=2.0))
        busy = await _busy(policy)
        body = Body(1)
        outcome = await outcome_of(policy, body, (), {})
        ended = world().monotonic()
        busy.cancel()
        return outcome.error, body.calls, ended, policy.bulkhead.places().waiting

    error, calls, ended, waiting = run_virtual(story())
    assert isinstance(error, BulkheadFull)
    assert (calls, ended, waiting) == (0, 2.0, 0)


def test_who_waited_asks_the_circuit_again():
    """While a call queued up, the circuit opened: what was admitted long ago is not called any more."""

    async def story():
        policy = Policy(breaker=Breaker("b", failures=1), bulkhead=Bulkhead(1, queue=1))

        async def fails_late():
            await asyncio.sleep(1.0)
            raise F

        first = asyncio.create_task(outcome_of(policy, fails_late, (), {}))
        await asyncio.sleep(0)
        body = Body(1)
        second = await outcome_of(policy, body, (), {})
        return await first, type(second.error), body.calls, policy.bulkhead.places().taken

    assert run_virtual(story()) == (Raised(F), BreakerOpen, 0, 0)


def test_a_refusal_further_in_gives_back_what_was_taken_before_it():
    async def story():
        policy = Policy(
            breaker=Breaker("b", failures=1, open_for=0.0),
            rate_limit=RateLimit(5, per=60.0),
            bulkhead=Bulkhead(1),
        )
        busy = await _busy(policy)
        tat = policy.rate_limit.limiter().tat
        with pytest.raises(BulkheadFull):
            await policy.call(Body(1))
        busy.cancel()
        return policy.rate_limit.limiter().tat == tat, policy.breaker.circuit().state

    assert run_virtual(story()) == (True, "closed")


def test_waits_to_be_admitted_are_noted():
    async def story():
        limit, follower = RateLimit(1, per=10.0, name="api"), Follower()
        policy = Policy(rate_limit=limit, bulkhead=Bulkhead(1, queue=1), when_rejected="wait")
        await policy.call(Body(1))
        busy = asyncio.create_task(policy.call(Body(50.0)))
        await asyncio.sleep(15)
        asyncio.get_running_loop().call_later(20, busy.cancel)
        await outcome_of(policy, Body(1), (), {}, follower)
        return [detail for kind, detail, *_ in follower.heard if kind == "admission_waited"]

    limit, bulkhead = run_virtual(story())
    seconds = pytest.approx(5.0, abs=0.01)
    assert limit == {"gate": "rate limit", "name": "api", "seconds": seconds, "admitted": True}
    assert bulkhead == {**limit, "gate": "bulkhead", "name": None, "seconds": pytest.approx(15.0, abs=0.01)}


@pytest.mark.parametrize(("timeout", "own"), [(1.0, 1), (5.0, 0), (9.0, 0)], ids=["sooner", "tie", "later"])
def test_an_attempt_has_a_timer_of_its_own_only_if_it_ends_before_the_deadline(monkeypatch, timeout, own):
    asked, call_at = [], SimLoop.call_at

    def counting(self, when, callback, *args, **kwargs):
        if when <= 5.0:  # what is asked for later reminds of calls that go on nevertheless
            asked.append(getattr(callback, "__qualname__", ""))
        return call_at(self, when, callback, *args, **kwargs)

    async def story():
        policy = Policy(timeout=timeout)
        monkeypatch.setattr(SimLoop, "call_at", counting)
        with pytest.raises(TimeoutError) as late:
            async with deadline(5.0):
                await policy.call(forever)
        return sum(name.startswith("DeadlineQueue") for name in asked), type(late.value)

    timers, kind = run_virtual(story())
    assert bool(timers) is bool(own)
    assert kind is (AttemptTimedOut if own else DeadlineExceeded)


def test_no_retry_is_begun_that_can_not_fit_into_the_deadline():
    async def story():
        body = Body(ValueError("F"))
        with pytest.raises(ValueError, match="F") as raised:
            async with deadline(5.0):
                await Policy(retry=Retry(9, 2.0)).call(body)
        return body.calls, world().monotonic(), raised.value.__notes__[0]

    calls, ended, note = run_virtual(story())
    assert (calls, ended) == (3, 4.0)
    assert note.startswith("asyncflow: 3 attempts were made; ValueError is in `on`, but")


def test_a_wait_that_would_end_with_the_deadline_is_not_started():
    async def story():
        limit = RateLimit(1, per=8.0, burst=1)
        policy = Policy(rate_limit=limit)
        await policy.call(Body(1))
        wait = limit.limiter().reserve(world().monotonic(), within=60.0)
        limit.limiter().give_back(1, world().monotonic(), limit.limiter().slot)
        with pytest.raises(RateLimited):
            async with deadline(wait - 1e-6):  # reservations are told a little too long, to be enough
                await policy.call(Body(1))
        return world().monotonic()

    assert run_virtual(story()) == 0.0


def test_who_got_a_place_in_time_leaves_no_timer_behind(monkeypatch):
    timers, call_at = [], SimLoop.call_at

    def keeping(self, *args, **kwargs):
        timers.append(call_at(self, *args, **kwargs))
        return timers[-1]

    async def story():
        monkeypatch.setattr(SimLoop, "call_at", keeping)
        policy = Policy(bulkhead=Bulkhead(1, queue=1, queue_timeout=60.0))
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(policy.call(Body(1.0)))
        return [timer.cancelled() for timer in timers if timer.when() > world().monotonic()]

    assert run_virtual(story()) == [True]


def test_row_32_a_first_attempt_that_fails_in_a_compiled_frame_leaves_the_budget():
    async def story():
        budget = Budget("b")
        policy = Policy(retry=Retry(2, budget=budget))
        await policy.call(Body(1))
        for end in (F, KeyboardInterrupt()):
            with pytest.raises(type(end)):
                await policy.call(Body(end))
        return budget.spending().calls, budget.spending().extra

    assert run_virtual(story()) == (0, 0)


def test_a_throttle_that_cannot_judge_keeps_no_probe():
    def unsure(value):
        raise LookupError("unsure")

    async def story():
        breaker = Breaker("b", open_for=1.0)
        breaker.open()
        await asyncio.sleep(1.0)
        with pytest.raises(LookupError):
            await Policy(breaker=breaker, throttle=Throttle(on_result=unsure)).call(Body(1))
        await Policy(breaker=breaker).call(Body(1))
        return breaker.circuit().state

    assert run_virtual(story()) == "closed"
