"""The names of a simulated world: which there are, where they lead, and how look-ups of them fail."""

from __future__ import annotations

import _socket
import asyncio
import ipaddress
import socket
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from asyncflow.hosts import plain_host
from asyncflow.sim.border.escapes import Escapes
from asyncflow.sim.entropy.inside import stepped_out
from asyncflow.sim.net.sockets import Address, family_of
from asyncflow.sim.trace.trace import Trace
from asyncflow.wire.plan import WireFault

HERE = "127.0.0.1"
"""The one machine of a simulated world."""

_HOME = [HERE, "::1"]
_ANY = ["0.0.0.0", "::"]
_NETWORK = ipaddress.IPv4Network("198.18.0.0/15")
"""Where published names have their addresses: set aside for tests, and used nowhere."""

_NOWHERE = "192.0.2.1"
"""Where a name leads that leads astray: set aside for examples, and used nowhere."""

_NO_ANSWER = 5.0
"""Seconds until a look-up is given up when the name server does not answer: a resolver's usual wait."""

_GIVEN_UP = (socket.EAI_AGAIN, "Temporary failure in name resolution")
_FAILURES = {
    "nxdomain": (socket.EAI_NONAME, "Name or service not known"),
    "servfail": _GIVEN_UP,  # to a program the same as no answer
    "dns-timeout": _GIVEN_UP,
}


class Site(NamedTuple):
    """Where an address leads.

    Attributes:
        host: the name it was published under; `localhost` for this machine.
        address: who is to listen on this machine; None where nobody ever does.
        tls: whether a client may speak TLS there.
    """

    host: str
    address: tuple[str, int] | None
    tls: bool = True


class _Published(NamedTuple):
    host: str
    port: int
    tls: bool
    address: str


class Names:
    """Answers look-ups, and knows where addresses lead.

    Args:
        trace: told of look-ups.
        escapes: told of names that there are not.
        struck: returns what goes wrong with a look-up of a name, or None.
    """

    def __init__(self, trace: Trace, escapes: Escapes, struck: Callable[[str], WireFault | None]) -> None:
        self._trace = trace
        self._escapes = escapes
        self._struck = struck
        self._fresh = map(str, _NETWORK.hosts())
        self._by_name: dict[str, _Published] = {}
        self._by_address: dict[str, _Published] = {}
        self._astray: dict[str, str] = {}

    def publish(self, host: str, port: int, *, tls: bool) -> None:
        """Lead a name to a port of this machine, from now on."""
        name = plain_host(host)
        known = self._by_name.get(name)
        made = _Published(name, port, tls, next(self._fresh) if known is None else known.address)
        self._by_name[name] = self._by_address[made.address] = made

    def site(self, address: Address) -> Site:
        """Return where an address leads.

        Raises:
            Escaped: when it leads out of this world.
        """
        host, port = str(address[0]).partition("%")[0], int(address[1])
        published = self._by_address.get(host)
        if published is not None:
            return Site(published.host, (HERE, published.port), published.tls)
        ip = ipaddress.ip_address(host)
        if ip.is_unspecified:
            return Site("localhost", (HERE if ip.version == 4 else "::1", port))
        if ip.is_loopback:
            return Site("localhost", (host, port))
        if host in self._astray:
            return Site(self._astray[host], None)
        return self._refuse(host)

    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        """Answer as `loop.getaddrinfo`.

        Raises:
            socket.gaierror: when the name, or an address of that family, is not known.
            Escaped: when the name is not one of this world.
        """
        name = "" if host is None else plain_host(host)
        if host is None:
            address = _of_family(_ANY if flags & socket.AI_PASSIVE else _HOME, family)
        elif flags & socket.AI_NUMERICHOST or _is_numeric(name):
            address = name
        else:
            address = _of_family(await self._look_up(name), family)
        # What the real machine is connected to is none of this world's business.
        hints = flags & ~getattr(socket, "AI_ADDRCONFIG", 0) | socket.AI_NUMERICHOST
        answers = _numeric(address, port, family, type, proto, hints)
        return [
            (kin, kind, protocol, name if official else "", found)
            for kin, kind, protocol, official, found in answers
        ]

    def own_address(self, host: Any, family: int) -> str:
        """Return the address that a socket of a family is bound to for a host; no name server is asked.

        Raises:
            socket.gaierror: when the host has no address of that family.
            Escaped: when the name is not one of this world.
        """
        name = plain_host(host)
        if not name:
            return _of_family(_ANY, family)
        return _of_family([name] if _is_numeric(name) else self._known(name), family)

    async def getnameinfo(self, sockaddr: Address, flags: int = 0) -> tuple[str, str]:
        """Answer as `loop.getnameinfo`.

        Raises:
            socket.gaierror: when a name is required and there is none.
        """
        with stepped_out():
            number, service = _socket.getnameinfo(
                sockaddr, flags & ~socket.NI_NAMEREQD | socket.NI_NUMERICHOST
            )
        if flags & socket.NI_NUMERICHOST:
            return number, service
        published = self._by_address.get(number)
        name = published.host if published else "localhost" if is_here(number) else None
        if name is None and flags & socket.NI_NAMEREQD:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return name or number, service

    async def _look_up(self, name: str) -> list[str]:
        """Ask the name server, which may fail."""
        known = self._known(name)
        fault = self._struck(name)
        if fault is not None:
            known = await self._strike(fault, name, known)
        self._trace.emit("dns", name if name in self._by_name else "localhost", known[0])
        return known

    def _known(self, name: str) -> list[str]:
        published = self._by_name.get(name)
        if published is not None:
            return [published.address]
        if name in ("", "localhost") or name == plain_host(socket.gethostname()):
            return _HOME
        return self._refuse(name)

    async def _strike(self, fault: WireFault, name: str, known: list[str]) -> list[str]:
        """Let a look-up go wrong."""
        if fault.do == "dns-slow":
            await asyncio.sleep(fault.seconds or 0)
            return known
        if fault.do == "dns-wrong":
            address = fault.address or _NOWHERE
            self._astray[address] = name
            return [address]
        if fault.do == "dns-timeout":
            await asyncio.sleep(_NO_ANSWER if fault.seconds is None else fault.seconds)
        raise socket.gaierror(*_FAILURES[fault.do])

    def _refuse(self, host: str) -> NoReturn:
        known = ", ".join(self._by_name) or "none"
        self._escapes.refuse(
            f"the network behind {host!r}",
            f"map the name to a server in this world, as a service of a scenario is (mapped: {known})",
        )


def _is_numeric(name: str) -> bool:
    """Return whether a name is an address."""
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


@lru_cache(maxsize=256)
def _numeric(
    address: str, port: Any, family: int, kind: int, proto: int, flags: int
) -> tuple[tuple[socket.AddressFamily, socket.SocketKind, int, str, Address], ...]:
    """Return what the system makes of an address in numbers, which is always the same.

    Raises:
        socket.gaierror: when it is none of that family, or the port has no number.
    """
    with stepped_out():
        answers = _socket.getaddrinfo(address, port, family, kind, proto, flags)
    return tuple(
        (socket.AddressFamily(kin), socket.SocketKind(of), protocol, official, found)
        for kin, of, protocol, official, found in answers
    )


def _of_family(addresses: list[str], family: int) -> str:
    """Return the address of a family; of this machine's two, IPv6 only to those who ask for it.

    Raises:
        socket.gaierror: when there is none.
    """
    for address in addresses:
        if family in (socket.AF_UNSPEC, family_of((address,))):
            return address
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def is_here(address: str) -> bool:
    """Return whether an address is one of this machine, or all of them."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    return ip.is_loopback or ip.is_unspecified
