from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from asyncflow.errors import Escaped
from asyncflow.sim import Simulation
from asyncflow.sim.border import guarding as border
from tests.sim.kit import play


def connecting():
    with socket.socket() as sock:
        sock.connect(("127.0.0.1", 9))


def binding():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))


def sending():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"", ("127.0.0.1", 9))


def starting():
    threading.Thread(target=print, daemon=True).start()


def spawning():
    os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {})


def another_loop():
    coroutine = asyncio.sleep(0)
    try:
        asyncio.run(coroutine)
    finally:
        coroutine.close()


REFUSED = {
    "socket.connect": (connecting, "a real connection"),
    "socket.create_connection": (lambda: socket.create_connection(("127.0.0.1", 9)), "a real look-up"),
    "socket.bind": (binding, "a real address"),
    "socket.sendto": (sending, "a real datagram"),
    "socket.getaddrinfo": (lambda: socket.getaddrinfo("localhost", 80), "a real look-up"),
    "socket.gethostbyname": (lambda: socket.gethostbyname("localhost"), "a real look-up"),
    "subprocess": (lambda: subprocess.run([sys.executable, "-c", ""], check=True), "a process"),
    "os.system": (lambda: os.system("true"), "a process"),
    "os.fork": (lambda: os.fork() or os._exit(0), "a process"),
    "os.posix_spawn": (spawning, "a process"),
    "os.execv": (lambda: os.execv(sys.executable, ["x"]), "a process"),
    "a thread": (starting, "a thread"),
    "a timer": (lambda: threading.Timer(1, print).start(), "a thread"),
}


def lines_of(call):
    return {line for _, _, line in call.__code__.co_lines()}


def known_here(call):
    return all(hasattr(os, name) for name in call.__code__.co_names if name in ("fork", "posix_spawn"))


@pytest.mark.parametrize("where", ["loop", "body"])
@pytest.mark.parametrize(("call", "what"), REFUSED.values(), ids=REFUSED)
def test_what_is_real_is_refused_with_the_place_and_remembered(call, what, where):
    if not known_here(call):
        pytest.skip("not on this system")
    simulation = Simulation(7)

    async def main():
        with pytest.raises(Escaped) as refused:
            call() if where == "loop" else await asyncio.to_thread(call)
        return refused.value

    with pytest.raises(Escaped) as told:
        play(main, simulation=simulation)
    assert simulation.escapes.found == [told.value]
    assert str(told.value).startswith(what)
    assert any(f"tests/sim/test_border.py:{line} in" in str(told.value) for line in lines_of(call))
    assert any("escape" in line and what in line for line in simulation.trace.lines)


def test_the_place_is_the_same_text_in_each_run():
    async def main():
        connecting()

    texts = []
    for _ in range(2):
        with pytest.raises(Escaped) as told:
            play(main)
        texts.append(str(told.value))
    assert texts[0] == texts[1]
    assert "test_border.py:" in texts[0]
    assert "in connecting)" in texts[0]


def test_the_place_is_never_the_one_that_started_the_simulation():
    thread = threading.Thread(target=print, daemon=True)

    async def main():
        asyncio.get_running_loop().call_soon(thread.start)
        await asyncio.sleep(1)

    with pytest.raises(Escaped) as told:
        play(main)
    assert "tests/" not in str(told.value)


def test_an_event_loop_in_a_body_is_refused():
    async def main():
        await asyncio.to_thread(another_loop)

    with pytest.raises(Escaped, match=r"another event loop.*in another_loop"):
        play(main)


def test_a_body_that_waits_for_the_loop_is_refused_at_once():
    async def main():
        loop = asyncio.get_running_loop()

        def body():
            coroutine = asyncio.sleep(0)
            try:
                return asyncio.run_coroutine_threadsafe(coroutine, loop).result()
            finally:
                coroutine.close()

        await asyncio.to_thread(body)

    begun = time.monotonic()
    with pytest.raises(Escaped, match=r"waiting in a thread for a future.*in .*body"):
        play(main)
    assert time.monotonic() - begun < 5


def test_the_others_are_left_alone():
    go, seen = threading.Event(), []

    def stranger():
        go.wait(10)
        helper = threading.Thread(target=seen.append, args=("helper",))
        helper.start()
        helper.join()
        binding()
        seen.append("bound")

    thread = threading.Thread(target=stranger, daemon=True)
    thread.start()

    async def main():
        go.set()
        thread.join(10)

    play(main)
    assert seen == ["helper", "bound"]


@pytest.mark.parametrize("fails", [False, True])
def test_afterwards_nothing_is_refused_and_all_is_what_it_was(fails):
    before = [vars(owner)[name] for owner, name, _ in border._STAND_INS]

    async def main():
        if fails:
            raise ZeroDivisionError

    try:
        play(main)
    except ZeroDivisionError:
        assert fails
    binding()
    assert border._rules == {}
    assert [vars(owner)[name] for owner, name, _ in border._STAND_INS] == before


def test_a_hundred_escapes_are_kept():
    simulation = Simulation(7)

    async def main():
        for _ in range(150):
            with pytest.raises(Escaped):
                binding()

    with pytest.raises(Escaped):
        play(main, simulation=simulation)
    assert len(simulation.escapes.found) == 100
    assert sum("escape" in line for line in simulation.trace.lines) == 100


def test_the_hook_is_put_in_once(monkeypatch):
    hooks = []
    monkeypatch.setattr(border.sys, "addaudithook", hooks.append)
    monkeypatch.setattr(border, "_is_installed", False)
    for _ in range(3):
        play(lambda: asyncio.sleep(0))
    assert hooks == [border._audit]
