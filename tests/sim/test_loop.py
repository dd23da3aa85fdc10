from __future__ import annotations

import asyncio
import gc
import logging
import queue
import signal
import threading
import time
from math import inf, nan

import pytest

from asyncflow.ambient import world
from asyncflow.sim import Simulation, run
from asyncflow.sim.clock import EPOCH


def loop_time() -> float:
    return asyncio.get_running_loop().time()


# ------------------------------------------------------------------ time


def test_a_year_less_a_day_of_waiting_costs_nothing_and_all_clocks_agree():
    async def main():
        await asyncio.sleep(364 * 86_400)
        return loop_time(), world().monotonic(), world().wall() - EPOCH

    began = time.monotonic()
    assert run(main()) == (364 * 86_400.0,) * 3
    assert time.monotonic() - began < 2


def test_time_stands_still_while_something_is_ready():
    async def main():
        asyncio.get_running_loop().call_later(1e-9, seen.append, "timer")
        for _ in range(100):
            await asyncio.sleep(0)
            seen.append(loop_time())
        await asyncio.sleep(1)

    seen = []
    run(main())
    assert seen == [0.0] * 100 + ["timer"]


@pytest.mark.parametrize("delay", [0.0, 1.0])
def test_timers_of_one_instant_fire_in_the_order_in_which_they_were_set(delay):
    async def main():
        loop = asyncio.get_running_loop()
        for number in range(100):
            loop.call_at(delay, seen.append, number)
        await asyncio.sleep(2)

    seen = []
    run(main())
    assert seen == list(range(100))


def test_a_timer_that_is_due_at_once_comes_after_what_is_ready_and_before_what_that_adds():
    async def main():
        loop = asyncio.get_running_loop()
        loop.call_later(0, seen.append, "due")
        loop.call_soon(lambda: (seen.append("ready"), loop.call_soon(seen.append, "added")))
        loop.call_soon(seen.append, "ready too")
        await asyncio.sleep(1)

    seen = []
    run(main())
    assert seen == ["ready", "ready too", "due", "added"]


def test_what_keeps_itself_ready_does_not_hold_off_timers_that_are_due():
    async def main():
        loop = asyncio.get_running_loop()
        simulation.clock.now += 5  # as a body does that blocks the loop
        loop.call_at(3, done.set)
        turns = 0
        while not done.is_set():
            await asyncio.sleep(0)
            turns += 1
        return turns, loop.time()

    simulation, done = Simulation(), asyncio.Event()
    assert simulation.run(main()) == (2, 5.0)


@pytest.mark.parametrize("start", [0.0, 1.0, 1e6, 3e7])
def test_a_timer_is_never_early_and_never_forgotten(start):
    """The stock loop's timers fire early by its clock's resolution; in virtual time that never ends."""

    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.sleep(start)
        deadline = loop.time() + 1e-7
        calls = 0
        while loop.time() < deadline:
            calls += 1
            future = loop.create_future()
            loop.call_at(deadline, future.set_result, None)
            await future
        return calls

    assert run(main()) <= 1


def test_a_wait_shorter_than_the_spacing_of_the_clock_ends_at_once():
    async def main():
        await asyncio.sleep(3e7)
        await asyncio.sleep(1e-12)
        return loop_time()

    assert run(main()) == 3e7


def test_nan_is_no_time():
    async def main():
        asyncio.get_running_loop().call_at(nan, print)

    with pytest.raises(ValueError, match="nan"):
        run(main())


def test_a_timer_at_the_end_of_time_holds_nobody_up():
    async def main():
        async with asyncio.timeout(inf):
            await asyncio.sleep(5)
        async with asyncio.timeout(5):
            with pytest.raises(asyncio.CancelledError):
                await asyncio.sleep(inf)
            raise TimeoutError
        return

    with pytest.raises(TimeoutError):
        run(main())


def test_cancelled_timers_do_not_pile_up():
    async def main():
        loop = asyncio.get_running_loop()
        loop.call_later(2_000_000, print)
        for number in range(5_000):
            async with asyncio.timeout(1_000_000 + number):
                await asyncio.sleep(1)
            assert len(loop._timers) < 300
        return loop._cancelled_timers <= len(loop._timers)

    assert run(main())


def test_timers_keep_their_order_when_cancelled_ones_are_cleared_away():
    async def main():
        loop = asyncio.get_running_loop()
        timers = [loop.call_at(1, seen.append, number) for number in range(1_000)]
        for number, timer in enumerate(timers):
            if number % 10:
                timer.cancel()
        await asyncio.sleep(2)
        return loop._cancelled_timers

    seen = []
    assert run(main()) == 0
    assert seen == list(range(0, 1_000, 10))


# ------------------------------------------------------------------ what asyncio offers


async def with_queue():
    numbers = asyncio.Queue(2)

    async def produce():
        for number in range(5):
            await asyncio.sleep(1)
            await numbers.put(number)

    async with asyncio.TaskGroup() as group:
        group.create_task(produce())
        return [await numbers.get() for _ in range(5)], loop_time()


async def with_timeout():
    try:
        async with asyncio.timeout(3):
            await asyncio.sleep(5)
    except TimeoutError:
        return loop_time()


async def with_wait_for():
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 3)
    except TimeoutError:
        return loop_time()


