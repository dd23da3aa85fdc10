"""What stands for a socket in a simulated world: an address and options, and no descriptor."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

Address = tuple[Any, ...]
"""Host and port, and for IPv6 two numbers more, as the socket module has them."""

_OPTION = tuple[int, int]
_LINGER: _OPTION = (socket.SOL_SOCKET, socket.SO_LINGER)


def family_of(address: Address) -> socket.AddressFamily:
    """Return the family that an address belongs to."""
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


class SimSocket:
    """The end of a connection, or a listener, as asyncio and its users see it beside the transport.

    It answers questions and remembers options; nothing can be sent through it.

    Args:
        name: its own address.
        peer: the address at the other end; None while there is none.
        on_close: called when it is closed for the first time.
    """

    def __init__(
        self, name: Address, peer: Address | None = None, on_close: Callable[[], None] | None = None
    ) -> None:
        self.family = family_of(name)
        self.type = socket.SOCK_STREAM
        self.proto = socket.IPPROTO_TCP
        self._name = name
        self._peer = peer
        self._on_close = on_close
        self._options: dict[_OPTION, Any] = {}

    def __repr__(self) -> str:
        return f"<SimSocket {self._name} to {self._peer}>"

    @property
    def resets(self) -> bool:
        """Whether a close is to send a reset: it lingers, and has no time to."""
        value = self._options.get(_LINGER)
        if not isinstance(value, bytes):
            return False
        lingers, seconds = struct.unpack("hh" if len(value) == 4 else "ii", value)
        return bool(lingers) and seconds == 0

    def getsockname(self) -> Address:
        """Return its own address."""
        return self._name

    def getpeername(self) -> Address:
        """Return the address at the other end.

        Raises:
            OSError: when there is no other end.
        """
        if self._peer is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return self._peer

    def setsockopt(self, level: int, option: int, value: Any, *_: Any) -> None:
        """Remember an option; of all that there are, only lingering has an effect."""
        self._options[level, option] = value

    def getsockopt(self, level: int, option: int, length: int = 0) -> Any:
        """Return an option as it was set, and zeros when it was not."""
        return self._options.get((level, option), bytes(length) if length else 0)

    def fileno(self) -> int:
        """Return -1: there is no descriptor."""
        return -1

    def listen(self, backlog: int = 0) -> None:
        """Do nothing: whoever accepts is at hand."""

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the socket module's own signature
        """Do nothing: it never blocks."""

    def settimeout(self, value: float | None) -> None:
        """Do nothing: it never blocks."""

    def gettimeout(self) -> float:
        """Return 0: it never blocks."""
        return 0.0

    def shutdown(self, how: int) -> None:
        """Do nothing: the transport ends its directions itself."""

    def close(self) -> None:
        """Let go of its address; a second time does nothing."""
        told, self._on_close = self._on_close, None
        if told is not None:
            told()
