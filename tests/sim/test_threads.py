from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import threading
import time
import weakref

import pytest

from asyncflow import ambient, flow, task
from asyncflow.errors import Escaped
from asyncflow.sim import Simulation, worker
from asyncflow.sim.clock import EPOCH
from tests.sim.kit import play

REQUEST = contextvars.ContextVar("request", default="none")


def world_of(seed=7):
    simulation = Simulation(seed)
    return simulation, simulation.threads


def ignored(_count):
    pass


async def run(threads, fn, *args, left=ignored):
    value, error = await threads.run(fn, args, {}, left)
    try:
        if error is not None:
            raise error
        return value
    finally:
        del error  # whose traceback holds this frame


# ------------------------------------------------------------------ where a body runs


def test_a_body_runs_in_another_thread_in_which_there_is_no_loop():
    def body():
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return threading.get_ident(), threading.current_thread().daemon

    async def main():
        ident, is_daemon = await asyncio.to_thread(body)
        assert ident != threading.get_ident()
        assert is_daemon

    play(main)


def test_one_thread_serves_all_bodies_and_all_simulations():
    async def main():
        return {await asyncio.to_thread(threading.get_ident) for _ in range(3)}

    assert len(play(main) | play(main)) == 1


def test_a_body_of_a_task_sees_the_context_of_its_caller():
    simulation, threads = world_of()

    async def main():
        REQUEST.set("seven")
        return await run(threads, REQUEST.get), await asyncio.to_thread(REQUEST.get)

    assert play(main, simulation=simulation) == ("seven", "seven")


def test_what_goes_to_the_executor_sees_no_context_but_the_world():
    async def main():
        REQUEST.set("seven")
        loop = asyncio.get_running_loop()
        in_thread = await loop.run_in_executor(None, lambda: (REQUEST.get(), ambient.world()))
        assert in_thread == ("none", ambient.world())

    play(main)


def test_def_tasks_of_a_flow_run_in_it():
    @task
    def wait():
        time.sleep(60)
        return time.time()

    @flow
    async def f():
        both = wait(), wait()
        return [await one for one in both]

    async def main():
        return await (await f.start()), time.time()

    assert play(main) == ([EPOCH + 60] * 2, EPOCH + 60)


# ------------------------------------------------------------------ virtual time


def test_what_a_body_sleeps_passes_for_itself_at_once_and_for_all_others_until_its_end():
    def body():
        time.sleep(3)
        time.sleep(0.5)
        return time.monotonic()

    async def main():
        begun = asyncio.get_running_loop().create_task(asyncio.to_thread(body))
        await asyncio.sleep(1)
        seen = time.monotonic(), begun.done()
        return seen, await begun, time.monotonic()

    assert play(main) == ((1, False), 3.5, 3.5)


def test_bodies_sleep_side_by_side():
    async def main():
        async with asyncio.TaskGroup() as group:
            for length in (5, 3, 4):
                group.create_task(asyncio.to_thread(time.sleep, length))
        return time.monotonic()

    assert play(main) == 5


def test_bodies_run_in_the_order_in_which_they_are_called():
    async def main():
        done = []
        async with asyncio.TaskGroup() as group:
            for number in range(50):
                group.create_task(asyncio.to_thread(done.append, number))
        return done

    assert play(main) == list(range(50))


@pytest.mark.parametrize("debug", [False, True])
def test_the_loop_hears_of_a_body_when_that_has_slept_and_in_the_order_in_which_it_spoke(debug):
    heard = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_debug(debug)

        def body():
            for word in ("first", "second"):
                loop.call_soon_threadsafe(lambda word=word: heard.append((word, time.monotonic())))
            time.sleep(5)
            loop.call_soon_threadsafe(lambda: heard.append(("third", time.monotonic())))
            time.sleep(5)

        await asyncio.to_thread(body)
        loop.set_debug(False)
        return time.monotonic()

    assert play(main) == 10
    assert heard == [("first", 0), ("second", 0), ("third", 5)]


def test_the_trace_tells_of_each_body_and_of_a_blocked_loop():
    simulation, threads = world_of()

    async def main():
        await asyncio.to_thread(functools.partial(time.sleep, 2))
        await run(threads, lambda: None)
        time.sleep(1)

    play(main, simulation=simulation)
    named = [line for line in simulation.trace.lines if "thread" in line or "blocked" in line]
    assert [line.split()[1] for line in named] == ["thread", "thread", "loop.blocked"]
    assert "sleep" in named[0]
    assert "2.0" in named[0]


# ------------------------------------------------------------------ ends


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_of_a_body_is_an_outcome(error):
    simulation, threads = world_of()

    def body():
        raise error

    async def main():
        return await threads.run(body, (), {}, ignored)

    assert play(main, simulation=simulation) == (None, error)