async def with_group_that_fails():
    async def fail():
        await asyncio.sleep(1)
        raise ValueError("no")

    async def wait(name):
        try:
            await asyncio.sleep(10)
        finally:
            seen.append((name, loop_time()))

    seen = []
    try:
        async with asyncio.TaskGroup() as group:
            for name in "abc":
                group.create_task(wait(name))
            group.create_task(fail())
    except* ValueError:
        pass
    return seen


async def with_a_cell():
    """Locks, conditions and semaphores wake who waited first."""
    lock, seen = asyncio.Lock(), []

    async def enter(name):
        async with lock:
            seen.append(name)
            await asyncio.sleep(1)

    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(enter(name))
    return seen, loop_time()


async def with_thread():
    return await asyncio.to_thread(sum, [1, 2])


async def with_stream():
    reader = asyncio.StreamReader()
    asyncio.get_running_loop().call_later(2, reader.feed_data, b"line\n")
    return await reader.readline(), loop_time()


@pytest.mark.parametrize(
    ("program", "value"),
    [
        (with_queue, ([0, 1, 2, 3, 4], 5.0)),
        (with_timeout, 3.0),
        (with_wait_for, 3.0),
        (with_group_that_fails, [("a", 1.0), ("b", 1.0), ("c", 1.0)]),
        (with_a_cell, (["a", "b", "c"], 3.0)),
        (with_thread, 3),
        (with_stream, (b"line\n", 2.0)),
    ],
)
def test_what_asyncio_offers_works_in_virtual_time(program, value):
    assert run(program()) == value


def test_async_generators_that_were_left_open_are_closed_in_the_order_in_which_they_were_begun():
    async def count(name):
        try:
            while True:
                yield name
        finally:
            await asyncio.sleep(1)
            seen.append(name)

    async def main():
        for number in range(20):
            left_open.append(count(number))
            await anext(left_open[-1])

    seen, left_open = [], []
    run(main())
    assert seen == list(range(20))


def test_the_exception_handler_hears_of_callbacks_that_fail():
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: heard.append(repr(context["exception"])))
        loop.call_soon(int, "x")
        loop.call_later(1, int, "y")
        await asyncio.sleep(2)

    heard = []
    run(main())
    assert [text[:10] for text in heard] == ["ValueError"] * 2


def test_a_foreign_thread_may_hand_in_callbacks():
    def work():
        loop, future = asked.get()
        loop.call_soon_threadsafe(future.set_result, "from afar")
        answered.set()

    async def main():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        asked.put((loop, future))
        answered.wait()
        return await future, loop.time()

    asked, answered = queue.SimpleQueue(), threading.Event()
    thread = threading.Thread(target=work)
    thread.start()  # outside: the world itself refuses threads of one's own
    assert run(main()) == ("from afar", 0.0)
    thread.join()


def test_debug_mode_works_and_tells_of_callbacks_that_sleep(caplog):
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        loop.call_later(1, sleep_a_second)
        timer = loop.call_later(2, print)
        cancelled = loop.call_soon(print)
        cancelled.cancel()
        assert "created at" in repr(timer)
        with pytest.raises(TypeError, match="coroutines cannot be used"):
            loop.call_later(1, main)
        await asyncio.sleep(3)
        loop.set_debug(False)

    def sleep_a_second():
        simulation.clock.now += 1

    simulation = Simulation()
    with caplog.at_level(logging.WARNING, "asyncio"):
        simulation.run(main())
    (record,) = caplog.records
    assert "sleep_a_second" in record.getMessage()
    assert record.getMessage().endswith("took 1.000 seconds")


def test_ctrl_c_cancels_the_program_and_comes_out_as_a_keyboard_interrupt():
    async def main():
        try:
            asyncio.get_running_loop().call_later(5, signal.raise_signal, signal.SIGINT)
            while True:
                await asyncio.sleep(1)
        finally:
            seen.append(loop_time())

    seen = []
    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert seen == [5.0]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_a_callback_held_is_let_go_of_before_the_clock_moves():
    class Thing:
        def __del__(self):
            seen.append(loop.time())

        def touch(self):
            pass

    async def main():
        nonlocal loop
        loop = asyncio.get_running_loop()
        loop.call_later(1, Thing().touch)
        await asyncio.sleep(2)

    seen, loop = [], None
    run(main())
    assert seen == [1.0]


# ------------------------------------------------------------------ garbage


class Knot:
    """Garbage that only the collector finds."""

    def __init__(self, story):
        self.me = self
        self.story = story
        self.loop = asyncio.get_running_loop()

    def __del__(self):
        self.story.append(self.loop.time())


def test_garbage_is_collected_at_the_same_steps_in_every_run():
    async def main(story):
        for number in range(150_000):
            if number % 1_000 == 0:
                Knot(story)
                await asyncio.sleep(1)
            await asyncio.sleep(0)

    stories = []
    for ballast in ([], [[] for _ in range(100_000)]):
        story = []
        run(main(story))
        stories.append(story)
        del ballast
    assert stories[0] == stories[1]
    assert len(stories[0]) == 150
    assert len(set(stories[0])) > 1


def test_the_collector_is_as_it_was_after_a_run():
    async def main():
        return gc.isenabled()

    frozen = gc.get_freeze_count()
    assert gc.isenabled()
    assert run(main()) is False
    assert gc.isenabled()
    gc.disable()
    try:
        run(main())
        assert not gc.isenabled()
    finally:
        gc.enable()
    assert gc.get_freeze_count() <= frozen
