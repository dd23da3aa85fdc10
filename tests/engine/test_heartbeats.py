"""Heartbeats: a body that does not beat for too long is given up; the next attempt knows how far it was."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta

import pytest

from asyncflow import Retry, current, flow, task
from asyncflow.errors import HeartbeatMissed, InvalidPolicy
from asyncflow.events import plain_detail
from asyncflow.history import fold
from asyncflow.sim import run as simulated
from tests.clock import run_virtual
from tests.engine.kit import moves, of_kind, play
from tests.engine.kit import states as final


def in_sim(declared, **parameters):
    """Run a flow in a simulated world and return the run."""

    async def story():
        run = await declared.start(**parameters)
        return await run.wait()

    return simulated(story())


def of(body):
    """Return a flow of one task."""
    return flow(name="f")(lambda: body())


@pytest.mark.parametrize("limit", [5, 5.0, timedelta(seconds=5)])
def test_an_attempt_that_does_not_beat_is_given_up(limit):
    @task(heartbeat=limit)
    async def silent():
        await asyncio.sleep(60)

    run = play(of(silent))
    assert final(run) == {"silent": "TimedOut"}
    (error,) = [run.tasks[0].error()]
    assert type(error) is HeartbeatMissed
    assert str(error) == "attempt 1 had no heartbeat for 5 s and was given up; it never beat"
    assert of_kind(run, "heartbeat_missed") == [{"limit": 5.0, "last": None, "beats": 0, "detail": None}]
    assert run.events[-1].offset == 5.0


def test_one_that_beats_may_go_on_for_as_long_as_it_likes():
    @task(heartbeat=5)
    async def lively():
        for _ in range(20):
            await asyncio.sleep(4)
            current().heartbeat()
        return "done"

    run = play(of(lively))
    assert run.tasks[0].state.result == "done"
    assert of_kind(run, "heartbeat_missed") == []


def test_the_text_says_when_it_last_beat_and_with_which_detail():
    @task(heartbeat=5)
    async def stops():
        await asyncio.sleep(2)
        current().heartbeat({"row": 500})
        await asyncio.sleep(60)

    run = play(of(stops))
    assert str(run.tasks[0].error()) == (
        "attempt 1 had no heartbeat for 5 s and was given up; "
        "it last beat 2 s after its start and said {'row': 500}"
    )
    assert of_kind(run, "heartbeat_missed")[0]["detail"] == {"row": 500}
    assert run.events[-1].offset == 7.0
    history = fold(run.header, [event._replace(detail=plain_detail(event.detail)) for event in run.events])
    assert history.tasks[0].attempts[0].outcome == "timed out"
    assert history.notices[0].text == (
        "stops, attempt 1: no heartbeat for 5 s, the last came after 2 s; the attempt was given up"
    )


def test_the_next_attempt_goes_on_where_the_last_beat_was():
    seen = []

    @task(heartbeat=5, retry=Retry(3))
    async def resumes():
        start = current().heartbeat_detail or 0
        seen.append((current().attempt, start))
        for row in range(start, 30):
            if row in (10, 20) and row != start:
                await asyncio.sleep(60)
            await asyncio.sleep(1)
            current().heartbeat(row + 1)
        return "all"

    run = play(of(resumes))
    assert run.tasks[0].state.result == "all"
    assert seen == [(1, 0), (2, 10), (3, 20)]
    assert moves(run, "resumes") == ["Running", "Retrying", "Running", "Retrying", "Running", "Success"]


def test_without_a_limit_the_detail_is_kept_all_the_same():
    seen = []

    @task(retry=Retry(2))
    async def counts():
        seen.append(current().heartbeat_detail)
        current().heartbeat(41)
        if len(seen) == 1:
            raise ValueError("no")

    play(of(counts))
    assert seen == [None, 41]


@pytest.mark.parametrize(
    ("sleeps", "ends"),
    [((1, 1, 1), ("Success", 3.0)), ((1, 10, 1), ("TimedOut", 8.0)), ((10,), ("TimedOut", 7.0))],
)
def test_the_beats_of_a_def_body_count_at_the_time_when_they_came(sleeps, ends):
    @task(heartbeat=7)
    def sleeper():
        for length in sleeps:
            time.sleep(length)
            current().heartbeat(length)

    run = in_sim(of(sleeper))
    assert (run.tasks[0].state.name, run.tasks[0].run.record.events[-2].offset) == ends


def test_a_beat_may_come_from_a_thread():
    beaten = threading.Event()

    @task(heartbeat=30)
    def body():
        current().heartbeat("from a thread")
        beaten.set()

    run = of(body).run()
    assert run.state.is_success()
    assert beaten.is_set()
    assert run.tasks[0].heartbeat_detail == "from a thread"


def test_a_beat_after_the_attempts_end_is_ignored():
    gate, left = threading.Event(), threading.Event()

    @task(heartbeat=0.1, retry=Retry(2))
    def body():
        me = current()
        if me.attempt == 2:
            return me.heartbeat_detail
        me.heartbeat("in time")
        gate.wait(5)
        me.heartbeat("too late")
        left.set()
        return None

    @flow
    async def f():
        handle = body()
        while handle.attempt < 2 and not handle.state.final:
            await asyncio.sleep(0.005)
        result = await handle
        gate.set()
        await asyncio.to_thread(left.wait, 5)
        return result, handle.heartbeat_detail

    assert f.run().result() == ("in time", "in time")


def test_the_users_own_cancellation_wins_over_a_missed_beat():
    @task(heartbeat=5)
    async def silent():
        await asyncio.sleep(60)

    async def story():
        run = await of(silent).start()
        await asyncio.sleep(5)
        run.tasks["silent"].cancel()
        return await run.wait()

    assert final(run_virtual(story())) == {"silent": "Cancelled"}


def test_a_body_that_answers_with_a_value_keeps_it():
    @task(heartbeat=5)
    async def stubborn():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return asyncio.current_task().cancelling()

    run = play(of(stubborn))
    assert (run.tasks[0].state.name, run.tasks[0].state.result) == ("Success", 1)


def test_the_attempts_timeout_and_a_missed_beat_at_one_instant_end_it_once():
    @task(heartbeat=5, timeout=5)
    async def silent():
        await asyncio.sleep(60)

    run = play(of(silent))
    assert moves(run, "silent") == ["Running", "TimedOut"]


@pytest.mark.parametrize("limit", [0, -1, "soon", float("inf")])
def test_a_limit_that_is_none_is_refused(limit):
    with pytest.raises(InvalidPolicy, match="heartbeat="):
        task(heartbeat=limit)(lambda: None)
