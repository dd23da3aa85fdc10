from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from random import Random

import pytest

from asyncflow.ambient import World, entered
from asyncflow.errors import BulkheadFull, InvalidPolicy
from asyncflow.policy.bulkhead import Bulkhead, Places
from asyncflow.policy.limit_rules import AIMD, Vegas


def places_of(limit, **settings):
    return Places(Bulkhead(limit, **settings), Random(0))


def test_calls_beyond_the_limit_queue_up_and_those_beyond_the_queue_are_refused():
    places = places_of(2, queue=1, name="db")
    first, second, third = (places.enter(0.0) for _ in range(3))
    refused = places.enter(0.0)

    assert [first.is_granted, second.is_granted, third.is_granted] == [True, True, False]
    assert isinstance(refused, BulkheadFull)
    assert refused.name == "db"
    assert refused.retry_after is None  # nobody knows how long a call takes
    assert "bulkhead 'db' is full: 2/2 taken, 1/1 waiting" in str(refused)
    assert repr(places) == "<Bulkhead db 2/2 taken, 1/1 waiting>"


def test_a_place_that_is_given_back_goes_to_the_one_that_has_waited_longest():
    places = places_of(1, queue=3)
    first, second, third, fourth = (places.enter(float(at)) for at in range(4))

    assert places.leave(first, 5.0) == [second]
    assert places.leave(third, 6.0, "neutral") == []  # it gives up
    assert places.leave(second, 7.0) == [fourth]
    assert (fourth.since, places.taken, places.waiting) == (7.0, 1, 0)


def test_a_newcomer_can_not_overtake_those_that_wait():
    places = places_of(1, queue=1)
    holder, waiting = places.enter(0.0), places.enter(0.0)
    places.leave(holder, 1.0)

    assert waiting.is_granted
    assert not places.enter(1.0).is_granted


def test_leaving_twice_gives_one_place_back():
    places = places_of(2)
    place = places.enter(0.0)
    places.enter(0.0)
    places.leave(place, 1.0)

    assert places.leave(place, 1.0) == []
    assert places.taken == 1
    assert "over" in repr(place)


def test_the_wait_for_a_place_ends_with_a_refusal_when_it_is_too_long():
    places = places_of(1, queue=2, queue_timeout=1.5)
    holder, late, next_one = places.enter(0.0), places.enter(0.0), places.enter(1.0)

    assert (holder.due, late.due, next_one.due) == (math.inf, 1.5, 2.5)
    refused = places.expire(late, 1.5)
    assert isinstance(refused, BulkheadFull)
    assert "the bulkhead had no place free within 1.5 s; 1/1 taken, 1/2 waiting" in str(refused)
    assert places.leave(holder, 2.0) == [next_one]


def test_a_place_that_is_granted_as_its_wait_ends_is_used():
    places = places_of(1, queue=1, queue_timeout=1.5)
    holder, waiting = places.enter(0.0), places.enter(0.0)
    places.leave(holder, 1.5)

    assert places.expire(waiting, 1.5) is None
    assert places.taken == 1


def test_a_call_that_is_cancelled_with_its_place_just_granted_passes_it_on():
    places = places_of(1, queue=2)
    holder, cancelled, next_one = (places.enter(0.0) for _ in range(3))
    places.leave(holder, 1.0)

    assert places.leave(cancelled, 1.0, "neutral") == [next_one]
    assert (places.taken, places.waiting) == (1, 0)


def test_a_frame_in_a_hurry_counts_by_itself():
    places = places_of(1, queue=1)
    places.taken += 1
    waiting = places.enter(0.0)
    places.taken -= 1

    assert places.grant(1.0) == [waiting]
    assert (places.taken, places.waiting) == (1, 0)


