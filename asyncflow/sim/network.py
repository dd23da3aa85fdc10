"""The network of a simulated world: names, listeners and connections, all in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from asyncflow.sim.clock import Clock
from asyncflow.sim.escapes import Escapes
from asyncflow.sim.trace import Trace


class Network:
    """Everything that the programs of one simulated world can reach.

    Args:
        clock: the world's clock.
        trace: told of look-ups, connections and what passes.
        chance: draws jitter.
        escapes: told of hosts that there are not.

    Attributes:
        on_connect: called in the client's context with the local port of each connection that was made.
    """

    def __init__(self, clock: Clock, trace: Trace, chance: Random, escapes: Escapes) -> None:
        self.on_connect: Callable[[int], None] | None = None

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use this loop from now on; its connections end with it."""

    def publish(self, host: str, port: int, *, tls: bool = False) -> None:
        """Lead a host name, at whatever port a client asks for, to a listener at that port of this machine.

        Args:
            host: the name, in any case.
            port: where a server listens on 127.0.0.1 of this world.
            tls: whether the server there speaks TLS; if not, clients that ask for TLS get none.
        """

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """Answer as the loop's method of that name."""
        raise NotImplementedError

    async def sock_connect(self, sock: Any, address: Any) -> None:
        """Act as the loop's method of that name."""
        raise NotImplementedError

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        """Act as the loop's method of that name."""
        raise NotImplementedError

    async def create_server(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        """Act as the loop's method of that name."""
        raise NotImplementedError
