from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from asyncflow.ambient import world
from asyncflow.errors import AttemptTimedOut
from asyncflow.guard import deadlines
from asyncflow.guard.deadlines import PATIENCE, queue_for
from asyncflow.guard.policy import Policy
from asyncflow.sim.loop import SimLoop
from tests.clock import run_virtual
from tests.guard.doubles import forever


async def nap(seconds):
    await asyncio.sleep(seconds)
    return seconds


def now():
    return round(world().monotonic(), 6)


def count_timers(monkeypatch):
    """Return a list that grows by the deadline of each timer that a queue asks the loop for."""
    asked, call_at = [], SimLoop.call_at

    def counting(self, when, callback, *args, **kwargs):
        if callback.__name__ == "_fire":
            asked.append(when)
        return call_at(self, when, callback, *args, **kwargs)

    monkeypatch.setattr(SimLoop, "call_at", counting)
    return asked


def test_every_call_ends_at_its_own_deadline():
    policy = Policy(timeout=5.0)

    async def late(start):
        await asyncio.sleep(start)
        with pytest.raises(AttemptTimedOut):
            await policy.call(forever)
        return now()

    async def story():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(late(start)) for start in (0.0, 1.0, 2.5, 2.5, 4.0)]
        return [task.result() for task in tasks]

    assert run_virtual(story()) == [5.0, 6.0, 7.5, 7.5, 9.0]


def test_reminders_in_the_queue_of_the_calls_do_not_make_them_end_early(monkeypatch):
    told = []
    monkeypatch.setattr(deadlines, "_unheeded", told.append)

    async def call(start):
        await asyncio.sleep(start)
        for _ in range(3):
            with pytest.raises(AttemptTimedOut):
                await Policy(timeout=PATIENCE).call(asyncio.sleep, 60)
        return asyncio.get_running_loop().time() - start

    async def story():
        return await asyncio.gather(*(call(0.25 * number) for number in range(30)))

    assert run_virtual(story()) == [3 * PATIENCE] * 30
    assert told == []


def test_a_thousand_calls_at_once_need_one_timer(monkeypatch):
    asked = count_timers(monkeypatch)
    policy = Policy(timeout=5.0)

    async def story():
        async with asyncio.TaskGroup() as group:
            for _ in range(1000):
                group.create_task(policy.call(nap, 1.0))

    run_virtual(story())
    assert asked == [5.0]


def test_policies_with_equal_timeouts_share_the_timer(monkeypatch):
    asked = count_timers(monkeypatch)
    policies = [Policy(timeout=5.0), Policy(timeout=5.0, retry=3), Policy(timeout=2.0)]

    async def story():
        async with asyncio.TaskGroup() as group:
            for policy in policies:
                group.create_task(policy.call(nap, 1.0))

    run_virtual(story())
    assert sorted(asked) == [2.0, 5.0]


def test_finished_calls_do_not_keep_the_timer_firing(monkeypatch):
    """Calls of 0.1 s under a timeout of 10 s: the timer is set once per 10 s, for the call that runs then."""
    asked = count_timers(monkeypatch)
    policy = Policy(timeout=10.0)

    async def story():
        for _ in range(1000):
            await policy.call(nap, 0.1)
        await asyncio.sleep(100)  # and it falls silent when nothing runs

    run_virtual(story())
    assert 10 <= len(asked) <= 11


def test_finished_calls_behind_a_long_one_are_swept_out():
    policy = Policy(timeout=1000.0)

    async def story():
        queue = queue_for(asyncio.get_running_loop(), 1000.0)
        async with asyncio.TaskGroup() as group:
            group.create_task(policy.call(nap, 900.0))
            await asyncio.sleep(0)
            longest = 0
            for _ in range(5000):
                await policy.call(nap, 0.0)
                longest = max(longest, len(queue._alarms))
            story = repr(queue)
        return longest, story

    longest, story = run_virtual(story())
    assert longest < 300
    assert story.startswith("<DeadlineQueue 1000 s, 1 running, ")


def test_a_call_behind_swept_ones_still_times_out():
    policy = Policy(timeout=10.0)

    async def story():
        async with asyncio.TaskGroup() as group:
            first = group.create_task(policy.call(nap, 9.0))
            await asyncio.sleep(1)
            hung = group.create_task(_ended_at(policy))
            for _ in range(1000):
                await policy.call(nap, 0.0)
        return first.result(), hung.result()

    assert run_virtual(story()) == (9.0, 11.0)


async def _ended_at(policy):
    with pytest.raises(AttemptTimedOut):
        await policy.call(forever)
    return now()


def test_one_policy_works_on_one_loop_after_another():
    policy = Policy(timeout=1.0)

    async def story():
        assert await policy.call(nap, 0.5) == 0.5
        with pytest.raises(AttemptTimedOut):
            await policy.call(forever)
        return now()

    assert [run_virtual(story()) for _ in range(3)] == [1.5] * 3


def test_one_policy_works_on_the_stock_loop():
    policy = Policy(timeout=0.01)

    async def story():
        with pytest.raises(AttemptTimedOut):
            await policy.call(forever)
        return asyncio.current_task().cancelling()

    assert asyncio.run(story()) == 0
    assert asyncio.run(story()) == 0


def test_a_loop_that_runs_its_timers_early_does_not_make_the_queue_spin(monkeypatch):
    """The clock of some systems ticks every 16 ms, and their loops run timers up to a tick early."""
    monkeypatch.setattr(deadlines, "_unheeded", None)  # who wants to know of unheeded alarms has timers too
    tick = 0.016
    call_at, time = SimLoop.call_at, SimLoop.time

    def early(loop, when, *args, **options):
        return call_at(loop, max(loop.time(), when - tick), *args, **options)

    monkeypatch.setattr(SimLoop, "call_at", early)
    monkeypatch.setattr(SimLoop, "time", lambda loop: time(loop) // tick * tick)
    asked = count_timers(monkeypatch)

    async def story():
        with pytest.raises(AttemptTimedOut):
            await Policy(timeout=0.5).call(forever)
        return now()

    assert run_virtual(story()) == pytest.approx(0.5, abs=0.033)
    assert asked == [0.5]


def test_queues_are_shared_per_loop_and_duration_and_die_with_their_users():
    async def story():
        loop = asyncio.get_running_loop()
        queue = queue_for(loop, 3.0)
        assert queue_for(loop, 3.0) is queue
        assert queue_for(loop, 4.0) is not queue
        return weakref.ref(queue), weakref.ref(loop)

    queue, loop = run_virtual(story())
    gc.collect()
    assert queue() is None
    assert loop() is None
