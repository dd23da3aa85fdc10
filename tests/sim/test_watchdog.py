"""What really blocks. Real waits of a tenth of a second and less than one."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time

import pytest

from asyncflow.errors import Escaped
from asyncflow.sim import Simulation
from asyncflow.sim.border import watchdog
from tests.sim.kit import play

SHORT = 0.08


async def spins():
    while True:
        pass


async def waits():
    threading.Event().wait(20)


async def sleeps():
    while True:
        time.sleep(3600)  # the clock moves, but the loop does not go on


async def holds_on():
    try:
        await waits()
    except BaseException:
        await spins()


async def leaves_another():
    task = asyncio.get_running_loop().create_task(spins())
    await task


BLOCKS = [spins, waits, sleeps, holds_on, leaves_another]


@pytest.mark.parametrize("main", BLOCKS)
def test_code_that_blocks_the_loop_is_interrupted_and_named(main):
    simulation = Simulation(7)
    with pytest.raises(Escaped, match=r"kept the event loop.*test_watchdog.py:\d+ in \w+") as told:
        play(main, simulation=simulation, bound=SHORT)
    assert simulation.escapes.found == [told.value]
    assert "test_watchdog.py" in "".join(told.value.__notes__)


def test_code_that_goes_on_is_left_alone():
    async def main():
        for _ in range(15):
            threading.Event().wait(0.04)
            await asyncio.sleep(0)

    play(main, bound=0.4)


def test_a_body_that_takes_long_is_none_that_blocks_the_loop():
    simulation = Simulation(7)
    event = threading.Event()

    async def main():
        with pytest.raises(Escaped, match="has not returned"):
            await asyncio.to_thread(event.wait, 20)

    with pytest.raises(Escaped):
        play(main, simulation=simulation, bound=SHORT * 2)
    event.set()
    assert len(simulation.escapes.found) == 1


def test_waiting_for_a_body_is_no_blocking():
    def look():
        return [watchdog._guard.watched.is_blocked() for _ in range(10)][-1]

    async def main():
        return look(), await asyncio.to_thread(look)

    assert play(main) == (True, False)


def test_outside_of_the_main_thread_it_is_only_told():
    simulation = Simulation(7)

    async def main():
        end = time.monotonic.__wrapped__() + 20
        while not simulation.escapes.found and time.monotonic.__wrapped__() < end:
            pass

    errors = []

    def runs():
        try:
            play(main, simulation=simulation, bound=SHORT)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=runs)
    thread.start()
    thread.join(20)
    assert errors == simulation.escapes.found
    assert len(errors) == 1


def test_ctrl_c_stays_what_it_is():
    async def main():
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(5)

    handlers = [signal.getsignal(number) for number in (signal.SIGINT, watchdog._SIGNAL)]
    with pytest.raises(KeyboardInterrupt) as told:
        play(main)
    assert not isinstance(told.value, watchdog.Interrupted)
    assert [signal.getsignal(number) for number in (signal.SIGINT, watchdog._SIGNAL)] == handlers


def test_a_debugger_switches_it_off():
    armed = []

    async def main():
        armed.append(watchdog._guard.watched)

    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        play(main)
    finally:
        sys.settrace(before)
    play(main)
    assert armed[0] is None
    assert armed[1] is not None
    assert watchdog._guard.watched is None


def test_one_thread_watches_all_simulations():
    async def main():
        return [one.ident for one in threading.enumerate() if one.name == "asyncflow-watchdog"]

    assert play(main) == play(main)
    assert len(play(main)) == 1


def test_a_signal_that_comes_late_changes_nothing():
    simulation = Simulation(7)
    with watchdog.watching(simulation.escapes, lambda: 1, bound=10):
        pass
    watch = watchdog._Watch(simulation.escapes, lambda: 1, 10)
    watch.interrupted(watchdog._SIGNAL, None)


@pytest.mark.parametrize("module", ["coverage.collector", "logging"])
def test_code_that_may_hold_a_lock_is_let_out_before_it_is_interrupted(module, monkeypatch):
    watch = watchdog._Watch(Simulation(7).escapes, lambda: 1, 10)
    monkeypatch.setattr(watchdog._guard, "watched", watch)
    namespace = {"__name__": module, "here": sys._getframe}
    exec("def locks(): return here()", namespace)
    watch.interrupted(watchdog._SIGNAL, namespace["locks"]())
    with pytest.raises(watchdog.Interrupted):
        watch.interrupted(watchdog._SIGNAL, sys._getframe())


def test_a_package_with_locks_that_blocks_for_long_is_interrupted_too():
    namespace = {"__name__": "logging"}
    exec("def blocks():\n    while True: pass", namespace)

    async def main():
        namespace["blocks"]()

    with pytest.raises(Escaped, match="kept the event loop"):
        play(main, bound=0.02)
