from __future__ import annotations

import asyncio
import importlib
import logging
import os
import random
import secrets
import string
import sys
import tempfile
import threading
import time
import types
import uuid

import pytest

from asyncflow import ambient
from asyncflow.errors import UsageError
from asyncflow.sim import Simulation
from asyncflow.sim.clock import EPOCH
from asyncflow.sim.entropy import chance, clocks
from asyncflow.sim.entropy import patching as entropy
from tests.sim.kit import play

DRAWS = {
    "os.urandom": lambda: os.urandom(8),
    "os.getrandom": lambda: os.getrandom(8),
    "random._urandom": lambda: random._urandom(8),
    "random.random": lambda: random.random(),
    "random.shuffle": lambda: random.sample(range(100), 5),
    "random.seed()": lambda: (random.seed(), random.random())[1],
    "Random()": lambda: random.Random().random(),
    "Random(None)": lambda: random.Random(None).random(),
    "Random().seed()": lambda: random.Random(1).seed() or random.Random().random(),
    "a subclass of Random": lambda: type("Dice", (random.Random,), {})().random(),
    "SystemRandom": lambda: random.SystemRandom().random(),
    "secrets.token_hex": lambda: secrets.token_hex(8),
    "secrets.choice": lambda: [secrets.choice(string.ascii_letters) for _ in range(9)],
    "secrets.randbits": lambda: secrets.randbits(64),
    "uuid1": lambda: uuid.uuid1(),
    "uuid1 twice": lambda: (uuid.uuid1(), uuid.uuid1()),
    "uuid4": lambda: uuid.uuid4(),
    "getnode": lambda: uuid.getnode(),
    "mktemp": lambda: tempfile.mktemp(dir="nowhere"),
    "the world's ids": lambda: ambient.world().new_id(),
}


def drawn(draw, seed, where="loop"):
    async def main():
        return draw() if where == "loop" else await asyncio.to_thread(draw)

    return play(main, seed=seed)


@pytest.mark.parametrize("where", ["loop", "body"])
@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_what_is_drawn_follows_the_seed(draw, where):
    if draw is DRAWS["os.getrandom"] and not hasattr(os, "getrandom"):
        pytest.skip("not on this system")
    first = drawn(draw, 7, where)
    assert drawn(draw, 7, where) == first
    assert drawn(draw, 8, where) != first


def test_two_uses_draw_from_streams_of_their_own():
    async def without():
        return random.random(), os.urandom(4)

    async def with_more():
        [random.Random() for _ in range(3)]
        return random.random(), os.urandom(4)

    assert play(without) == play(with_more)


def test_a_given_seed_stays_what_it_is():
    async def main():
        random.seed(5)
        return random.Random(5).random(), random.random()

    assert play(main) == (random.Random(5).random(),) * 2


CLOCKS = {
    "time": (lambda: time.time(), EPOCH + 90),
    "time_ns": (lambda: time.time_ns(), int(EPOCH + 90) * 10**9),
    "monotonic": (lambda: time.monotonic(), 90.0),
    "monotonic_ns": (lambda: time.monotonic_ns(), 90 * 10**9),
    "perf_counter": (lambda: time.perf_counter(), 90.0),
    "perf_counter_ns": (lambda: time.perf_counter_ns(), 90 * 10**9),
    "process_time": (lambda: time.process_time(), 90.0),
    "process_time_ns": (lambda: time.process_time_ns(), 90 * 10**9),
    "thread_time": (lambda: time.thread_time(), 90.0),
    "gmtime": (lambda: time.gmtime(), time.gmtime(EPOCH + 90)),
    "gmtime(None)": (lambda: time.gmtime(None), time.gmtime(EPOCH + 90)),
    "gmtime(0)": (lambda: time.gmtime(0), time.gmtime(0)),
    "localtime": (lambda: time.localtime(), time.localtime(EPOCH + 90)),
    "ctime": (lambda: time.ctime(), time.ctime(EPOCH + 90)),
    "asctime": (lambda: time.asctime(), time.ctime(EPOCH + 90)),
    "asctime of a moment": (lambda: time.asctime(time.gmtime(0)), "Thu Jan  1 00:00:00 1970"),
    "strftime": (lambda: time.strftime("%Y-%m-%d"), time.strftime("%Y-%m-%d", time.localtime(EPOCH + 90))),
    "strftime of a moment": (lambda: time.strftime("%Y", time.gmtime(0)), "1970"),
    "clock_gettime": (lambda: time.clock_gettime(time.CLOCK_MONOTONIC), 90.0),
    "clock_gettime of the wall": (lambda: time.clock_gettime(time.CLOCK_REALTIME), EPOCH + 90),
    "clock_gettime_ns": (lambda: time.clock_gettime_ns(time.CLOCK_MONOTONIC), 90 * 10**9),
    "the loop": (lambda: asyncio.get_running_loop().time(), 90.0),
    "the world": (lambda: ambient.world().monotonic(), 90.0),
}


