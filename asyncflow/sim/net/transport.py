"""The transports of a simulated world: two of them, back to back, with a pipe in each direction.

They behave as asyncio's own do over a kernel's TCP: a write goes out at once until the system has taken all
that it holds, and waits in a buffer then; a close flushes; who writes to an end that is closed is answered
with a reset. What arrives, and when, the pipes decide; here it happens.
"""

from __future__ import annotations

import asyncio
import errno
import os
from asyncio import transports
from asyncio.trsock import TransportSocket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context
from typing import Any, Literal

from asyncflow.sim.net.inbox import Inbox
from asyncflow.sim.net.line import Line
from asyncflow.sim.net.sockets import SimSocket
from asyncflow.sim.private import require
from asyncflow.wire.pipe import Pipe, Step

require(transports, "_FlowControlMixin")
require(transports._FlowControlMixin, "_maybe_pause_protocol", "_maybe_resume_protocol")

_WINDOW = 128 * 1024
"""Bytes that the system takes without the peer reading, as the buffers of two kernels would."""

_CALL_FAILED = "Fatal error: protocol.{}() call failed."


class Transport(transports._FlowControlMixin):
    """One end of a connection.

    Args:
        line: the connection.
        direction: what this end sends: `up` if it is the client's, `down` if it is the server's.
        pipe: what happens to it.
        sock: what `get_extra_info("socket")` tells of.
        context: where the protocol is called.
    """

    _loop: asyncio.AbstractEventLoop
    _maybe_pause_protocol: Callable[[], None]
    _maybe_resume_protocol: Callable[[], None]
    _start_tls_compatible = True

    def __init__(
        self, line: Line, direction: Literal["up", "down"], pipe: Pipe, sock: SimSocket, context: Context
    ) -> None:
        names = {
            "socket": TransportSocket(sock),  # type: ignore[arg-type]
            "sockname": sock.getsockname(),
            "peername": sock.getpeername(),
        }
        super().__init__(names, line.loop)
        self._line = line
        self._clock = line.clock
        self._trace = line.trace
        self._direction = direction
        self._pipe = pipe
        self._sock = sock
        self._context = context
        self._peer: Transport = self
        self._protocol: Any = None
        self._fills = False  # whether the protocol reads into a buffer of its own
        self._on_lost: Callable[[], None] | None = None
        self._inbox = Inbox(line.loop, line.clock, self._execute, self._reads, context)
        self._backlog: deque[memoryview] = deque()
        self._backlog_size = 0
        self._on_way = 0
        self._paused = True  # until there is a protocol
        self._eof = False  # this end's direction was ended
        self._ended = False  # the peer's direction has ended
        self._closing = False
        self._gone = False
        self._unread = False  # data came that nobody will read
        self._broken = False  # a reset came that nobody has noticed

    def __repr__(self) -> str:
        state = "closed" if self._gone else "closing" if self._closing else "open"
        return f"<Transport {self._line.label} {self._direction} {state}>"

    def __hash__(self) -> int:
        return self._line.number  # servers keep sets of transports

    def join(self, peer: Transport) -> None:
        """Lead what this end sends to another, and what that one sends to this."""
        self._peer = peer
        peer._peer = self

    def open(self, protocol: asyncio.BaseProtocol, on_lost: Callable[[], None] | None = None) -> None:
        """Tell the protocol of its transport, and then of what arrives.

        Args:
            protocol: what the connection is for.
            on_lost: called after the protocol was told that the connection is lost.
        """
        self._on_lost = on_lost
        self.set_protocol(protocol)
        self._paused = False
        protocol.connection_made(self)
        self._inbox.wake()

    def is_open(self) -> bool:
        """Return whether one of the two ends still has the connection."""
        return not (self._gone and self._peer._gone)

    def reset(self) -> None:
        """Break the connection in both directions, now."""
        reset = Step(self._clock.now, "reset")
        for end in (self, self._peer):
            if end._protocol is None:
                end._inbox.expect([reset])  # for whoever opens it
            else:
                end._execute(reset)

    # ------------------------------------------------------------------ writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes."""
        if data.__class__ is not bytes:
            if not isinstance(data, bytes | bytearray | memoryview):
                raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
            data = bytes(data)
        if self._eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._gone or not data:
            return
        if self._broken:
            self._force_close(_os_error(errno.EPIPE))
        elif self._paused and self._inbox.has_reset():
            self._force_close(_os_error(errno.ECONNRESET))
        elif self._backlog or len(data) > _WINDOW - self._on_way:
            self._backlog.append(memoryview(data))
            self._backlog_size += len(data)
            self._flush()
            self._maybe_pause_protocol()
        else:
            self._send(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send bytes, in one piece."""
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        """End this end's direction when everything is sent."""
        if self._closing or self._eof:
            return
        self._eof = True
        if not self._backlog:
            self._end()

    def can_write_eof(self) -> bool:
        """Return True."""
        return True

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the system has not taken yet."""
        return self._backlog_size

    def _flush(self) -> None:
        """Send what waits in the buffer, as far as the system takes it, but no crumbs."""
        while self._backlog:
            room = _WINDOW - self._on_way
            if room < self._backlog_size and room < _WINDOW // 2:
                return
            data = b"".join(self._unload(room))
            self._backlog_size -= len(data)
            self._send(data)

    def _unload(self, room: int) -> Iterator[memoryview]:
        """Take so many bytes out of the buffer, or all."""
        while self._backlog and room:
            piece = self._backlog.popleft()
            if len(piece) > room:
                self._backlog.appendleft(piece[room:])
                piece = piece[:room]
            room -= len(piece)
            yield piece

    def _send(self, data: bytes) -> None:
        self._trace.emit("net.send", self._line.label, self._direction, len(data))
        pipe = self._pipe
        steps = pipe.push(self._clock.now, data)
        if pipe.plain:
            self._on_way += len(data)
            self._peer._inbox.expect(steps)
            return
        self._on_way += sum(len(step.data) for step in steps)  # what a cut swallows holds nobody up
        self._carry(steps)
        if not steps and pipe.dead == "eof":
            self._inbox.expect([Step(self._clock.now + 2 * self._line.latency, "reset")])

    def _end(self) -> None:
        """Tell the peer in good order that no more will come."""
        self._carry(self._pipe.end(self._clock.now))

    def _carry(self, steps: list[Step]) -> None:
        """Let steps happen at the other end, and at this one too when they end both directions."""
        self._peer._inbox.expect(steps)
        if steps and steps[-1].kind in ("eof", "reset"):
            self._inbox.expect(steps[-1:])

    def _taken(self, size: int) -> None:
        """Take note that so many bytes have arrived, and send on."""
        self._on_way -= size
        if self._gone or not self._backlog:
            return
        self._flush()
        self._maybe_resume_protocol()
        if self._backlog:
            return
        if self._closing:
            self._leave(None)
        elif self._eof:
            self._end()

    # ------------------------------------------------------------------ reading

    def pause_reading(self) -> None:
        """Leave what arrives with the system."""
        self._paused = True

    def resume_reading(self) -> None:
        """Take what arrives again."""
        self._paused = False
        self._inbox.wake()

    def is_reading(self) -> bool:
        """Return whether the protocol gets what arrives."""
        return not self._closing and not self._paused

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Give what arrives to another protocol."""
        self._protocol = protocol
        self._fills = isinstance(protocol, asyncio.BufferedProtocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol that gets what arrives."""
        return self._protocol  # type: ignore[no-any-return]

    def _reads(self) -> bool:
        """Return whether what arrives is worked off: the protocol reads, or does not mind any more."""
        return self._closing or not self._paused

    def _execute(self, step: Step) -> None:
        """Let one step happen at this end."""
        if step.kind == "data":
            self._peer._taken(len(step.data))
            if self._gone or self._ended:
                self._refuse()
            elif self._closing:
                self._unread = True
            else:
                self._receive(step.data)
        elif self._gone:
            return
        elif step.kind == "reset":
            self._receive_reset()
        elif not (self._ended or self._closing):
            self._trace.emit("net.eof", self._line.label, self._peer._direction)
            self._ended = True
            self._receive_eof()

    def _receive(self, data: bytes) -> None:
        self._trace.emit("net.recv", self._line.label, self._peer._direction, len(data))
        try:
            if self._fills:
                _fill(self._protocol, data)
            else:
                self._protocol.data_received(data)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a protocol raises costs its connection only
            self._fail(error, "buffer_updated" if self._fills else "data_received")

    def _receive_eof(self) -> None:
        try:
            stays_open = self._protocol.eof_received()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001
            self._fail(error, "eof_received")
            return
        if not stays_open:
            self.close()

    def _receive_reset(self) -> None:
        """Lose the connection; one that has nothing to read any more notices it when it writes."""
        self._trace.emit("net.reset", self._line.label, self._peer._direction)
        if not self._ended or self._closing:
            self._vanish(_os_error(errno.ECONNRESET))
        elif self._backlog:
            self._vanish(_os_error(errno.EPIPE))
        else:
            self._broken = True

    def _refuse(self) -> None:
        """Answer what came too late as a kernel does: with a reset."""
        if not self._peer._gone and self._pipe.dead not in ("blackhole", "never"):
            self._peer._inbox.expect([Step(self._clock.now + self._line.latency, "reset")])

    # ------------------------------------------------------------------ closing

    def is_closing(self) -> bool:
        """Return whether it is closed, or will be when everything is sent."""
        return self._closing

    def close(self) -> None:
        """Close when everything is sent."""
        if self._closing:
            return
        self._closing = True
        if self._backlog:
            self._inbox.wake()
        else:
            self._leave(None)

    def abort(self) -> None:
        """Close at once, without sending what the system has not taken."""
        self._force_close(None)

    def _force_close(self, error: BaseException | None) -> None:
        """Close at once; asyncio's TLS calls it by this name."""
        if not self._gone:
            self._backlog.clear()
            self._backlog_size = 0
            self._leave(error)

    def _fail(self, error: BaseException, method: str) -> None:
        """Close because the protocol raised."""
        if not isinstance(error, OSError):
            self._loop.call_exception_handler(
                {
                    "message": _CALL_FAILED.format(method),
                    "exception": error,
                    "transport": self,
                    "protocol": self._protocol,
                }
            )
        self._force_close(error)

    def _leave(self, error: BaseException | None) -> None:
        """Close as a kernel does: with a reset when data lies there unread, else in good order."""
        now = self._clock.now
        if not (self._sock.resets or self._unread or self._inbox.has_unread()):
            if not self._eof:
                self._end()
        elif self._eof:
            self._peer._inbox.expect([Step(now + self._line.latency, "reset")])
        else:
            self._peer._inbox.expect([Step(step.when, "reset") for step in self._pipe.end(now)])
        self._vanish(error)

    def _vanish(self, error: BaseException | None) -> None:
        """Be closed, whatever the peer knows of it, and tell the protocol."""
        if self._gone:
            return
        self._gone = self._closing = True
        self._loop.call_soon(self._tell, error, context=self._context)
        if self._peer._gone:
            self._inbox.forget()
            self._peer._inbox.forget()
        else:
            self._inbox.wake()

    def _tell(self, error: BaseException | None) -> None:
        """Tell the protocol that the connection is lost."""
        protocol, self._protocol = self._protocol, None
        try:
            if protocol is not None:
                protocol.connection_lost(error)
        finally:
            self._sock.close()
            if self._on_lost is not None:
                self._on_lost()


def _os_error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def _fill(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    """Give data to a protocol that reads into a buffer of its own."""
    rest = memoryview(data)
    while rest:
        buffer = memoryview(protocol.get_buffer(len(rest)))
        size = min(len(buffer), len(rest))
        if not size:
            raise RuntimeError("get_buffer() returned an empty buffer")
        buffer[:size] = rest[:size]
        protocol.buffer_updated(size)
        rest = rest[size:]
