"""The network of a simulated world: names, listeners and connections, all in memory."""

from __future__ import annotations

import asyncio
import contextvars
import errno
import os
import socket
import ssl as ssl_module
from asyncio.base_events import Server
from collections.abc import Callable, Iterable
from random import Random
from typing import Any
from weakref import WeakKeyDictionary

from asyncflow.sim.clock import Clock
from asyncflow.sim.escapes import Escapes
from asyncflow.sim.listeners import Listener, Listeners
from asyncflow.sim.names import HERE, Names, Site
from asyncflow.sim.sockets import Address, SimSocket
from asyncflow.sim.tls import Handshake
from asyncflow.sim.trace import Trace
from asyncflow.sim.transport import Transport
from asyncflow.wire.plan import Caller, Connection, WireFault, WirePlan
from asyncflow.wire.rules import Latency

_LATENCY = 0.0005
"""Seconds from one end to the other: enough to give things an order."""

_SILENCE = 127.0
"""Seconds after which a kernel gives up a connection that nobody answers, as Linux does."""

_REFUSALS = {"refuse": errno.ECONNREFUSED, "unreachable": errno.EHOSTUNREACH, "hang": errno.ETIMEDOUT}


class Network:
    """Everything that the programs of one simulated world can reach.

    Args:
        clock: the world's clock.
        trace: told of look-ups, connections and what passes.
        chance: draws jitter.
        escapes: told of hosts that there are not.
        plan: what goes wrong; None for nothing.
        latency: seconds that everything takes from one end to the other.

    Attributes:
        caller: called in the client's context; says which task and attempt asks, or None.
        on_connect: called in the client's context with the local port of each connection that was made.
    """

    def __init__(
        self,
        clock: Clock,
        trace: Trace,
        chance: Random,
        escapes: Escapes,
        plan: WirePlan | None = None,
        *,
        latency: float = _LATENCY,
    ) -> None:
        self.caller: Callable[[], Caller | None] = lambda: None
        self.on_connect: Callable[[int], None] | None = None
        self._clock = clock
        self._trace = trace
        self._latency = latency
        self._names = Names(clock, trace, escapes, lambda: self.plan, lambda: self.caller())
        self._listeners = Listeners()
        self._escapes = escapes
        self._loop: asyncio.AbstractEventLoop | None = None
        self.plan = WirePlan(chance=chance) if plan is None else plan
        self._connected: WeakKeyDictionary[Any, tuple[Site, Transport]] = WeakKeyDictionary()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use this loop from now on; its connections end with it."""
        self._loop = loop
        self._listeners = Listeners()
        self._connected.clear()
        serving: Any = loop  # the names by which asyncio's servers ask their loop
        serving._start_serving = self._start_serving
        serving._stop_serving = self._stop_serving

    @property
    def plan(self) -> WirePlan:
        """What goes wrong with look-ups and connections that begin from now on."""
        return self._plan

    @plan.setter
    def plan(self, plan: WirePlan) -> None:
        told = plan.on_strike

        def struck(fault: WireFault, where: dict[str, Any]) -> None:
            self._trace.emit("fault", fault.id, fault.do, *(f"{key}={value}" for key, value in where.items()))
            if told is not None:
                told(fault, where)

        plan.on_strike = struck
        self._plan = plan

    def publish(self, host: str, port: int, *, tls: bool = False) -> None:
        """Lead a host name, at whatever port a client asks for, to a listener at that port of this machine.

        Args:
            host: the name, in any case.
            port: where a server listens on 127.0.0.1 of this world.
            tls: whether the server there speaks TLS; if not, clients that ask for TLS get none.
        """
        self._names.publish(host, port, tls=tls)

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> list[Any]:
        """Act as the loop's method of that name.

        Raises:
            socket.gaierror: when the name is not known.
            Escaped: when the name is not one of this world.
        """
        return await self._names.getaddrinfo(host, port, **options)

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        """Act as the loop's method of that name.

        Raises:
            socket.gaierror: when a name is required and there is none.
        """
        return await self._names.getnameinfo(sockaddr, flags)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Act as the loop's method of that name, for a socket that is used for nothing else.

        It is never really connected: `create_connection(sock=...)` takes what it stands for in this world.

        Raises:
            OSError: when the connection can't be made.
            Escaped: when the address leads out of this world, or the socket is none of TCP.
        """
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
            self._escapes.refuse(f"{sock.family.name} with {sock.type.name}", "use TCP")
        answers = await self._names.getaddrinfo(*address[:2], family=sock.family, type=sock.type)
        self._connected[sock] = await self._connect(answers[0][4])

    async def create_connection(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: Any = None,
        port: Any = None,
        *,
        ssl: ssl_module.SSLContext | bool | None = None,
        family: int = 0,
        proto: int = 0,
        flags: int = 0,
        sock: Any = None,
        local_addr: tuple[str, int] | None = None,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        happy_eyeballs_delay: float | None = None,  # noqa: ARG002 - a name has one address here
        interleave: int | None = None,  # noqa: ARG002
        all_errors: bool = False,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Act as the loop's method of that name.

        Raises:
            OSError: when the connection can't be made.
            ssl.SSLError: when the two sides don't trust each other.
            Escaped: when the address leads out of this world.
        """
        tls = _handshake(ssl, server_hostname, host, ssl_handshake_timeout, ssl_shutdown_timeout)
        if sock is not None:
            if host is not None or port is not None:
                raise ValueError("host/port and sock can not be specified at the same time")
            site, transport = self._claim(sock)
        elif host is None and port is None:
            raise ValueError("host and port was not specified and no sock specified")
        else:
            answers = await self._names.getaddrinfo(
                host, port, family=family, type=socket.SOCK_STREAM, proto=proto, flags=flags
            )
            try:
                site, transport = await self._connect(answers[0][4], local_addr)
            except OSError as error:
                if all_errors:
                    raise ExceptionGroup("create_connection failed", [error]) from None
                raise
        protocol = protocol_factory()
        if tls is None or not site.tls:
            transport.open(protocol)
            return transport, protocol
        return await tls.client(self._running(), protocol, transport), protocol

    async def create_server(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | Iterable[str] | None = None,
        port: int | None = None,
        *,
        family: int = socket.AF_UNSPEC,
        flags: int = socket.AI_PASSIVE,
        sock: Any = None,
        backlog: int = 100,
        ssl: ssl_module.SSLContext | None = None,
        reuse_address: bool | None = None,  # noqa: ARG002 - nothing lingers here
        reuse_port: bool | None = None,  # noqa: ARG002
        keep_alive: bool | None = None,  # noqa: ARG002
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        start_serving: bool = True,
    ) -> Server:
        """Act as the loop's method of that name.

        Raises:
            OSError: when the address is taken, or not one of this machine.
            Escaped: for a socket that the caller made.
        """
        if isinstance(ssl, bool):
            raise TypeError("ssl argument must be an SSLContext or None")
        if sock is not None:
            self._escapes.refuse("a server on a socket of one's own", "give it a host and a port")
        if host is None and port is None:
            raise ValueError("Neither host/port nor sock were specified")
        hosts = [host or None] if host is None or isinstance(host, str) else list(host)
        found = [
            answer[4]
            for name in hosts
            for answer in await self._names.getaddrinfo(
                name, port, family=family, type=socket.SOCK_STREAM, flags=flags
            )
        ]
        server = Server(
            self._running(),
            self._bind(dict.fromkeys(found)),
            protocol_factory,
            ssl,
            backlog,
            ssl_handshake_timeout,
            ssl_shutdown_timeout,
        )
        if start_serving:
            await server.start_serving()
        return server

    def _claim(self, sock: Any) -> tuple[Site, Transport]:
        """Return the connection that a socket stands for, and close the socket."""
        found = self._connected.pop(sock, None)
        if found is None:
            self._escapes.refuse(
                "a socket that was connected past the loop", "use loop.sock_connect, or give host and port"
            )
        sock.close()
        return found

    # ------------------------------------------------------------------ servers

    def _bind(self, addresses: Iterable[Address]) -> list[SimSocket]:
        """Return a socket for each address.

        Raises:
            OSError: when one of them is taken, or not one of this machine.
        """
        made: list[SimSocket] = []
        try:
            for address in addresses:
                here = self._names.site(address).address
                if here is None or here[1] != address[1]:
                    code = errno.EADDRNOTAVAIL
                    raise OSError(
                        code,
                        f"error while attempting to bind on address {address!r}: {os.strerror(code).lower()}",
                    )
                made.append(self._listeners.bind(address))
        except BaseException:
            for sock in made:
                sock.close()
            raise
        return made

    def _start_serving(self, *arguments: Any) -> None:
        self._listeners.start_serving(*arguments)

    def _stop_serving(self, sock: SimSocket) -> None:
        self._listeners.stop_serving(sock)

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the network of a simulated world needs its loop; attach one")
        return self._loop


def _handshake(
    context: ssl_module.SSLContext | bool | None,
    server_hostname: str | None,
    host: str | None,
    handshake_timeout: float | None,
    shutdown_timeout: float | None,
) -> Handshake | None:
    """Return how the connection becomes secure, or None when nobody asks for it.

    Raises:
        ValueError: when what was asked for does not fit together.
    """
    options = {
        "server_hostname": server_hostname,
        "ssl_handshake_timeout": handshake_timeout,
        "ssl_shutdown_timeout": shutdown_timeout,
    }
    if not context:
        for name, value in options.items():
            if value is not None:
                raise ValueError(f"{name} is only meaningful with ssl")
        return None
    if server_hostname is None:
        if not host:
            raise ValueError("You must set server_hostname when using ssl without a host")
        server_hostname = host
    return Handshake(context, server_hostname, handshake_timeout, shutdown_timeout)
