"""The redirect: on one event loop, some host names lead to servers on this machine.

A rehearsal maps `www.consumerfinance.gov` to a replica's port, and the flow's URLs stay what they are. For a
mapped name `getaddrinfo` answers 127.0.0.1 and that port, whatever port was asked for, and a connection to
that port is made without TLS, so that `https://` URLs reach a server that speaks plain HTTP. Only the loop
made here is concerned: other loops, blocking code (`requests` in a `def` body) and the process are not.

An unmapped name is left alone, so a rehearsal can reach the network as ever. With `strict` it is refused.

Clients keep addresses for a while: a mapping that is changed reaches an aiohttp session that has already
looked the name up only when its cache runs out (10 seconds). Where aiodns is installed, aiohttp asks it
instead of the loop; `asyncflow.lookups` leads it back.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Mapping
from typing import Any

from asyncflow.errors import UsageError
from asyncflow.lookups import resolve_on_loop

_HERE = "127.0.0.1"
_TLS_OPTIONS = ("ssl", "server_hostname", "ssl_handshake_timeout", "ssl_shutdown_timeout")


class Redirect:
    """Where host names lead, and a maker of loops that follow it.

    Use it as `asyncio.Runner(loop_factory=redirect.new_loop)`. Names may be mapped before and after.

    Args:
        mapping: ports on this machine by host name.
        strict: whether everything else that is not on this machine is refused.
        on_connect: called in the client's context with the local port of each connection to a mapped server,
            so that a strike at the server can be traced to who asked.
    """

    def __init__(
        self,
        mapping: Mapping[str, int] | None = None,
        *,
        strict: bool = False,
        on_connect: Callable[[int], None] | None = None,
    ) -> None:
        self.strict = strict
        self.on_connect = on_connect
        self._ports: dict[str, int] = {}
        self._speaks_tls: dict[int, bool] = {}
        for name, port in (mapping or {}).items():
            self.map(name, port)

    def map(self, name: str, port: int, *, tls: bool = False) -> None:
        """Lead a host name to a port on this machine, from now on.

        Args:
            name: the host name, in any case, with or without a dot at its end.
            port: where the server listens, 1 to 65535.
            tls: whether the server there speaks TLS; if not, clients that ask for TLS get none. It belongs to
                the port: of two names with one port, the last word holds.

        Raises:
            UsageError: when the name or the port can't be mapped.
        """
        if not 1 <= port <= 65535:
            raise UsageError(f"{name!r} can't lead to port {port}; map it when its server has started")
        known = _plain(name)
        if not known or "/" in known or ":" in known:
            raise UsageError(f"{name!r} is not a host name; leave out scheme, port and path")
        self._ports[known] = port
        self._speaks_tls[port] = tls

    def unmap(self, name: str) -> None:
        """Let a host name lead where it always did; a name that is not mapped is no error."""
        self._ports.pop(_plain(name), None)

    def port_of(self, host: object) -> int | None:
        """Return the port that a host name leads to, or None when it is not mapped."""
        return self._ports.get(_plain(host)) if isinstance(host, str | bytes) else None

    def leads_to(self, address: object) -> bool:
        """Return whether an address is that of a server to which a name was mapped."""
        return isinstance(address, tuple) and address[0] == _HERE and address[1] in self._ports.values()

    def drops_tls(self, port: int) -> bool:
        """Return whether connections to a port on this machine are made without TLS."""
        return port in self._ports.values() and not self._speaks_tls[port]

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Return a new event loop of the usual class that follows this redirect.

        Raises:
            UsageError: when aiohttp would look names up past it; the text says what to change.
        """
        usual = _usual_class()
        made = type(f"Redirecting{usual.__name__}", (_Redirecting, usual), {"redirect": self})
        loop: asyncio.AbstractEventLoop = made()
        try:
            resolve_on_loop(loop)
        except BaseException:
            loop.close()
            raise
        return loop

    def refuse(self, host: str) -> None:
        """Complain about a host off this machine, when the redirect is strict.

        Raises:
            UsageError: then, and not an OSError, which a retry would take for a failing network.
        """
        if self.strict and not _is_here(host):
            known = ", ".join(self._ports) or "none"
            raise UsageError(
                f"{host!r} is not mapped in this rehearsal (mapped: {known}); map it to a replica, or allow "
                "the network by leaving strict out"
            )


class _Redirecting(asyncio.AbstractEventLoop):
    """What a redirecting loop does differently; it stands before the usual loop class."""

    redirect: Redirect

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        target = self.redirect.port_of(host)
        if target is not None:
            return _addresses(target, **options)
        if host is not None and not options.get("flags", 0) & socket.AI_PASSIVE:
            self.redirect.refuse(_plain(host))
        return await super().getaddrinfo(host, port, **options)

    async def sock_connect(self, sock: Any, address: Any) -> Any:
        if isinstance(address, tuple) and self.redirect.port_of(address[0]) is None:
            self.redirect.refuse(str(address[0]))
        await super().sock_connect(sock, address)
        if self.redirect.on_connect is not None and self.redirect.leads_to(address):
            self.redirect.on_connect(sock.getsockname()[1])

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        target = self.redirect.port_of(host)
        if target is not None:
            if options.get("ssl") and options.get("server_hostname") is None:
                options["server_hostname"] = _plain(host)
            host, port = _HERE, target
        elif options.get("sock") is not None:
            target = _peer_port(options["sock"])
        if target is not None and self.redirect.drops_tls(target):
            options = {name: value for name, value in options.items() if name not in _TLS_OPTIONS}
        return await super().create_connection(protocol_factory, host, port, **options)


def _usual_class() -> type[asyncio.AbstractEventLoop]:
    """Return the class of the loops that this program would get, which a policy may have chosen."""
    loop = asyncio.new_event_loop()
    loop.close()
    return type(loop)


def _plain(name: object) -> str:
    """Return a host name as it is compared: lower case, no dot at the end, ASCII."""
    text = name.decode("ascii", "replace") if isinstance(name, bytes) else str(name)
    text = text.lower().rstrip(".")
    try:
        return text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError:
        return text


def _is_here(host: str) -> bool:
    if _plain(host) in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _peer_port(sock: socket.socket) -> int | None:
    """Return the port on this machine that a socket is connected to, or None when it is not."""
    try:
        peer = sock.getpeername()
    except OSError:
        return None
    return peer[1] if isinstance(peer, tuple) and peer[0] == _HERE else None


def _addresses(port: int, *, family: int = 0, type: int = 0, proto: int = 0, **_: Any) -> list[Any]:
    """Answer as `socket.getaddrinfo` would for a host with this one address.

    Raises:
        socket.gaierror: when only addresses of another family will do.
    """
    if family not in (socket.AF_UNSPEC, socket.AF_INET):
        raise socket.gaierror(socket.EAI_NONAME, "the name leads to an IPv4 address of this machine only")
    kind = type or socket.SOCK_STREAM
    if not proto and kind == socket.SOCK_STREAM:
        proto = socket.IPPROTO_TCP
    return [(socket.AF_INET, kind, proto, "", (_HERE, port))]