@pytest.mark.parametrize(("read", "shown"), CLOCKS.values(), ids=CLOCKS)
def test_every_clock_shows_virtual_time(read, shown):
    if "CLOCK_" in str(read.__code__.co_names) and not hasattr(time, "clock_gettime"):
        pytest.skip("not on this system")

    async def main():
        await asyncio.sleep(90)
        return read()

    assert play(main) == shown


def test_time_sleep_on_the_loop_keeps_all_of_it_waiting():
    async def main():
        late = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(5, lambda: late.set_result(time.monotonic()))
        time.sleep(3600)
        return await late

    assert play(main) == 3600


@pytest.mark.parametrize("length", [-1, -0.5, float("nan"), float("inf"), "1", None])
def test_time_sleep_refuses_what_it_refuses_in_reality(length):
    async def main():
        time.sleep(length)

    with pytest.raises((ValueError, TypeError, OverflowError)) as real:
        time.sleep(length)
    with pytest.raises(type(real.value)):
        play(main)


def test_a_log_record_counts_from_the_beginning_of_the_world():
    async def main():
        await asyncio.sleep(2)
        return logging.makeLogRecord({}).relativeCreated, logging.makeLogRecord({}).created

    assert play(main) == (pytest.approx(2000), EPOCH + 2)


# ------------------------------------------------------------------ those who hold a reference


@pytest.fixture
def module():
    """A module that is there before the simulation and imported everything by name."""
    made = types.ModuleType("holder")
    exec("from time import monotonic as now, sleep\nfrom os import urandom", vars(made))
    sys.modules["holder"] = made
    yield made
    del sys.modules["holder"]


def test_a_module_that_imported_a_function_by_name_follows_and_is_left_as_it_was(module):
    before = dict(vars(module))

    async def main():
        await asyncio.sleep(5)
        return module.now(), module.urandom(4)

    assert play(main) == play(main)
    assert play(main)[0] == 5
    assert vars(module) == before


def test_aiohttp_follows():
    connector = importlib.import_module("aiohttp.connector")

    async def main():
        await asyncio.sleep(5)
        return connector.monotonic()

    assert play(main) == 5
    assert connector.monotonic is time.monotonic


