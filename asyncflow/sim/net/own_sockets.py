"""Sockets that a program makes and binds itself, to hand them to the loop: as `aiohttp.test_utils` does.

Such a socket stays a real one and is never really bound: in its place a simulated one has the address.
"""

from __future__ import annotations

import _socket
import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from asyncflow.sim.border.escapes import Escapes
from asyncflow.sim.entropy import inside
from asyncflow.sim.entropy.swaps import swapped
from asyncflow.sim.net.sockets import Address, SimSocket

_HAND_IT_OVER = "give it to asyncio.start_server(sock=...), or give that a host and a port"


class OwnSockets:
    """The sockets of TCP that are bound inside one simulated world.

    Args:
        bind: makes what a socket stands for, at an address; called with the socket's family, too.
        escapes: told of what such a socket can't do.
    """

    def __init__(self, bind: Callable[[Address, int], SimSocket], escapes: Escapes) -> None:
        self._bind = bind
        self._escapes = escapes
        self._stands_for: WeakKeyDictionary[socket.socket, SimSocket] = WeakKeyDictionary()

    @contextmanager
    def bindable(self) -> Iterator[None]:
        """Let such sockets be bound to ports of this world inside the `with` block."""
        stand_ins = {
            "bind": self._binding,
            "getsockname": self._naming,
            "listen": self._listening,
            "accept": self._accepting,
            "close": self._closing,
        }
        kind = socket.socket
        with swapped([(kind, name, wrap(getattr(kind, name))) for name, wrap in stand_ins.items()]):
            yield

    def name(self, sock: Any) -> Address | None:
        """Return the address of a socket, or None when it was not bound in this world."""
        found = self._stands_for.get(sock)
        return None if found is None else found.getsockname()

    def take_over(self, sock: Any) -> SimSocket:
        """Return what a socket stands for, for a server of the loop.

        Raises:
            ValueError: for a socket that is none of TCP.
            Escaped: when it was not bound in this world.
        """
        if sock.type != socket.SOCK_STREAM:
            raise ValueError(f"A Stream Socket was expected, got {sock!r}")
        found = self._stands_for.get(sock)
        if found is None:
            self._escapes.refuse("a server on a socket that was not bound in this world", "bind it there")
        _socket.socket.close(sock)  # the descriptor only: a server closes what stands in, and never this
        return found

    def _binding(self, real: Callable[..., None]) -> Callable[..., None]:
        def bind(sock: socket.socket, address: Any) -> None:
            is_tcp = sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM
            if inside.here() is None or not is_tcp:
                real(sock, address)
            elif sock in self._stands_for:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            else:
                self._stands_for[sock] = self._bind(address, sock.family)

        return bind

    def _naming(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def getsockname(sock: socket.socket) -> Any:
            return self.name(sock) or real(sock)

        return getsockname

    def _listening(self, real: Callable[..., None]) -> Callable[..., None]:
        def listen(sock: socket.socket, *backlog: int) -> None:
            if sock not in self._stands_for:  # for the others nobody has to listen: who accepts is at hand
                real(sock, *backlog)

        return listen

    def _accepting(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def accept(sock: socket.socket) -> Any:
            if sock in self._stands_for:
                self._escapes.refuse("accepting connections past the event loop", _HAND_IT_OVER)
            return real(sock)

        return accept

    def _closing(self, real: Callable[..., None]) -> Callable[..., None]:
        def close(sock: socket.socket) -> None:
            real(sock)
            found = self._stands_for.pop(sock, None)
            if found is not None:
                found.close()

        return close