@pytest.mark.parametrize("verdict", ["failure", "neutral"])
def test_an_adaptive_limit_learns_nothing_from_failures_and_cancellations(verdict):
    places = places_of(10, adaptive=AIMD(window=0, min_calls=1))
    for _ in range(5):
        places.leave(places.enter(0.0), 100.0, verdict)

    assert places.limit == 10


def test_an_adaptive_limit_that_rises_lets_more_than_one_in():
    places = places_of(2, queue=9, adaptive=Vegas(window=0, min_calls=1))
    first, second, *waiting = [places.enter(0.0) for _ in range(11)]
    places.leave(first, 1.0)

    assert places.leave(second, 1.0) == waiting[1:8]  # one place given back, and six new ones
    assert (places.limit, places.taken, places.waiting) == (8, 8, 1)


def test_an_adaptive_limit_that_falls_takes_no_place_away():
    places = places_of(10, queue=5, adaptive=AIMD(window=0, min_calls=1))
    held = [places.enter(0.0) for _ in range(10)]
    waiting = places.enter(0.0)

    assert places.leave(held[0], 1.0, "dropped") == []
    assert (places.limit, places.taken) == (9, 9)
    assert places.leave(held[1], 1.0, "neutral") == [waiting]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"limit": 0}, "limit=0 must be a whole number, 1 or more"),
        ({"limit": True}, "limit=True"),
        ({"limit": 2.5}, "limit=2.5"),
        ({"limit": 1, "queue": -1}, "queue=-1 must be a whole number, 0 or more"),
        ({"limit": 1, "queue": math.inf}, "queue=inf"),
        ({"limit": 1, "queue_timeout": 1}, "queue_timeout=1 has nothing to end without a queue"),
        ({"limit": 1, "queue": 1, "queue_timeout": 0}, "queue_timeout=0 must be more than 0"),
        ({"limit": 1, "name": ""}, "name='' must be a text"),
        ({"limit": 1, "adaptive": "vegas"}, "adaptive='vegas' must be a rule such as Vegas()"),
        ({"limit": 2000, "adaptive": Vegas()}, "limit=2000 must be from 1 to 1000, which is what Vegas"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings, problem):
    with pytest.raises(InvalidPolicy, match="(?s)" + problem.replace("(", r"\(").replace(")", r"\)")):
        Bulkhead(**settings)


def test_a_length_of_time_may_be_a_timedelta():
    assert Bulkhead(1, queue=1, queue_timeout=timedelta(seconds=2)).queue_timeout == 2.0


def test_uses_of_one_name_share_their_places_and_other_settings_are_refused():
    with entered(World()):
        places = Bulkhead(2, name="db").places()
        assert Bulkhead(2, name="db").places() is places
        with pytest.raises(InvalidPolicy, match="two different settings"):
            Bulkhead(3, name="db").places()
    with entered(World()):
        assert Bulkhead(3, name="db").places() is not places


def test_trap_17_places_outlive_the_event_loop_in_which_they_were_first_used():
    bulkhead = Bulkhead(1, queue=1)

    async def one_after_the_other():
        places, loop = bulkhead.places(), asyncio.get_running_loop()
        holder, waiting = places.enter(loop.time()), places.enter(loop.time())
        woken = loop.create_future()
        waiting.wake = lambda: woken.set_result(None) is None
        for granted in places.leave(holder, loop.time()):
            granted.wake()
        await woken
        places.leave(waiting, loop.time())
        return places

    first, second = asyncio.run(one_after_the_other()), asyncio.run(one_after_the_other())
    assert first is second
    assert (first.taken, first.waiting) == (0, 0)


def test_a_forked_process_has_all_places_free_and_nobody_waits():
    places = places_of(1, queue=2)
    places.enter(0.0)
    waiting = places.enter(0.0)
    places.forked()
    assert (places.taken, places.waiting, places.enter(1.0).is_granted) == (0, 0, True)
    assert places.leave(waiting, 1.0) == []  # as when its coroutine is closed
    assert (places.taken, places.waiting) == (1, 0)
