from __future__ import annotations

import asyncio
import os
import signal
import socket
from functools import partial

import pytest

from asyncflow.errors import Escaped
from asyncflow.sim import Simulation, run

PROTOCOL = asyncio.Protocol
SOCKET = object()


def method(name, *args, **options):
    return pytest.param(name, args, options, id=name)


@pytest.mark.parametrize(
    ("name", "args", "options"),
    [
        method("add_reader", 0, print),
        method("add_writer", 0, print),
        method("sock_recv", SOCKET, 10),
        method("sock_recv_into", SOCKET, bytearray(1)),
        method("sock_recvfrom", SOCKET, 10),
        method("sock_recvfrom_into", SOCKET, bytearray(1)),
        method("sock_sendall", SOCKET, b""),
        method("sock_sendto", SOCKET, b"", ("127.0.0.1", 1)),
        method("sock_accept", SOCKET),
        method("sock_sendfile", SOCKET, None),
        method("connect_accepted_socket", PROTOCOL, SOCKET),
        method("create_datagram_endpoint", PROTOCOL, local_addr=("127.0.0.1", 0)),
        method("create_unix_connection", PROTOCOL, "/tmp/x"),
        method("create_unix_server", PROTOCOL, "/tmp/x"),
        method("subprocess_exec", PROTOCOL, "ls"),
        method("subprocess_shell", PROTOCOL, "ls"),
        method("connect_read_pipe", PROTOCOL, None),
        method("connect_write_pipe", PROTOCOL, None),
    ],
)
def test_what_reaches_outside_the_world_is_refused_with_a_way_out(name, args, options):
    async def main():
        answer = getattr(asyncio.get_running_loop(), name)(*args, **options)
        if asyncio.iscoroutine(answer):
            await answer

    simulation = Simulation()
    with pytest.raises(Escaped, match=r" is not simulated.*; .") as caught:
        simulation.run(main())
    assert simulation.escapes.found == [caught.value]


def test_every_method_of_a_loop_is_simulated_inherited_or_refused():
    """A method of asyncio's abstract loop alone would answer NotImplementedError, which says nothing."""
    from asyncflow.sim.loop import SimLoop

    allowed = {"sendfile"}  # says on purpose that it can't
    abstract = {
        name
        for name, value in vars(asyncio.AbstractEventLoop).items()
        if callable(value) and not name.startswith("_")
    }
    unanswered = {
        name for name in abstract if getattr(SimLoop, name) is getattr(asyncio.AbstractEventLoop, name)
    }
    assert unanswered - allowed == set()


@pytest.mark.parametrize(
    "start",
    [
        partial(asyncio.create_subprocess_exec, "ls"),
        partial(asyncio.create_subprocess_shell, "ls"),
    ],
)
def test_processes_are_refused_where_programs_start_them(start):
    async def main():
        await start()

    with pytest.raises(Escaped, match="starting a process"):
        run(main())


def test_taking_down_a_watch_that_nobody_set_is_no_escape():
    async def main():
        loop = asyncio.get_running_loop()
        return loop.remove_reader(0), loop.remove_writer(0)

    assert run(main()) == (False, False)


def test_a_handler_of_signals_is_accepted_and_never_called():
    """Servers set them as they start; no signal is sent in a simulated world."""

    async def main():
        loop = asyncio.get_running_loop()
        before = signal.getsignal(signal.SIGTERM)
        loop.add_signal_handler(signal.SIGTERM, print, "never")
        assert signal.getsignal(signal.SIGTERM) is before
        removed = loop.remove_signal_handler(signal.SIGTERM), loop.remove_signal_handler(signal.SIGTERM)
        with pytest.raises(ValueError, match="12345"):
            loop.add_signal_handler(12345, print)
        return removed

    assert run(main()) == (True, False)


def test_sending_a_file_says_that_it_can_not_so_that_callers_write_it_themselves():
    async def main():
        with pytest.raises(NotImplementedError):
            await asyncio.get_running_loop().sendfile(None, None)

    run(main())


def test_no_socket_of_its_own_is_opened_by_a_loop():
    async def main():
        return len(os.listdir("/proc/self/fd"))

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("only Linux tells what is open")
    with socket.socket():
        here = len(os.listdir("/proc/self/fd"))
        assert run(main()) == here
