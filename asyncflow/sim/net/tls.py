"""TLS over the transports of a simulated world: the standard library's own, in memory."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import sslproto
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asyncflow.sim.net.transport import Transport
from asyncflow.sim.private import require

require(sslproto.SSLProtocol, "_get_app_transport")


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

    async def server(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.BaseProtocol,
        transport: Transport,
        on_lost: Callable[[], None],
    ) -> None:
        """Speak TLS below a server's protocol, and return when both sides trust each other, or never will.

        Args:
            loop: where the protocol is called.
            protocol: what the connection is for.
            transport: the server's end of it.
            on_lost: called when the connection is lost.
        """
        trusted = loop.create_future()
        layer = self._layer(loop, protocol, trusted, server_side=True)
        transport.open(layer, on_lost)
        secure = layer._get_app_transport()
        try:
            await trusted
        except BaseException as error:
            secure.close()
            if not isinstance(error, OSError):  # asyncio's servers don't tell of those either
                raise

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
        secure: asyncio.Transport = layer._get_app_transport()
        try:
            await trusted
        except BaseException:
            secure.close()
            raise
        return secure

    def _layer(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None],
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


def asked_for(
    context: Any,
    server_hostname: str | None,
    host: str | None,
    handshake_timeout: float | None,
    shutdown_timeout: float | None,
) -> Handshake | None:
    """Return how a client wants its connection to become secure, or None when it does not.

    Raises:
        ValueError: when what it asks for does not fit together.
    """
    if not context:
        options = {
            "server_hostname": server_hostname,
            "ssl_handshake_timeout": handshake_timeout,
            "ssl_shutdown_timeout": shutdown_timeout,
        }
        for name, value in options.items():
            if value is not None:
                raise ValueError(f"{name} is only meaningful with ssl")
        return None
    if server_hostname is None:
        if not host:
            raise ValueError("You must set server_hostname when using ssl without a host")
        server_hostname = host
    return Handshake(context, server_hostname, handshake_timeout, shutdown_timeout)
