"""TLS over the transports of a simulated world: the standard library's own, in memory."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import sslproto
from dataclasses import dataclass
from typing import Any

from asyncflow.sim.transport import Transport


@dataclass(frozen=True, slots=True)
class Handshake:
    """How a connection becomes secure.

    Attributes:
        context: certificates and what is asked of the peer; True for a client's usual context.
        server_hostname: whose certificate a client asks for.
        handshake_timeout: seconds; None for asyncio's usual.
        shutdown_timeout: seconds; None for asyncio's usual.
    """

    context: ssl.SSLContext | bool
    server_hostname: str | None
    handshake_timeout: float | None
    shutdown_timeout: float | None

    def server(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.BaseProtocol) -> Any:
        """Return what speaks TLS below a server's protocol."""
        return self._layer(loop, protocol, None, server_side=True)

    async def client(
        self, loop: asyncio.AbstractEventLoop, protocol: asyncio.BaseProtocol, transport: Transport
    ) -> asyncio.Transport:
        """Speak TLS below a client's protocol, and return its transport when both sides trust each other.

        Raises:
            ssl.SSLError: when they don't.
            OSError: when the connection is lost before.
        """
        trusted = loop.create_future()
        layer = self._layer(loop, protocol, trusted, server_side=False)
        transport.open(layer)
        secure: asyncio.Transport = layer._app_transport
        try:
            await trusted
        except BaseException:
            transport.close()
            raise
        return secure

    def _layer(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None,
        *,
        server_side: bool,
    ) -> Any:
        make: Any = sslproto.SSLProtocol
        return make(
            loop,
            protocol,
            None if isinstance(self.context, bool) else self.context,
            waiter,
            server_side,
            self.server_hostname,
            ssl_handshake_timeout=self.handshake_timeout,
            ssl_shutdown_timeout=self.shutdown_timeout,
        )
