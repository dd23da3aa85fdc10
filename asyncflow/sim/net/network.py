"""The network of a simulated world: names, listeners and connections, all in memory."""

from __future__ import annotations

import asyncio
import socket
import ssl as ssl_module
from asyncio.base_events import Server
from collections.abc import Callable, Iterable
from random import Random
from typing import Any
from weakref import WeakKeyDictionary

from asyncflow.lookups import resolve_on_loop
from asyncflow.sim.border.escapes import Escapes
from asyncflow.sim.clock import Clock
from asyncflow.sim.net.dialing import Dialer, Reached
from asyncflow.sim.net.listeners import Listeners
from asyncflow.sim.net.names import Names
from asyncflow.sim.net.sockets import Address, SimSocket
from asyncflow.sim.net.tls import asked_for
from asyncflow.sim.trace.trace import Trace
from asyncflow.wire.plan import Caller, Connection, WireFault, WirePlan

_LATENCY = 0.0005
"""Seconds from one end to the other: enough to give things an order."""


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
        self._escapes = escapes
        self._names = Names(trace, escapes, self._struck)
        self._connected: WeakKeyDictionary[Any, Reached] = WeakKeyDictionary()
        self.plan = WirePlan(chance=chance) if plan is None else plan

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use this loop from now on; its connections end with it."""
        self._loop = loop
        self._connected.clear()
        self._listeners = Listeners()
        self._dialer = Dialer(
            loop, self._clock, self._trace, self._names, self._listeners, self._planned, self._latency
        )
        served: Any = loop  # asyncio's servers ask their loop by these names
        served._start_serving = self._listeners.start_serving
        served._stop_serving = self._listeners.stop_serving
        resolve_on_loop(loop)

    @property
    def plan(self) -> WirePlan:
        """What goes wrong with look-ups and connections that begin from now on."""
        return self._plan

    @plan.setter
    def plan(self, plan: WirePlan) -> None:
        """Let another plan strike from now on; its strikes are in the trace, too."""
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

    async def _connect(self, address: Address, local: tuple[str, int] | None = None) -> Reached:
        reached = await self._dialer.connect(address, local)
        if self.on_connect is not None:
            self.on_connect(reached.transport.get_extra_info("sockname")[1])
        return reached

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
        tls = asked_for(ssl, server_hostname, host, ssl_handshake_timeout, ssl_shutdown_timeout)
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
        return await tls.client(self._loop, protocol, transport), protocol

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
            self._loop,
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

    def _claim(self, sock: Any) -> Reached:
        """Return the connection that a socket stands for, and close the socket."""
        found = self._connected.pop(sock, None)
        if found is None:
            self._escapes.refuse(
                "a socket that was connected past the loop", "use loop.sock_connect, or give host and port"
            )
        sock.close()
        return found

    def _bind(self, addresses: Iterable[Address]) -> list[Any]:
        """Return a socket for each address.

        Raises:
            OSError: when one of them is taken, or not one of this machine.
        """
        made: list[SimSocket] = []
        try:
            made.extend(map(self._listeners.bind, addresses))
        except BaseException:
            for sock in made:
                sock.close()
            raise
        return made

    def _struck(self, host: str) -> WireFault | None:
        """Return what goes wrong with a look-up that the running code makes."""
        return self._plan.lookup(host, self._clock.now, self.caller())

    def _planned(self, host: str) -> Connection:
        """Return what goes wrong with a connection that the running code makes."""
        return self._plan.connect(host, self._clock.now, self.caller())
