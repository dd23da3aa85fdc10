"""`def` bodies: a pool of daemon threads. They are real, and so is time; what must pass is skipped."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref

import pytest

from asyncflow import ambient, current, flow, task
from asyncflow.engine.threads import ThreadPool
from asyncflow.policies import Hedge
from tests.engine.kit import of_kind
from tests.engine.kit import states as final
from tests.waiting import until

REQUEST = contextvars.ContextVar("request", default="none")


async def begun(event):
    """Wait until a body has begun, which sets this event."""
    assert await asyncio.to_thread(event.wait, 30)


@pytest.fixture
def later(monkeypatch):
    """Lets event loops believe that so many seconds are over: timers that are due by then fire."""
    skipped, time = 0.0, asyncio.BaseEventLoop.time
    monkeypatch.setattr(asyncio.BaseEventLoop, "time", lambda loop: time(loop) + skipped)

    def skip(seconds):
        nonlocal skipped
        skipped += seconds

    return skip


@pytest.fixture
def pool():
    """A world with a small pool: one thread, and one more for an abandoned one."""
    with ambient.entered(ambient.World()) as world:
        world.threads = ThreadPool(1, 1)
        yield world.threads


@pytest.fixture
def gate():
    """Holds bodies until it is set; it is set at the end in any case."""
    event = threading.Event()
    yield event
    event.set()


@task
def name_of_thread():
    return threading.current_thread().name, threading.current_thread().daemon


def test_a_def_body_runs_in_a_daemon_thread_and_an_async_one_on_the_loop():
    @task
    async def on_the_loop():
        return threading.current_thread() is threading.main_thread()

    @flow
    async def f():
        return await name_of_thread(), await on_the_loop()

    assert f.run().result() == (("asyncflow-body", True), True)


def test_def_bodies_run_at_the_same_time():
    both = threading.Barrier(2, timeout=30)

    @task
    def meet():
        both.wait()

    @flow
    async def f():
        meet()
        meet()

    assert f.run().state.is_success()


def test_there_are_never_more_threads_than_the_bound(pool):
    pool.size = 3
    busy, most, lock, full = 0, 0, threading.Lock(), threading.Barrier(3)

    @task
    def count():
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        full.wait(30)
        with lock:
            busy -= 1

    @flow
    async def f():
        for _ in range(12):
            count()

    assert f.run().state.is_success()
    assert most == pool.threads == 3
    assert ThreadPool().size >= 5


def test_no_thread_is_started_beyond_the_bound(pool, gate):
    @task
    def hold():
        gate.wait(30)

    @flow
    async def f():
        for _ in range(4):
            hold()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert pool.threads == 1
        gate.set()

    assert f.run().state.is_success()


def test_the_body_sees_the_context_and_what_it_sets_stays_inside():
    @task
    def look(value):
        seen = REQUEST.get()
        REQUEST.set(value)
        return seen, current().name

    @flow
    async def f():
        REQUEST.set("r1")
        return [await look("a"), await look("b"), REQUEST.get()]

    assert f.run().result() == [("r1", "look"), ("r1", "look"), "r1"]


def test_the_bodys_exception_comes_back_as_itself():
    error = ValueError("no")

    @task
    def fail():
        raise error

    @flow
    async def f():
        with pytest.raises(ValueError, match="no") as caught:
            await fail()
        return caught.value is error

    assert f.run().result() is True


@pytest.mark.parametrize("error", [StopIteration(3), StopAsyncIteration()])
def test_an_error_that_python_can_not_pass_on_still_fails_the_task(error):
    @task
    def stop():
        raise error

    run = flow(name="f")(lambda: stop()).run()
    assert final(run) == {"stop": "Failed"}
    with pytest.raises((RuntimeError, BaseException)) as caught:
        run.result()
    assert error in (caught.value, caught.value.__cause__)


def test_a_thread_that_is_left_behind_is_counted_reported_and_replaced(pool, gate, later):
    started = threading.Event()

    @task(timeout=60)
    def hang():
        started.set()
        gate.wait(30)

    @task
    def quick():
        return "done"

    @flow
    async def f():
        hung = hang()
        await begun(started)
        waiting = quick()
        later(60)
        return states_of(await asyncio.gather(hung, waiting, return_exceptions=True))

    run = f.run()
    assert run.result() == ["AttemptTimedOut", "done"]
    assert final(run) == {"hang": "TimedOut", "quick": "Success"}
    assert of_kind(run, "thread_abandoned") == [{"threads": 1}]
    assert [event.task for event in run.events if event.kind == "thread_abandoned"] == [1]
    assert pool.abandoned == 1
    gate.set()
    until(lambda: pool.abandoned == 0, "the abandoned thread to come back")


def states_of(results):
    return [type(one).__name__ if isinstance(one, Exception) else one for one in results]


def test_beyond_the_bound_bodies_wait_for_a_thread(pool, gate, later):
    @task(timeout=60)
    def hang(started):
        started.set()
        gate.wait(30)

    @task
    def quick():
        return "done"

    @flow
    async def f():
        for _ in range(2):
            hung = hang(started := threading.Event())
            await begun(started)
            later(60)
            with pytest.raises(TimeoutError):
                await hung
        handle = quick()
        for _ in range(3):
            await asyncio.sleep(0)
        assert handle.state.name == "Running"
        assert (pool.threads, pool.abandoned) == (2, 2)
        gate.set()
        return await handle

    assert f.run().result() == "done"


def test_a_body_that_had_no_thread_yet_is_taken_back(pool, gate, later):
    ran = []

    @task
    def hold():
        gate.wait(30)

    @task(timeout=60)
    def never():
        ran.append(1)

    @flow
    async def f():
        held, refused = hold(), never()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        later(60)
        with pytest.raises(TimeoutError):
            await refused
        gate.set()
        await held

    run = f.run()
    assert run.state.is_success()
    assert ran == []
    assert pool.abandoned == 0
    assert of_kind(run, "thread_abandoned") == []


def test_others_that_end_meanwhile_are_not_reported_as_left_behind(pool, gate, later):
    pool.size = 2
    started = threading.Event()

    @task(timeout=60)
    def hang():
        started.set()
        gate.wait(30)

    @task
    def ends_later():
        until(lambda: pool.abandoned == 1, "the other thread to be left behind")

    @flow
    async def f():
        hang()
        ends_later()
        await begun(started)
        later(60)

    run = f.run()
    assert [event.task for event in run.events if event.kind == "thread_abandoned"] == [1]


def test_cancelling_a_run_leaves_its_threads_behind(pool, gate):
    started = threading.Event()

    @task
    def hang():
        started.set()
        gate.wait(30)

    async def story():
        run = await flow(name="f")(lambda: hang()).start()
        await begun(started)
        run.cancel()
        return await run.wait()

    run = asyncio.run(story())
    assert final(run) == {"hang": "Cancelled"}
    assert of_kind(run, "thread_abandoned") == [{"threads": 1}]


def test_a_thread_that_comes_back_after_its_loop_was_closed_does_no_harm(pool, gate, later):
    started = threading.Event()

    @task(timeout=60)
    def hang():
        started.set()
        gate.wait(30)

    @flow
    async def f():
        hang()
        await begun(started)
        later(60)

    assert f.run().state.is_failed()
    assert pool.abandoned == 1
    gate.set()
    until(lambda: pool.abandoned == 0, "the abandoned thread to come back")
    assert flow(name="f")(lambda: name_of_thread()).run().state.is_success()


def test_an_error_is_let_go_without_the_collector(pool):
    class Large(Exception):
        pass

    def fail():
        raise Large

    async def story():
        _, error = await pool.run(fail, (), {}, print)
        return weakref.ref(error)

    gc.disable()
    try:
        left = asyncio.run(story())
        until(lambda: left() is None, "the error to be let go")
    finally:
        gc.enable()


def test_a_body_for_which_no_thread_can_be_started_fails_and_never_runs(pool, monkeypatch):
    ran = []

    @task
    def body():
        ran.append(1)

    def no_thread(_thread):
        raise RuntimeError("can't start new thread")

    f = flow(name="f")(lambda: body())
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        assert "can't start new thread" in f.run().tasks[0].state.message
    assert f.run().state.is_success()
    assert ran == [1]


def test_a_thread_that_can_not_be_replaced_hides_no_timeout(pool, gate, later, monkeypatch):
    started = threading.Event()

    @task(timeout=60)
    def hang():
        started.set()
        gate.wait(30)

    @task
    def waits():
        return 1

    def no_thread(_thread):
        raise RuntimeError("can't start new thread")

    @flow
    async def f():
        first, second = hang(), waits()
        await begun(started)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", no_thread)
            later(60)
            with pytest.raises(TimeoutError):
                await first
        gate.set()
        return await second

    assert f.run().result() == 1


def test_idle_threads_are_used_again_and_go_home_after_a_while(pool):
    pool.linger = 0.01
    names = flow(name="f")(lambda: [name_of_thread(), name_of_thread()])
    assert names.run().state.is_success()
    until(lambda: pool.threads == 0, "the idle thread to go home")
    assert names.run().state.is_success()


def test_one_pool_serves_one_loop_after_another(pool):
    for _ in range(3):
        assert flow(name="f")(lambda: name_of_thread()).run().state.is_success()
    assert pool.threads == 1


def test_a_thread_that_comes_back_while_the_run_goes_on_is_reported(pool, gate):
    @task(timeout=0.02)
    def hang():
        gate.wait(5)

    @flow
    async def f():
        with pytest.raises(TimeoutError):
            await hang()
        gate.set()
        while not of_kind(current(), "thread_returned"):
            await asyncio.sleep(0.001)

    run = f.run()
    (back,) = [event for event in run.events if event.kind == "thread_returned"]
    assert (back.task, back.attempt, back.detail["threads"]) == (1, 1, 0)
    assert 0 <= back.detail["seconds"] < 5


def test_a_run_that_ends_before_its_threads_says_so(pool, gate, caplog):
    @task(timeout=0.02)
    def hang():
        gate.wait(5)

    run = flow(name="f")(lambda: hang()).run()
    (said,) = [record.getMessage() for record in caplog.records if "still at work" in record.getMessage()]
    assert said == (
        f"flow run {run.name} of 'f' ends before 1 thread of it, still at work until the process ends: "
        "hang (attempt 1)"
    )
    gate.set()
    until(lambda: pool.abandoned == 0, "the abandoned thread to come back")
    assert of_kind(run, "thread_returned") == []


@pytest.mark.parametrize(("hedge", "count"), [(None, "1 thread"), (Hedge(0), "2 threads")])
def test_the_threads_of_elements_and_of_hedges_are_named_too(pool, gate, caplog, later, hedge, count):
    pool.size = 2
    started = [threading.Event(), threading.Event()]

    @task(timeout=60, hedge=hedge)
    def hang(_number):
        started[current().hedge].set()
        gate.wait(30)

    @flow(name="f")
    async def f():
        held = hang.map([1])
        for one in started[: 1 if hedge is None else 2]:
            await begun(one)
        later(60)
        return held

    run = f.run()
    told = [record.getMessage() for record in caplog.records if "still at work" in record.getMessage()]
    assert told == [
        f"flow run {run.name} of 'f' ends before {count} of it, still at work until the process ends: "
        "hang[0] (attempt 1)"
    ]
    gate.set()
    until(lambda: pool.abandoned == 0, "the abandoned threads to come back")
