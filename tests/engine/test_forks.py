"""A forked process begins afresh: it has no threads but one, and the locks as somebody held them.

Each program forks at a moment that a thread would have to be lucky to meet, and its child then does what the
parent could.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here"),
]

PROGRAM = '''
import asyncio, os, signal, threading
from contextlib import contextmanager
from asyncflow import ambient, flow, sim, task
from asyncflow.policies import Resource

ONE = Resource("one")

@task(uses=ONE)
async def work():
    return 1

@flow
async def f():
    return work()

@contextmanager
def held(lock):
    """Hold a lock in another thread, as one that the fork does not copy would."""
    taken, over = threading.Event(), threading.Event()

    def hold():
        with lock:
            taken.set()
            over.wait()

    threading.Thread(target=hold).start()
    taken.wait()
    yield
    over.set()

def forked(child):
    number = os.fork()
    if not number:
        signal.alarm(10)  # ends a child that waits for ever
        os._exit(0 if child() == 1 else 2)
    return os.waitpid(number, 0)[1]
'''

AMONG_LOOKS = """
f.run()
with held(ambient.world().watchdog._changed):
    ended = forked(lambda: asyncio.run(f()))
"""

AMONG_SLOTS = """
f.run()
with held(ambient.world().shared_states("slots")[""]._lock):
    ended = forked(lambda: asyncio.run(f()))
"""

WITH_A_SLOT_TAKEN = """
@task(uses=ONE)
async def forks():
    return await asyncio.get_running_loop().run_in_executor(None, forked, lambda: asyncio.run(f()))

@flow
async def parent():
    return forks()

ended = parent.run().result()
"""

AMONG_LINES = """
from asyncflow import logs
from asyncflow.logs import writing
logs.configure("debug", "console")
(writer,) = writing._writers

def child():
    writer("a line")
    return 1

with held(writer._lock):
    ended = forked(child)
"""

BESIDE_A_SIMULATION = """
async def one():
    return 1

begun, over = threading.Event(), threading.Event()

async def long():
    begun.set()
    over.wait()

other = threading.Thread(target=sim.run, args=(long(),))
other.start()
begun.wait()
ended = forked(lambda: sim.run(one()))
over.set()
other.join()
"""


@pytest.mark.parametrize(
    "moment",
    [AMONG_LOOKS, AMONG_SLOTS, WITH_A_SLOT_TAKEN, AMONG_LINES, BESIDE_A_SIMULATION],
    ids=["looks", "slots", "slot taken", "lines", "simulation"],
)
def test_a_fork_waits_for_nobody_who_is_not_there(moment: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{PROGRAM}{moment}assert ended == 0, ended\n"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
