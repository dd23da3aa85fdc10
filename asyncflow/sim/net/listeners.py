"""The ports of a simulated world's one machine: who listens where, and which are taken."""

from __future__ import annotations

import asyncio
import contextvars
import errno
import inspect
import itertools
import os
import ssl
from asyncio import base_events
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from asyncflow.sim.net.names import is_here
from asyncflow.sim.net.sockets import Address, SimSocket
from asyncflow.sim.net.tls import Handshake
from asyncflow.sim.net.transport import Transport
from asyncflow.sim.private import require

require(base_events.Server, "_attach", "_detach", "_start_serving")

_EPHEMERAL = range(32768, 61000)
"""The ports that are given out in turn, as Linux has them."""

_WILDCARDS = ("0.0.0.0", "::")
_KNOWS_CLIENTS = "transport" in inspect.signature(base_events.Server._attach).parameters  # type: ignore[attr-defined]
"""Whether this Python's servers know their connections one by one, and not only how many there are."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One socket that accepts connections.

    Attributes:
        socket: its own.
        factory: makes the protocol of each connection.
        tls: how connections become secure; None when they don't.
        server: the server it belongs to, which counts its connections.
        context: where its protocols are called.
        handshakes: what is about to become secure.
    """

    socket: SimSocket
    factory: Callable[[], asyncio.BaseProtocol]
    tls: Handshake | None
    server: Any
    context: Context = field(default_factory=contextvars.copy_context)
    handshakes: set[asyncio.Task[None]] = field(default_factory=set)

    def accept(self, loop: asyncio.AbstractEventLoop, transport: Transport) -> None:
        """Give a connection that has arrived to the server."""
        arguments = (transport,) if _KNOWS_CLIENTS else ()
        if not self.server.is_serving():
            transport.reset()
            return
        try:
            protocol = self.factory()
            self.server._attach(*arguments)
        except BaseException:
            transport.abort()
            raise
        if self.tls is None:
            transport.open(protocol, lambda: self.server._detach(*arguments))
        else:
            handshake = loop.create_task(
                self.tls.server(loop, protocol, transport, lambda: self.server._detach(*arguments))
            )
            self.handshakes.add(handshake)
            handshake.add_done_callback(self.handshakes.discard)


class Listeners:
    """Who listens at which port of 127.0.0.1 and ::1.

    A server of asyncio asks its loop to begin and to end; here is what such a loop does then.
    """

    def __init__(self) -> None:
        self._bound: dict[Address, SimSocket] = {}
        self._open: dict[Address, Listener] = {}
        self._turn = itertools.cycle(_EPHEMERAL)

    def bind(self, address: Address) -> SimSocket:
        """Return a socket at that address; port 0 asks for any that is free.

        Raises:
            OSError: when another is bound there, or the address is not one of this machine.
        """
        if not is_here(address[0]):
            raise _cannot_bind(errno.EADDRNOTAVAIL, address)
        port = address[1] or self.free_port()
        if any(_overlap(taken, (address[0], port)) for taken in self._bound):
            raise _cannot_bind(errno.EADDRINUSE, address)
        name = (address[0], port, *address[2:])
        key = name[:2]
        made = SimSocket(name, on_close=lambda: self._release(key))
        self._bound[key] = made
        return made

    def free_port(self) -> int:
        """Return the next port that nobody listens at.

        Raises:
            OSError: when there is none.
        """
        taken = {port for _, port in self._bound}
        for port in itertools.islice(self._turn, len(_EPHEMERAL)):
            if port not in taken:
                return port
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    def find(self, host: str, port: int) -> Listener | None:
        """Return who accepts connections to a port of this machine, or None when nobody does."""
        wildcard = _WILDCARDS[":" in host]
        return self._open.get((host, port)) or self._open.get((wildcard, port))

    def start_serving(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        sock: SimSocket,
        sslcontext: ssl.SSLContext | None = None,
        server: Any = None,
        backlog: int = 100,  # noqa: ARG002 - whoever accepts is at hand: nothing ever queues up
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> None:
        """Accept connections at a socket, as asyncio's servers ask of their loop."""
        tls = None
        if sslcontext is not None:
            tls = Handshake(sslcontext, None, ssl_handshake_timeout, ssl_shutdown_timeout)
        self._open[sock.getsockname()[:2]] = Listener(sock, protocol_factory, tls, server)

    def stop_serving(self, sock: SimSocket) -> None:
        """Accept no more connections at a socket, and close it."""
        self._open.pop(sock.getsockname()[:2], None)
        sock.close()

    def _release(self, key: Address) -> None:
        del self._bound[key]


def _overlap(taken: Address, wanted: Address) -> bool:
    """Return whether two sockets can't be bound at once; a wildcard is every address of its family."""
    if taken[1] != wanted[1] or (":" in taken[0]) != (":" in wanted[0]):
        return False
    return taken[0] == wanted[0] or taken[0] in _WILDCARDS or wanted[0] in _WILDCARDS


def _cannot_bind(code: int, address: Address) -> OSError:
    return OSError(
        code, f"error while attempting to bind on address {address!r}: {os.strerror(code).lower()}"
    )
