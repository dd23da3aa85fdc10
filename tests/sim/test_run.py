from __future__ import annotations

import asyncio
import gc
import signal
import threading
import tracemalloc
import weakref
from contextlib import suppress

import pytest

import asyncflow.sim as public
from asyncflow.ambient import world
from asyncflow.errors import Escaped, Stuck, UsageError
from asyncflow.sim import Simulation, run


async def value():
    await asyncio.sleep(1)
    return 42


async def error():
    await asyncio.sleep(1)
    raise ValueError("the program's own")


async def stuck():
    await asyncio.Event().wait()


def test_a_run_gives_the_programs_value():
    assert run(value()) == 42
    assert Simulation(seed=3).run(value()) == 42


def test_a_run_gives_the_programs_error_as_it_is():
    with pytest.raises(ValueError, match="the program's own") as caught:
        run(error())
    assert caught.value.__cause__ is None


def test_the_seed_decides_what_is_drawn():
    async def draw():
        return world().stream("x").random(), world().new_id()

    assert run(draw(), seed=1) == run(draw(), seed=1) != run(draw(), seed=2)


@pytest.mark.parametrize("program", [value, error, stuck])
def test_everything_is_as_it_was_after_a_run(program):
    def state():
        return (
            world(),
            gc.isenabled(),
            signal.getsignal(signal.SIGINT),
            asyncio._get_running_loop(),
            threading.active_count(),
        )

    run(value())  # the first run of a process may leave a thread to the next ones
    before = state()
    for _ in range(2):
        with suppress(ValueError, Stuck):
            run(program())
        assert state() == before


def test_what_a_program_leaves_behind_is_cancelled_in_order_and_its_loop_is_closed():
    async def left_behind(name):
        try:
            await asyncio.sleep(100)
        finally:
            seen.append((name, loop.time()))

    async def main():
        nonlocal loop
        loop = asyncio.get_running_loop()
        kept.extend(loop.create_task(left_behind(name)) for name in "abcdef")
        await asyncio.sleep(1)
        return "done"

    seen, kept, loop = [], [], None
    assert run(main()) == "done"
    assert seen == [(name, 1.0) for name in "abcdef"]
    assert loop.is_closed()


def test_clean_up_code_may_ask_for_the_end_of_the_process_after_all_had_theirs():
    async def left_behind(name):
        try:
            await asyncio.sleep(100)
        finally:
            seen.append(name)
            if name == "a":
                raise SystemExit(3)

    async def main():
        kept.extend(asyncio.get_running_loop().create_task(left_behind(name)) for name in "ab")
        await asyncio.sleep(1)

    seen, kept = [], []
    with pytest.raises(SystemExit, match="3"):
        run(main())
    assert seen == ["a", "b"]


@pytest.mark.parametrize(
    ("wrong", "way_out"),
    [
        (value, r"value\(\), not value"),
        (42, "42 is no coroutine"),
        (None, "None is no coroutine"),
        (lambda: value(), "is no coroutine; pass what an `async def` function returns"),
    ],
)
def test_only_a_coroutine_can_be_run(wrong, way_out):
    for attempt in (run, Simulation().run):
        with pytest.raises(UsageError, match=way_out):
            attempt(wrong)


def test_a_simulation_serves_for_one_program():
    simulation = Simulation()
    simulation.run(value())
    with pytest.raises(UsageError, match="serves for one program"):
        simulation.run(value())


def test_a_world_inside_a_world_is_refused():
    async def main(seconds):
        with pytest.raises(UsageError, match="its own event loop"):
            run(value())
        return await asyncio.sleep(seconds, "fine")

    assert run(main(1)) == "fine"
    assert asyncio.run(main(0)) == "fine"


def test_a_world_beside_a_world_is_refused():
    def beside():
        begun.wait()
        try:
            run(value())
        except UsageError as refused:
            found.append(str(refused))
        refused_it.set()

    async def main():
        begun.set()
        refused_it.wait()

    found, begun, refused_it = [], threading.Event(), threading.Event()
    thread = threading.Thread(target=beside)
    thread.start()
    run(main())
    thread.join()
    assert found == [
        "another simulated world is running in this process; run them one after the other, or each in a "
        "process of its own"
    ]
    assert run(value()) == 42


# ------------------------------------------------------------------ escapes


async def touch():
    asyncio.get_running_loop().add_reader(0, print)


async def touches_and_goes_on():
    try:
        await touch()
    except Exception:
        return "as if nothing had happened"


async def touches_and_fails_otherwise():
    try:
        await touch()
    except Exception as error:
        raise ConnectionError("wrapped") from error


async def touches_in_a_group():
    async with asyncio.TaskGroup() as group:
        group.create_task(touch())


async def touches_and_gets_stuck():
    await touches_and_goes_on()
    await asyncio.Event().wait()


async def touches_in_its_clean_up():
    async def left_behind():
        try:
            await asyncio.Event().wait()
        finally:
            await touch()

    task = asyncio.get_running_loop().create_task(left_behind())
    await asyncio.sleep(1)
    return task


@pytest.mark.parametrize(
    "program",
    [
        touch,
        touches_and_goes_on,
        touches_and_fails_otherwise,
        touches_in_a_group,
        touches_and_gets_stuck,
        touches_in_its_clean_up,
    ],
)
def test_an_escape_comes_out_whatever_the_program_made_of_it(program):
    simulation = Simulation()
    with pytest.raises(Escaped, match="add_reader") as caught:
        simulation.run(program())
    assert caught.value is simulation.escapes.found[0]


# ------------------------------------------------------------------ memory


def busy():
    async def main():
        loop = asyncio.get_running_loop()
        queue = asyncio.Queue(1)

        async def produce():
            for number in range(5):
                await queue.put(number)

        async with asyncio.TaskGroup() as group:
            group.create_task(produce())
            for _ in range(5):
                await queue.get()
        loop.call_later(5, print)
        await asyncio.sleep(1)

    return main()


def runs(program, number):
    for _ in range(number):
        with suppress(ValueError, Stuck):
            run(program())


@pytest.mark.parametrize("program", [busy, error, stuck])
def test_memory_does_not_grow_from_run_to_run(program):
    tracemalloc.start()
    try:
        runs(program, 100)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        runs(program, 300)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 60_000  # one world takes more than that


@pytest.mark.parametrize("program", [busy, error, stuck])
def test_nobody_keeps_a_world_alive(program):
    simulation = Simulation()
    with suppress(ValueError, Stuck):
        simulation.run(program())
    loop = weakref.ref(simulation._loop)
    del simulation
    gc.collect()
    assert loop() is None


# ------------------------------------------------------------------ the public face


def test_the_public_face_is_small():
    assert public.__all__ == ["Crashed", "Escaped", "Simulation", "Stuck", "Trace", "run"]
    assert all(getattr(public, name).__doc__ for name in public.__all__)
