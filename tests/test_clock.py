from __future__ import annotations

import asyncio
import time

import pytest

from asyncflow.ambient import world
from tests.clock import EPOCH, Clock, run_virtual


def test_an_hour_of_waiting_costs_nothing_and_all_clocks_agree():
    async def story():
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time(), world().monotonic(), world().wall() - EPOCH

    began = time.monotonic()
    assert run_virtual(story()) == pytest.approx((3600, 3600, 3600))
    assert time.monotonic() - began < 2


def test_timers_fire_in_order_at_their_instants():
    async def story():
        seen = []

        async def at(delay):
            await asyncio.sleep(delay)
            seen.append(round(world().monotonic(), 6))

        async with asyncio.TaskGroup() as group:
            for delay in (3.0, 0.5, 2.0):
                group.create_task(at(delay))
        return seen

    assert run_virtual(story()) == [0.5, 2.0, 3.0]


def test_a_thread_is_waited_for_when_no_timer_is_pending():
    async def story():
        return await asyncio.to_thread(lambda: 5)

    assert run_virtual(story()) == 5


def test_a_clock_may_be_handed_on_to_the_next_loop():
    clock = Clock()
    run_virtual(asyncio.sleep(2), clock=clock)
    run_virtual(asyncio.sleep(3), clock=clock)
    assert clock.now == pytest.approx(5)