def test_an_error_in_the_executor_is_raised_where_it_is_awaited():
    async def main():
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await asyncio.to_thread(next, iter(()))

    play(main)


class Thing:
    pass


@pytest.mark.parametrize("road", ["task", "executor"])
def test_nothing_of_a_body_outlives_it_without_the_collector(road):
    def body(thing):
        raise ValueError(thing)

    async def called():
        thing = Thing()
        seen = weakref.ref(thing)
        try:
            if road == "task":
                await run(ambient.world().threads, body, thing)
            else:
                await asyncio.to_thread(body, thing)
        except ValueError:
            pass
        return seen

    async def main():
        seen = await called()
        await asyncio.sleep(1)
        return seen()

    assert play(main) is None


# ------------------------------------------------------------------ cancellation


def test_a_cancelled_caller_leaves_a_body_behind_until_its_virtual_end():
    simulation, threads = world_of()
    told = []

    async def main():
        for length in (5, 8):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await run(threads, time.sleep, length, left=told.append)
        assert time.monotonic() == 2
        counted = []
        for until in (4.5, 5.5, 8.5, 9.5):
            await asyncio.sleep(until - time.monotonic())
            counted.append(threads.abandoned)
        return counted

    assert play(main, simulation=simulation) == [2, 1, 1, 0]
    assert told == [1, 2]


def test_a_body_that_has_ended_is_not_left_behind():
    simulation, threads = world_of()
    told = []

    async def main():
        caller = asyncio.get_running_loop().create_task(run(threads, int, left=told.append))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        return threads.abandoned

    assert play(main, simulation=simulation) == 0
    assert told == []


def test_a_function_that_was_cancelled_before_its_turn_is_not_called():
    called = []

    async def main():
        future = asyncio.get_running_loop().run_in_executor(None, called.append, 1)
        future.cancel()
        await asyncio.sleep(1)

    play(main)
    assert called == []


def test_a_future_that_is_cancelled_meanwhile_stays_cancelled():
    async def main():
        future = asyncio.get_running_loop().run_in_executor(None, time.sleep, 5)
        await asyncio.sleep(1)
        future.cancel()
        await asyncio.sleep(9)
        return future.cancelled()

    assert play(main)


# ------------------------------------------------------------------ bodies that do not return


@pytest.fixture
def gate():
    """Holds bodies until the test is over."""
    event = threading.Event()
    yield event
    event.set()


def test_a_body_that_does_not_return_has_escaped_and_its_thread_is_replaced(gate):
    simulation, threads = world_of()

    def blocks():
        gate.wait()

    async def main():
        before = await asyncio.to_thread(threading.get_ident)
        with pytest.raises(Escaped, match=r"test_threads.py:\d+ in .*blocks"):
            await run(threads, blocks)
        with pytest.raises(Escaped):
            await asyncio.to_thread(blocks)
        after = await asyncio.to_thread(threading.get_ident)
        return before != after, time.monotonic()

    with pytest.raises(Escaped):
        play(main, simulation=simulation, bound=0.05)
    assert len(simulation.escapes.found) == 2
    assert not threads.busy


def test_an_escaped_body_meets_the_real_world(gate):
    seen = []

    def blocks():
        gate.wait()
        seen.extend([time.time(), os.urandom(8)])

    async def main():
        with pytest.raises(Escaped):
            await asyncio.to_thread(blocks)
        gate.set()
        while len(seen) < 2:
            threading.Event().wait(0.001)
        return time.time(), os.urandom(8)

    with pytest.raises(Escaped):
        play(main, bound=0.05)
    assert seen[0] > EPOCH + 1e6


def test_a_lost_thread_ends_when_its_body_does(gate):
    seen = []

    def blocks():
        seen.append(threading.current_thread())
        gate.wait()

    async def main():
        await asyncio.to_thread(blocks)

    with pytest.raises(Escaped):
        play(main, bound=0.05)
    assert seen[0].is_alive()
    gate.set()
    seen[0].join(10)
    assert not seen[0].is_alive()


def test_interrupting_the_wait_for_a_body_gives_its_thread_up(gate, monkeypatch):
    class Interrupted(KeyboardInterrupt):
        pass

    def interrupt(*_args, **_options):
        raise Interrupted

    one = worker.Worker()
    monkeypatch.setattr(one, "_done", type("Lock", (), {"acquire": interrupt, "release": ignored})())
    with pytest.raises(Interrupted):
        one.did(gate.wait, 10)
    worker.give_back(one)
    assert one.lost
    assert one not in worker._parked
