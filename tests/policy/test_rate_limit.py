from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from asyncflow import sim
from asyncflow.ambient import World, entered, world
from asyncflow.errors import InvalidPolicy, RateLimited
from asyncflow.policy.rate_limit import Limiter, RateLimit


def limiter_of(*args, **settings):
    return Limiter(RateLimit(*args, **settings))


def waits(limiter, *times, within=1e9, permits=1):
    return [limiter.reserve(at, within=within, permits=permits) for at in times]


@pytest.mark.parametrize(
    ("limit", "times", "expected"),
    [
        # As many as the burst at once, then evenly.
        (RateLimit(2), [0, 0, 0, 0, 0], [0, 0, 0.5, 1, 1.5]),
        (RateLimit(2, burst=1), [0, 0, 0], [0, 0.5, 1]),
        (RateLimit(2, burst=4), [0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0.5, 1]),
        (RateLimit(1, timedelta(minutes=1)), [0, 0, 0], [0, 60, 120]),
        (RateLimit(1, 1000), [0, 999, 2000], [0, 1, 0]),
        # A pause brings the burst back, and no more.
        (RateLimit(2), [0, 0, 1, 1, 1], [0, 0, 0, 0, 0.5]),
        (RateLimit(2), [0, 0, 900, 900, 900], [0, 0, 0, 0, 0.5]),
        (RateLimit(2), [0, 0, 0.5, 0.5], [0, 0, 0, 0.5]),
        # Time does not go back for it.
        (RateLimit(2, burst=1), [5, 5, 6, 6], [0, 0.5, 0, 0.5]),
    ],
)
def test_calls_wait_for_a_time_of_their_own(limit, times, expected):
    assert waits(Limiter(limit), *times) == expected


def test_a_wait_that_is_too_long_is_refused_and_takes_nothing():
    limiter = limiter_of(2, burst=1, name="api")
    assert waits(limiter, 0, 0) == [0, 0.5]
    refused = limiter.reserve(0, within=0.9)

    assert isinstance(refused, RateLimited)
    assert (refused.retry_after, refused.name) == (1.0, "api")
    assert str(refused) == (
        "rate limit 'api' lets 2 calls per 1 s with a burst of 1 through and has no permit now; "
        "ask again in 1 s"
    )
    assert limiter.reserve(0, within=1.0) == 1.0


@pytest.mark.parametrize("now", [0.0, 0.1, 1e6, 2**31 + 0.3])
@pytest.mark.parametrize("limit", [RateLimit(3), RateLimit(7, 0.3, burst=2), RateLimit(1, 3600)])
def test_waiting_exactly_as_long_as_was_said_is_enough(limit, now):
    limiter = Limiter(limit)
    for _ in range(50):
        refused = limiter.reserve(now)
        if isinstance(refused, RateLimited):
            now += refused.retry_after
            assert limiter.reserve(now) == 0.0


def test_several_permits_are_taken_together():
    limiter = limiter_of(10, burst=4)
    assert waits(limiter, 0, permits=3) == [0]
    assert waits(limiter, 0, permits=3) == [pytest.approx(0.2)]
    assert waits(limiter, 0) == [pytest.approx(0.3)]


@pytest.mark.parametrize("permits", [0, -1, 5])
def test_more_permits_than_can_be_there_at_once_are_a_mistake(permits):
    with pytest.raises(InvalidPolicy, match="must be from 1 to 4, the burst of the rate limit"):
        limiter_of(10, burst=4).reserve(0, permits=permits)


@pytest.mark.parametrize("burst", [1, 3])
def test_the_last_reservation_given_back_is_as_if_it_had_never_been_made(burst):
    limiter, untouched = limiter_of(2, burst=burst), limiter_of(2, burst=burst)
    assert waits(limiter, *[0] * 6)[:5] == waits(untouched, *[0] * 5)
    limiter.give_back(1, 0.25)

    assert limiter.tat == untouched.tat


def test_a_reservation_that_is_given_back_goes_to_the_next_who_asks():
    limiter = limiter_of(2, burst=1)
    slots = []
    for _ in range(4):
        limiter.reserve(0, within=9)
        slots.append(limiter.slot)
    limiter.give_back(1, 0.25, slots[2])  # of 0, 0.5, 1 and 1.5

    assert waits(limiter, 0.25, 0.25) == [0.75, 1.75]


