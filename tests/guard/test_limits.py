"""Calls under limits that succeed, fail, time out and are cancelled at any moment, in virtual time."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow import Policy, Retry, sim
from asyncflow.ambient import world
from asyncflow.errors import Rejected
from asyncflow.policies import AIMD, Bulkhead, RateLimit, Throttle, Vegas

MOMENTS = st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0, 1.5])


@dataclass(frozen=True)
class Call:
    """When it is made, how long its body takes, whether that fails, and when the caller gives up."""

    at: float
    takes: float
    fails: bool
    patience: float | None


CALLS = st.lists(
    st.builds(Call, at=MOMENTS, takes=MOMENTS, fails=st.booleans(), patience=st.none() | MOMENTS),
    min_size=1,
    max_size=12,
)


async def made(policy, calls):
    """Make the calls, and return when each body began, the most that ran at once, and the counts."""
    starts, running, most = [], 0, 0
    ends = Counter()

    async def body(call):
        nonlocal running, most
        starts.append(world().monotonic())
        running += 1
        most = max(most, running)
        try:
            await asyncio.sleep(call.takes)
        finally:
            running -= 1
        if call.fails:
            raise ConnectionError

    async def caller(call):
        await asyncio.sleep(call.at)
        before = asyncio.current_task().cancelling()
        try:
            async with asyncio.timeout(call.patience):
                await policy.call(body, call)
        except Exception as error:
            ends[type(error)] += 1
        else:
            ends[None] += 1
        assert asyncio.current_task().cancelling() == before

    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(caller(call))
    return starts, most, ends


@settings(max_examples=80, deadline=None)
@given(
    calls=CALLS,
    limit=st.integers(1, 3),
    queue=st.integers(0, 3),
    burst=st.integers(1, 3),
    when_rejected=st.sampled_from([None, "wait"]),
    attempts=st.sampled_from([1, 2]),
)
def test_no_schedule_of_calls_exceeds_the_limits_or_keeps_a_place(
    calls, limit, queue, burst, when_rejected, attempts
):
    bulkhead = Bulkhead(limit, queue=queue, queue_timeout=0.4 if queue else None)
    rate_limit = RateLimit(4, burst=burst)
    policy = Policy(
        timeout=0.75,
        retry=Retry(attempts, 0.25),
        bulkhead=bulkhead,
        rate_limit=rate_limit,
        when_rejected=when_rejected if queue else None,
    )

    async def main():
        starts, most, ends = await made(policy, calls)
        assert sum(ends.values()) == len(calls)
        assert most <= limit
        places = bulkhead.places()
        assert (places.taken, places.waiting) == (0, 0)
        limiter = rate_limit.limiter()
        ahead = limiter.tat - world().monotonic()
        assert ahead <= burst * limiter.step + 1e-6  # nothing is reserved any more
        return starts

    starts = sim.run(main())
    for i, first in enumerate(starts):
        for count, at in enumerate(starts[i:], 1):
            # A body may begin later than its permit, when it had to wait for a place as well.
            assert count <= burst + (at - first + 0.4 * (queue > 0)) * 4 + 1e-3


@pytest.mark.parametrize("rule", [AIMD(window=0, min_calls=1), Vegas(window=0, min_calls=1)])
@settings(max_examples=25, deadline=None)
@given(calls=CALLS)
def test_an_adaptive_limit_has_all_its_places_back_when_all_calls_are_over(rule, calls):
    bulkhead = Bulkhead(2, queue=4, adaptive=rule)
    policy = Policy(timeout=0.75, bulkhead=bulkhead)

    async def main():
        await made(policy, calls)
        places = bulkhead.places()
        assert (places.taken, places.waiting) == (0, 0)
        assert places.limit >= 1

    sim.run(main())


def test_calls_that_time_out_lower_an_adaptive_limit_and_those_that_fail_do_not():
    bulkhead = Bulkhead(20, adaptive=AIMD(window=0, min_calls=1))
    policy = Policy(timeout=0.75, bulkhead=bulkhead)

    async def main():
        await made(policy, [Call(0.0, 0.1, fails=True, patience=None)] * 3)
        assert bulkhead.places().limit == 20
        await made(policy, [Call(0.0, 60.0, fails=False, patience=0.1)] * 3)
        assert bulkhead.places().limit == 20
        await made(policy, [Call(0.0, 60.0, fails=False, patience=None)])
        assert bulkhead.places().limit == 18

    sim.run(main())


def test_a_throttle_in_a_policy_counts_answers_failures_and_its_own_refusals_but_no_cancellation():
    throttle = Throttle(min_calls=4, on=ConnectionError)
    policy = Policy(throttle=throttle)

    async def main():
        throttler = throttle.throttler()
        await made(policy, [Call(0.0, 1.0, fails=True, patience=0.5)] * 3)
        assert (throttler.requests, throttler.accepts) == (0, 0)
        await made(policy, [Call(0.0, 0.0, fails=False, patience=None)])
        await made(policy, [Call(0.0, 0.0, fails=True, patience=None)] * 3)
        assert (throttler.requests, throttler.accepts) == (4, 1)
        *_, ends = await made(policy, [Call(0.1 * n, 0.0, fails=True, patience=None) for n in range(100)])
        kept_back = sum(count for kind, count in ends.items() if kind and issubclass(kind, Rejected))
        assert kept_back > 60
        assert (throttler.requests, throttler.accepts) == (104, 1)

    sim.run(main())


def test_a_predicate_of_the_throttle_that_fails_keeps_no_place():
    bulkhead = Bulkhead(1)
    policy = Policy(throttle=Throttle(on_result=lambda value: value.missing), bulkhead=bulkhead)

    async def main():
        *_, ends = await made(policy, [Call(0.0, 0.0, fails=False, patience=None)])
        assert ends == {AttributeError: 1}
        assert bulkhead.places().taken == 0

    sim.run(main())


def test_a_place_that_comes_free_on_another_threads_loop_wakes_the_one_that_waits():
    policy = Policy(bulkhead=Bulkhead(1, queue=1))
    is_held, is_queued = threading.Event(), threading.Event()

    async def hold():
        is_held.set()
        is_queued.wait(30)

    async def wait():
        places = policy.bulkhead.places()
        call = asyncio.create_task(policy.call(asyncio.sleep, 0, "had a place"))
        while not places.waiting:
            await asyncio.sleep(0)
        is_queued.set()
        async with asyncio.timeout(10):
            return await call

    holder = threading.Thread(target=asyncio.run, args=(policy.call(hold),))
    holder.start()
    is_held.wait(30)
    assert asyncio.run(wait()) == "had a place"
    holder.join()
    assert policy.bulkhead.places().taken == 0


def test_a_place_for_which_a_closed_loop_waits_goes_to_the_next():
    policy = Policy(bulkhead=Bulkhead(1, queue=3))
    places = policy.bulkhead.places()

    gone = asyncio.new_event_loop()
    lost = [gone.create_task(policy.call(asyncio.sleep, 0)) for _ in range(2)]

    async def story():
        entered = asyncio.Event()
        leave = asyncio.Event()

        async def body():
            entered.set()
            await leave.wait()

        first = asyncio.create_task(policy.call(body))
        await entered.wait()
        await asyncio.to_thread(gone.run_until_complete, asyncio.sleep(0))
        gone.close()
        last = asyncio.create_task(policy.call(asyncio.sleep, 0, "had a place"))
        await asyncio.sleep(0)
        assert places.waiting == 3
        leave.set()
        await first
        async with asyncio.timeout(10):
            return await last

    assert asyncio.run(story()) == "had a place"
    for task in lost:
        task._log_destroy_pending = False
        task.get_coro().close()
    assert (places.taken, places.waiting) == (0, 0)
