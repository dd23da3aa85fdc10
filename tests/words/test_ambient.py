from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from asyncflow.ambient import World, entered, world
from asyncflow.errors import InvalidPolicy


def test_ids_are_unique_and_sort_by_time() -> None:
    clock = iter(range(1_700_000_000, 1_700_000_300))
    here = World(wall=lambda: float(next(clock)))
    ids = [here.new_id() for _ in range(300)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 300
    assert {len(one) for one in ids} == {20}
    assert set("".join(ids)) <= set("0123456789abcdefghjkmnpqrstvwxyz")


def test_ids_of_one_instant_differ() -> None:
    here = World(wall=lambda: 1.0)
    assert len({here.new_id() for _ in range(200)}) == 200


def test_one_seed_gives_one_sequence_for_each_stream_of_its_own() -> None:
    one, other = World(seed=7), World(seed=7)
    one.stream("faults").random()
    assert one.stream("backoff").random() == other.stream("backoff").random()
    assert one.stream("x").random() != one.stream("y").random()
    assert World(seed=8).stream("backoff").random() != World(seed=7).stream("backoff").random()


def test_a_stream_goes_on_where_it_was() -> None:
    here = World(seed=7)
    assert here.stream("x") is here.stream("x")
    assert World().stream("x").random() != World().stream("x").random()


def test_identity_follows_the_seed_only_when_it_is_told_to() -> None:
    def first_id(seeded: bool) -> str:
        return World(seed=7, seeded_identity=seeded, wall=lambda: 1.0).new_id()

    assert first_id(True) == first_id(True)
    assert first_id(False) != first_id(False)


def test_policy_state_is_shared_by_kind_and_name() -> None:
    here = World()
    made = here.shared("breaker", "api", {"failures": 5}, object)
    assert here.shared("breaker", "api", {"failures": 5}, object) is made
    assert here.shared("limit", "api", {"rate": 1}, object) is not made
    assert here.shared("breaker", "db", {"failures": 5}, object) is not made
    assert list(here.shared_states("breaker")) == ["api", "db"]


def test_one_name_with_two_settings_is_an_error_that_shows_both() -> None:
    here = World()
    here.shared("breaker", "api", 5, object)
    with pytest.raises(InvalidPolicy, match="breaker 'api' is used with two different settings, 5 and 6"):
        here.shared("breaker", "api", 6, object)


def test_a_world_is_entered_and_left_and_inherited_by_asyncio_tasks() -> None:
    outside, inside = world(), World(seed=7)

    async def seen() -> World:
        return world()

    async def story() -> World:
        return await asyncio.create_task(seen())

    with entered(inside) as here:
        assert here is world() is inside
        assert asyncio.run(story()) is inside
    assert world() is outside


def test_a_world_is_left_when_its_block_raises() -> None:
    outside = world()
    with pytest.raises(ValueError, match="x"), entered(World()):
        raise ValueError("x")
    assert world() is outside


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_process_has_chance_and_threads_of_its_own() -> None:
    program = """
import asyncio, os, time
from asyncflow import ambient, flow, task

@task
def work():
    return 1

@flow
async def f():
    return work()

def chance():
    return [ambient.world().stream(name).random() for name in ("ids", "names", "retry")]

async def run():
    async with asyncio.timeout(5):
        return await f()

f.run()
chance()
pool = ambient.world().threads
while not pool._idle:
    time.sleep(0.001)
reader, writer = os.pipe()
if not os.fork():
    os.write(writer, repr((chance(), asyncio.run(run()))).encode())
    os._exit(0)
drawn, result = eval(os.read(reader, 1000))
os.wait()
assert result == 1
assert not set(drawn) & set(chance()), drawn
"""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_a_seed_still_fixes_chance_after_a_fork_but_not_identity() -> None:
    here, same = World(seed=7), World(seed=7)
    here.stream("retry"), same.stream("retry")
    id_before = here.stream("ids").getstate()
    here.renew()
    assert here.stream("retry").random() == same.stream("retry").random()
    assert here.stream("ids").getstate() != id_before
