"""Whatever becomes of calls that overlap, permits and deadlines are given back."""

from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.guard.deadlines import queue_for
from asyncflow.guard.pipeline import outcome_of
from asyncflow.guard.policy import Policy
from asyncflow.policies import Bulkhead, Hedge, RateLimit
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.retry import Retry
from asyncflow.signals import FAIL, SKIP
from tests.clock import run_virtual
from tests.guard.doubles import Plan, played

# Quarters of a second, so that ends, timeouts, cancellations and probes often fall together.
QUARTERS = st.integers(0, 40).map(lambda quarters: quarters / 4)


PLANS = st.builds(
    Plan,
    start=QUARTERS,
    takes=st.integers(0, 12).map(lambda quarters: quarters / 4),
    ends=st.sampled_from(["value", "error", "error", "skip", "fail", "swallow"]),
    cancelled_after=st.none() | st.integers(0, 12).map(lambda quarters: quarters / 4),
)


class Body:
    """Does what a plan says, and watches how many run beside it in the same half-open era."""

    def __init__(self, breaker):
        self.breaker = breaker
        self.probing = {}

    async def __call__(self, plan):
        circuit = None if self.breaker is None else self.breaker.circuit()
        era = circuit.generation if circuit is not None and circuit.state == "half-open" else None
        self.probing[era] = self.probing.get(era, 0) + 1
        if era is not None:
            assert self.probing[era] <= self.breaker.probes
        try:
            await played(plan)
        finally:
            self.probing[era] -= 1


async def one(policy, body, plan):
    await asyncio.sleep(plan.start)
    await outcome_of(policy, body, (plan,), {})
    # A request to cancel is left only if somebody made one that the body swallowed.
    assert asyncio.current_task().cancelling() == 0 or plan.cancelled_after is not None


async def story(policy, plans):
    loop, body = asyncio.get_running_loop(), Body(policy.breaker)
    queue = queue_for(loop, policy.timeout)
    async with asyncio.timeout(500), asyncio.TaskGroup() as group:
        for plan in plans:
            task = group.create_task(one(policy, body, plan))
            if plan.cancelled_after is not None:
                loop.call_at(loop.time() + plan.start + plan.cancelled_after, task.cancel)
    return repr(queue), repr(policy.breaker.circuit()), body


@settings(max_examples=100, deadline=None)
@given(
    policy=st.sampled_from(
        [
            Policy(timeout=1.0, retry=Retry(3, 0.25)),
            Policy(timeout=1.0, bulkhead=Bulkhead(1, queue=3, queue_timeout=0.5)),
            Policy(timeout=1.0, retry=2, rate_limit=RateLimit(2, per=1.0), when_rejected="wait"),
            Policy(timeout=0.5, retry=Retry(3, 0.25), deadline=1.0, bulkhead=Bulkhead(1, queue=3)),
            Policy(timeout=1.0, retry=2, hedge=Hedge(0.25), deadline=2.0),
        ]
    ),
    plans=st.lists(PLANS, min_size=1, max_size=5),
    cancels=st.lists(st.tuples(QUARTERS, st.integers(0, 4)), max_size=8),
)
def test_no_schedule_of_cancellations_leaves_another_count_of_requests_than_it_made(policy, plans, cancels):
    """Of the requests to cancel a task those are left that others made: ours are all taken back."""
    running, made, left = {}, Counter(), {}

    async def call(number, plan):
        await asyncio.sleep(plan.start)
        running[number] = asyncio.current_task()
        try:
            await policy.call(Body(policy.breaker), plan)
        except (Exception, asyncio.CancelledError, SKIP, FAIL):
            pass
        finally:
            left[number] = running.pop(number).cancelling()

    def cancel(number):
        if number in running:
            made[number] += running[number].cancel()

    async def story():
        loop = asyncio.get_running_loop()
        for when, number in cancels:
            loop.call_at(when, cancel, number)
        await asyncio.wait([loop.create_task(call(number, plan)) for number, plan in enumerate(plans)])
        if policy.bulkhead is not None:
            places = policy.bulkhead.places()
            assert (places.taken, places.waiting) == (0, 0)

    run_virtual(story())
    assert left == {number: made[number] for number in range(len(plans))}


@settings(max_examples=150, deadline=None)
@given(
    plans=st.lists(PLANS, min_size=1, max_size=12),
    failures=st.integers(1, 3),
    open_for=st.sampled_from([0, 0.25, 2]),
    probes=st.integers(1, 2),
    attempts=st.integers(1, 3),
    when_rejected=st.sampled_from(["fail", "wait"]),
)
def test_permits_and_deadlines_are_given_back(plans, failures, open_for, probes, attempts, when_rejected):
    policy = Policy(
        timeout=1.0,
        retry=Retry(attempts, 0.25),
        breaker=Breaker("b", failures=failures, open_for=open_for, probes=probes),
        when_rejected=when_rejected,
    )
    queue, circuit, body = run_virtual(story(policy, plans))
    assert ", 0 running," in queue
    assert not any(body.probing.values())
    assert (
        "half-open" not in circuit
        or f"half-open, 0/{probes} probes out" in circuit
        or ", half-open in" in circuit
    )
