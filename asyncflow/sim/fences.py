"""What an event loop can do and a simulated one can't: refused, with a way out."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from typing import Any

from asyncflow.sim.border.escapes import Escapes
from asyncflow.sim.private import StockLoop

_STREAMS = "use asyncio.open_connection and asyncio.start_server, or the loop's create_connection"
_PROCESSES = "call a function that stands in for the program, or run this flow in the real world"
_PIPES = "pass bytes through an asyncio.Queue, or run this flow in the real world"
_TCP = "use TCP: asyncio.open_connection and asyncio.start_server"


def _refused(what: str, way_out: str) -> Callable[..., Any]:
    def method(loop: Fenced, *_args: Any, **_options: Any) -> Any:
        loop.escapes.refuse(what, way_out)

    return method


def _refused_when_awaited(what: str, way_out: str) -> Callable[..., Any]:
    async def method(loop: Fenced, *_args: Any, **_options: Any) -> Any:
        loop.escapes.refuse(what, way_out)

    return method


class Fenced(StockLoop):
    """The methods of a loop that reach outside the world.

    Attributes:
        escapes: remembers what was asked for.
    """

    escapes: Escapes

    def __init__(self) -> None:
        super().__init__()
        self._handlers: dict[int, Callable[[], object]] = {}

    add_reader: Any = _refused("watching a descriptor with add_reader", _STREAMS)
    add_writer: Any = _refused("watching a descriptor with add_writer", _STREAMS)

    sock_recv: Any = _refused_when_awaited("sock_recv", _STREAMS)
    sock_recv_into: Any = _refused_when_awaited("sock_recv_into", _STREAMS)
    sock_recvfrom: Any = _refused_when_awaited("sock_recvfrom", _STREAMS)
    sock_recvfrom_into: Any = _refused_when_awaited("sock_recvfrom_into", _STREAMS)
    sock_sendall: Any = _refused_when_awaited("sock_sendall", _STREAMS)
    sock_sendto: Any = _refused_when_awaited("sock_sendto", _STREAMS)
    sock_accept: Any = _refused_when_awaited("sock_accept", _STREAMS)
    sock_sendfile: Any = _refused_when_awaited("sock_sendfile", _STREAMS)
    connect_accepted_socket: Any = _refused_when_awaited("connect_accepted_socket", _STREAMS)

    create_datagram_endpoint: Any = _refused_when_awaited("UDP", _TCP)
    create_unix_connection: Any = _refused_when_awaited("a Unix socket", _TCP)
    create_unix_server: Any = _refused_when_awaited("a Unix socket", _TCP)

    subprocess_exec: Any = _refused_when_awaited("starting a process", _PROCESSES)
    subprocess_shell: Any = _refused_when_awaited("starting a process", _PROCESSES)
    connect_read_pipe: Any = _refused_when_awaited("a pipe of the operating system", _PIPES)
    connect_write_pipe: Any = _refused_when_awaited("a pipe of the operating system", _PIPES)

    def remove_reader(self, _fd: Any) -> bool:
        """Return that no descriptor was watched; cleaning up is no escape."""
        return False

    def remove_writer(self, _fd: Any) -> bool:
        """Return the same."""
        return False

    async def sendfile(self, *_args: Any, **_options: Any) -> int:
        """Answer as a loop does that can't; callers, aiohttp among them, then read the file and write it."""
        raise NotImplementedError("a simulated transport has no sendfile; read the file and write it")

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        """Accept a handler that is never called: no signal is sent in a simulated world.

        Programs install handlers for the end of their process, which is no reason to refuse them.
        """
        self._check_callback(callback, "add_signal_handler")
        self._handlers[signal.Signals(sig)] = partial(callback, *args)

    def remove_signal_handler(self, sig: int) -> bool:
        """Forget a handler and return whether there was one."""
        return self._handlers.pop(signal.Signals(sig), None) is not None