def test_a_module_that_is_imported_meanwhile_follows_and_then_has_the_real_functions(tmp_path, monkeypatch):
    text = "import time\nfrom time import monotonic, time as wall\nfrom os import urandom\n"
    (tmp_path / "latecomer.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    async def main():
        await asyncio.sleep(5)
        late = importlib.import_module("latecomer")
        return late, late.monotonic()

    try:
        late, shown = play(main)
        assert shown == 5
        assert (late.monotonic, late.wall, late.urandom) == (time.monotonic, time.time, os.urandom)
        assert play(main)[1] == 5
    finally:
        del sys.modules["latecomer"]


def test_a_stand_in_that_was_kept_acts_as_the_real_function_when_the_world_has_ended():
    async def main():
        return time.monotonic, os.urandom, random.Random.seed

    monotonic, urandom, seed = play(main)
    assert abs(monotonic() - time.monotonic()) < 60
    assert urandom(16) != urandom(16)
    seed(generator := random.Random(), 5)
    assert generator.random() == random.Random(5).random()


def test_the_waiting_of_locks_and_queues_is_measured_in_real_time():
    queue = importlib.import_module("queue")

    async def main():
        with pytest.raises(queue.Empty):
            queue.Queue().get(timeout=0.01)
        return threading.Event().wait(0.01)

    assert play(main) is False


# ------------------------------------------------------------------ afterwards


def everything():
    """What can be seen of the attributes that are replaced, and of the state behind them."""
    owners = [*entropy._STAND_INS, *clocks.values(play_clock()), *chance.values(1)]
    found = {(str(owner), name): vars(owner).get(name) for owner, name, _ in owners}
    held = {(m.__name__, n): v for m in list(sys.modules.values()) if isinstance(m, types.ModuleType)
            for n, v in list(vars(m).items()) if callable(v) and n in HELD_NAMES}  # fmt: skip
    return found, held, random.getstate()


HELD_NAMES = ("monotonic", "time", "sleep", "urandom", "_urandom", "_time", "perf_counter", "seed")


def play_clock():
    return importlib.import_module("asyncflow.sim.clock").Clock()


def same(before, after):
    return all(before[key] is after[key] for key in before) and before.keys() <= after.keys()


async def nothing():
    random.random()
    uuid.uuid1()
    tempfile.mktemp()


async def failing():
    await nothing()
    raise ZeroDivisionError


async def vandal():
    time.monotonic = random.seed = None
    uuid._node = 1


@pytest.mark.parametrize("main", [nothing, failing, vandal])
def test_afterwards_everything_is_what_it_was(main):
    uuid.uuid1()
    before = everything()
    try:
        play(main)
    except ZeroDivisionError:
        assert main is failing
    after = everything()
    assert same(before[0], after[0])
    assert same(before[1], after[1])
    assert before[2] == after[2]


@pytest.mark.parametrize("broken", ["swapped", "dates.following", "chance.reseeded", "_HOLDERS.following"])
def test_entering_that_fails_half_way_puts_everything_back(broken, monkeypatch):
    before = everything()

    def fails(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(f"asyncflow.sim.entropy.patching.{broken}", fails)
    simulation = Simulation()
    with (
        pytest.raises(ZeroDivisionError),
        entropy.patched(simulation.clock, simulation.world, simulation.threads),
    ):
        pass
    monkeypatch.undo()
    after = everything()
    assert same(before[0], after[0])
    assert same(before[1], after[1])
    assert before[2] == after[2]
    play(nothing)


def test_what_was_replaced_by_others_before_is_found_again_afterwards(monkeypatch):
    def frozen():
        return 12.0

    monkeypatch.setattr(time, "time", frozen)

    async def main():
        return time.time()

    assert play(main) == EPOCH
    assert time.time is frozen


def test_there_is_one_simulated_world_at_a_time():
    other = Simulation()

    def entered():
        with entropy.patched(other.clock, other.world, other.threads):
            pass

    async def main():
        with pytest.raises(UsageError, match="one simulated world at a time"):
            entered()
        with pytest.raises(UsageError, match="one simulated world at a time"):
            await asyncio.to_thread(entered)
        await asyncio.sleep(1)
        return time.monotonic()

    assert play(main) == 1
    entered()


# ------------------------------------------------------------------ the others


def test_other_threads_and_the_outer_world_keep_real_time_and_chance():
    asked, answered = threading.Event(), threading.Event()
    seen = []

    def stranger():
        asked.wait(10)
        seen.extend([time.monotonic(), time.time(), os.urandom(8), time.sleep(0.001)])
        answered.set()

    thread = threading.Thread(target=stranger, daemon=True)
    thread.start()
    outer = ambient.world()
    begun = time.monotonic()

    async def main():
        asked.set()
        answered.wait(10)
        return os.urandom(8), outer.monotonic(), time.monotonic()

    mine, outside, inside = play(main)
    thread.join(10)
    assert begun <= seen[0] <= begun + 60
    assert abs(seen[1] - time.time()) < 60
    assert seen[2] != mine
    assert outside >= begun
    assert inside == 0
