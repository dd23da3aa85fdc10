"""How a client reaches a listener: the way there, what may stand in it, and the two ends of a connection."""

from __future__ import annotations

import asyncio
import contextvars
import errno
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from asyncflow.sim.clock import Clock
from asyncflow.sim.net.line import Line
from asyncflow.sim.net.listeners import Listener, Listeners
from asyncflow.sim.net.names import HERE, Names, Site
from asyncflow.sim.net.sockets import Address, SimSocket
from asyncflow.sim.net.transport import Transport
from asyncflow.sim.trace.trace import Trace
from asyncflow.wire.plan import Connection
from asyncflow.wire.rules import Latency

_SILENCE = 127.0
"""Seconds after which a kernel gives up a connection that nobody answers, as Linux does."""

_REFUSALS = {"refuse": errno.ECONNREFUSED, "unreachable": errno.EHOSTUNREACH, "hang": errno.ETIMEDOUT}


class Reached(NamedTuple):
    """A connection that was made.

    Attributes:
        site: where its address leads.
        transport: the client's end, which has no protocol yet.
    """

    site: Site
    transport: Transport


class Dialer:
    """Makes the connections of one loop.

    Args:
        loop: where protocols are called.
        clock: the world's clock.
        trace: told of connections.
        names: knows where addresses lead.
        listeners: who accepts connections.
        planned: returns what goes wrong with a connection to a host.
        latency: seconds that everything takes from one end to the other.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        trace: Trace,
        names: Names,
        listeners: Listeners,
        planned: Callable[[str], Connection],
        latency: float,
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._trace = trace
        self._names = names
        self._listeners = listeners
        self._planned = planned
        self._latency = latency
        self._numbers = count(1)

    async def connect(self, address: Address, local: tuple[str, int] | None = None) -> Reached:
        """Make a connection.

        Args:
            address: where to.
            local: from where; None for any port.

        Raises:
            OSError: when it can't be made.
            Escaped: when the address leads out of this world.
        """
        site = self._names.site(address)
        planned = self._planned(site.host)
        label = f"client>{site.host}#{planned.number}"
        self._trace.emit("net.connect", label)
        code = await self._travel(site, planned)
        listener = None if code or site.address is None else self._listeners.find(*site.address)
        if listener is None:
            code = code or errno.ECONNREFUSED
            self._trace.emit("net.connect", label, errno.errorcode[code])
            raise OSError(code, f"Connect call failed {address}")
        return Reached(site, self._join(label, planned, listener, address, local))

    async def _travel(self, site: Site, planned: Connection) -> int:
        """Wait for the host's answer, and return the number of the error when it can't be reached, else 0."""
        if planned.refusal is not None:
            do = planned.refusal.do
            await asyncio.sleep(_SILENCE if do == "hang" else 2 * self._latency)
            return _REFUSALS[do]
        down_for = 0.0 if planned.opens_at is None else planned.opens_at - self._clock.now
        if down_for > _SILENCE:
            await asyncio.sleep(_SILENCE)
            return errno.ETIMEDOUT
        await asyncio.sleep(down_for + 2 * self._latency)
        return errno.EHOSTUNREACH if site.address is None else 0

    def _join(
        self,
        label: str,
        planned: Connection,
        listener: Listener,
        address: Address,
        local: tuple[str, int] | None,
    ) -> Transport:
        """Put the two ends of a connection together, give one to the server, and return the client's."""
        rest = address[2:]
        host, port = local or ("::1" if rest else HERE, 0)
        own = (host, port or self._listeners.free_port(), *rest)
        theirs = listener.socket.getsockname()
        for pipe in (planned.up, planned.down):
            pipe.add(Latency(self._latency))
        line = Line(self._loop, self._clock, self._trace, label, next(self._numbers), self._latency)
        client = Transport(line, "up", planned.up, SimSocket(own, address), contextvars.copy_context())
        server = Transport(line, "down", planned.down, SimSocket(theirs, own), listener.context.copy())
        client.join(server)
        self._loop.call_soon(listener.accept, self._loop, server, context=listener.context.copy())
        if planned.resets_at is not None:
            self._loop.call_at(planned.resets_at, _break, planned, client)
        return client


def _break(planned: Connection, client: Transport) -> None:
    """Reset a connection in both directions, if it is still open."""
    if client.is_open():
        planned.reset()
        client.reset()