def test_a_reservation_whose_time_has_come_lapses_when_it_is_given_back():
    limiter = limiter_of(2, burst=1)
    limiter.reserve(0)
    slot = limiter.slot
    limiter.reserve(0, within=9)
    limiter.give_back(1, 0.25, slot)

    assert waits(limiter, 0.25) == [0.75]  # right away it would be two within a quarter of a second


def test_several_permits_that_are_given_back_are_used_one_by_one():
    limiter = limiter_of(2, burst=2)
    waits(limiter, 0, 0)
    limiter.reserve(0, within=9, permits=2)
    slot = limiter.slot
    waits(limiter, 0)
    limiter.give_back(2, 0, slot)

    assert waits(limiter, 0, 0, 0) == [0.5, 1.0, 2.0]


def test_all_that_is_given_back_leaves_a_limiter_as_new():
    limiter = limiter_of(2, burst=3)
    slots = []
    for _ in range(9):
        limiter.reserve(0, within=9)
        slots.append(limiter.slot)
    for slot in sorted(slots, key=lambda slot: (slot * 7) % 4):
        limiter.give_back(1, 0, slot)

    assert waits(limiter, 0, 0, 0, 0) == [0, 0, 0, 0.5]


def test_a_frame_in_a_hurry_takes_a_permit_by_itself():
    limiter, other = limiter_of(2), limiter_of(2)
    for now in (0.0, 0.0, 0.1, 0.5, 9.0):
        if limiter.tat - now <= limiter.tolerance:
            slot = max(limiter.tat, now)
            limiter.tat = slot + limiter.step
            assert other.reserve(now) == 0.0
            assert other.slot == slot
        else:
            assert isinstance(other.reserve(now), RateLimited)
    assert limiter.tat == other.tat


def test_what_is_free_and_what_is_owed_can_be_read():
    limiter = limiter_of(10, 2.0, name="api")
    assert limiter.free(0.0) == 10
    waits(limiter, *[0.0] * 12)

    assert limiter.free(0.0) == -2
    assert limiter.free(1.0) == 3
    assert repr(limiter) == "<RateLimit api 10 calls per 2 s>"
    assert repr(limiter_of(1, 5.0)) == "<RateLimit 1 call per 5 s>"


@pytest.mark.parametrize(
    ("args", "settings", "problem"),
    [
        (
            (0,),
            {},
            "calls=0 must be a whole number, 1 or more; for less than one a second give a longer `per`",
        ),
        ((0.5,), {}, "calls=0.5"),
        ((1, 0), {}, "per=0 must be more than 0"),
        ((1, float("inf")), {}, "per=inf"),
        ((1,), {"burst": 0}, "burst=0 must be a whole number"),
        ((1,), {"name": 7}, "name=7 must be a text"),
    ],
)
def test_a_setting_out_of_range_is_refused(args, settings, problem):
    with pytest.raises(InvalidPolicy, match=problem):
        RateLimit(*args, **settings)


def test_trap_16_each_of_those_that_wait_is_woken_once():
    wakes = []

    async def caller(limiter):
        wait = limiter.reserve(world().monotonic(), within=60)
        if wait:
            await asyncio.sleep(wait)
            wakes.append(world().monotonic())

    async def herd():
        limiter = RateLimit(10).limiter()
        began = world().monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(500):
                group.create_task(caller(limiter))
        return began

    began = sim.run(herd())
    assert len(wakes) == 490  # ten were there at once
    assert [round(at - began, 6) for at in wakes] == [round(n / 10, 6) for n in range(1, 491)]


def test_trap_17_a_limiter_outlives_the_event_loop_in_which_it_was_first_used():
    limit = RateLimit(1, 3600.0)

    async def ask():
        return limit.limiter().reserve(world().monotonic())

    with entered(World()):
        assert asyncio.run(ask()) == 0.0
        assert isinstance(asyncio.run(ask()), RateLimited)


def test_a_permit_that_was_given_back_is_not_used_after_its_time():
    """It would come on top of its successor, who kept its own time."""
    limiter = limiter_of(1)
    assert waits(limiter, 0, 0) == [0, 1]
    slot = limiter.slot
    assert waits(limiter, 0, 0, 0) == [2, 3, 4]
    limiter.give_back(1, 0.5, slot)
    assert waits(limiter, 2.5) == [2.5]
