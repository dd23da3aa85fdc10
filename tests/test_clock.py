from __future__ import annotations

import asyncio
import random
import time

import pytest

from asyncflow.ambient import world
from asyncflow.errors import Stuck
from asyncflow.sim.clock import EPOCH
from tests.clock import run_virtual


def test_an_hour_of_waiting_costs_nothing_and_all_clocks_agree():
    async def story():
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time(), world().monotonic(), time.time() - EPOCH

    began = time.monotonic()
    assert run_virtual(story()) == pytest.approx((3600, 3600, 3600))
    assert time.monotonic() - began < 2


def test_a_story_has_the_chance_of_its_seed():
    async def story():
        return random.random(), world().stream("retry").random()

    assert run_virtual(story(), seed=1) == run_virtual(story(), seed=1) != run_virtual(story(), seed=2)


def test_a_story_that_can_not_go_on_is_an_error():
    with pytest.raises(Stuck):
        run_virtual(asyncio.Event().wait())


async def test_a_test_that_asks_for_the_clock_is_the_story(virtual_clock):
    await asyncio.sleep(3600)
    assert virtual_clock.now == asyncio.get_running_loop().time() == time.monotonic() == 3600


@pytest.mark.parametrize("seconds", [1, 2])
@pytest.mark.usefixtures("virtual_clock")
class TestAClassOfStories:
    async def test_each_story_has_a_world_of_its_own(self, seconds, tmp_path):
        await asyncio.sleep(seconds)
        assert time.monotonic() == seconds
        assert tmp_path.is_dir()
