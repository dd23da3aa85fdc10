"""The transports of a simulated world: two of them, back to back, with a pipe in each direction.

They behave as asyncio's own do over a kernel's TCP: a write goes out at once until the system has taken all
that it holds, and waits in a buffer then; a close flushes; whoever is written to after that answers with a
reset. What arrives, and when, the pipes decide; here their steps are executed.
"""

from __future__ import annotations

import asyncio
import errno
import os
from asyncio import constants, transports
from asyncio.trsock import TransportSocket
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any

from asyncflow.sim.clock import Clock
from asyncflow.sim.sockets import SimSocket
from asyncflow.sim.trace import Trace
from asyncflow.wire.pipe import Pipe, Step

_WINDOW = 128 * 1024
"""Bytes that the system takes without the peer reading, as the buffers of two kernels would."""

_INSTANT = 1e-6
"""What lies closer than this is one instant, for the loop as for us."""


class Transport(transports._FlowControlMixin):
    """One end of a connection.

    Args:
        loop: where the protocol is called.
        clock: the world's clock.
        trace: told of what is sent and what arrives.
        label: the connection's name, such as `client>www.example.org#1`.
        direction: `up` for the client's end and `down` for the server's; it names what this end sends.
        pipe: what happens to what this end sends.
        latency: seconds from one system to the other, without a rule.
        sock: what `get_extra_info("socket")` tells of.
        context: where the protocol is called.
    """

    __slots__ = (
        "__weakref__",
        "_backlog",
        "_backlog_size",
        "_buffered_protocol",
        "_clock",
        "_closing",
        "_context",
        "_direction",
        "_ended",
        "_eof",
        "_gone",
        "_inbox",
        "_label",
        "_latency",
        "_on_way",
        "_paused",
        "_peer",
        "_pipe",
        "_protocol",
        "_sock",
        "_timer",
        "_told",
        "_trace",
    )

    _start_tls_compatible = True
    _sendfile_compatible = constants._SendfileMode.FALLBACK

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        trace: Trace,
        *,
        label: str,
        direction: str,
        pipe: Pipe,
        latency: float,
        sock: SimSocket,
        context: Context,
    ) -> None:
        names = {
            "socket": TransportSocket(sock),  # type: ignore[arg-type]
            "sockname": sock.getsockname(),
            "peername": sock.getpeername(),
        }
        super().__init__(names, loop)
        self._clock = clock
        self._trace = trace
        self._label = label
        self._direction = direction
        self._pipe = pipe
        self._latency = latency
        self._sock = sock
        self._context = context
        self._peer: Transport = self
        self._protocol: Any = None
        self._told: Callable[[], None] | None = None
        self._inbox: deque[Step] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._backlog: deque[memoryview] = deque()
        self._backlog_size = 0
        self._on_way = 0
        self._paused = True  # until there is a protocol
        self._eof = False  # our direction was ended
        self._ended = False  # the peer's direction has ended
        self._closing = False
        self._gone = False

    def __repr__(self) -> str:
        state = "closed" if self._gone else "closing" if self._closing else "open"
        return f"<Transport {self._label} {self._direction} {state}>"

    def join(self, peer: Transport) -> None:
        """Lead what this end sends to another, and what that sends to this."""
        self._peer = peer
        peer._peer = self

    def open(self, protocol: asyncio.BaseProtocol, told: Callable[[], None] | None = None) -> None:
        """Begin: tell the protocol of its transport, then of what arrives.

        Args:
            protocol: what the connection is for.
            told: called when the protocol was told that the connection is lost.
        """
        self._told = told
        self.set_protocol(protocol)
        self._paused = False
        protocol.connection_made(self)
        self._arm()

    # ------------------------------------------------------------------ writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        if self._eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._gone or not data:
            return
        if self._reset_waits():
            self._force_close(_reset())
        elif self._backlog or len(data) > _WINDOW - self._on_way:
            self._backlog.append(memoryview(bytes(data)))
            self._backlog_size += len(data)
            self._flush()
            self._maybe_pause_protocol()
        else:
            self._send(data if data.__class__ is bytes else bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        if self._closing or self._eof:
            return
        self._eof = True
        if not self._backlog:
            self._end()

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return self._backlog_size

    def _flush(self) -> None:
        """Send what waits in the buffer, as far as the system takes it; nothing while that is not worth a piece."""
        room = _WINDOW - self._on_way
        if room < self._backlog_size and room < _WINDOW // 2:
            return
        pieces: list[memoryview] = []
        while self._backlog and room:
            piece = self._backlog.popleft()
            if len(piece) > room:
                self._backlog.appendleft(piece[room:])
                piece = piece[:room]
            room -= len(piece)
            pieces.append(piece)
        data = b"".join(pieces)
        self._backlog_size -= len(data)
        self._send(data)

    def _send(self, data: bytes) -> None:
        self._trace.emit("net.send", self._label, self._direction, len(data))
        pipe = self._pipe
        if pipe.plain:
            self._on_way += len(data)
            self._peer._expect(pipe.push(self._clock.now, data))
            return
        steps = pipe.push(self._clock.now, data)
        self._on_way += sum(len(step.data) for step in steps)
        self._carry(steps)
        if not steps and pipe.dead == "eof":
            self._expect([Step(self._clock.now + 2 * self._latency, "reset")])

    def _end(self) -> None:
        """End our direction: the peer is told in good order."""
        self._carry(self._pipe.end(self._clock.now))

    def _carry(self, steps: list[Step]) -> None:
        """Let steps happen at the other end, and at this one too when they end both directions."""
        self._peer._expect(steps)
        if steps and steps[-1].kind in ("eof", "reset"):
            self._expect(steps[-1:])

    def _taken(self, size: int) -> None:
        """Take note that the peer has taken so many bytes, and send on."""
        self._on_way -= size
        if self._gone or not self._backlog:
            return
        self._flush()
        self._maybe_resume_protocol()
        if not self._backlog:
            if self._closing:
                self._leave(None)
            elif self._eof:
                self._end()

    # ------------------------------------------------------------------ reading

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self._arm()

    def is_reading(self) -> bool:
        return not self._closing and not self._paused

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        self._buffered_protocol = isinstance(protocol, asyncio.BufferedProtocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol  # type: ignore[no-any-return]

    def _expect(self, steps: list[Step]) -> None:
        """Take steps that will happen at this end, after those that are expected already."""
        self._inbox.extend(steps)
        if self._timer is None:
            self._arm()

    def _arm(self) -> None:
        """Wake up for the next step. One timer for all of them: of two for one instant, either may be first."""
        if self._timer is None and self._inbox and self._takes():
            self._timer = self._loop.call_at(self._inbox[0].when, self._arrive, context=self._context)

    def _takes(self) -> bool:
        """Return whether steps are executed: the protocol reads, or nobody is there to mind."""
        return self._gone or not (self._paused or self._closing)

    def _arrive(self) -> None:
        """Execute the steps that are due."""
        inbox = self._inbox
        due = self._clock.now + _INSTANT
        while inbox and inbox[0].when < due and self._takes():
            step = inbox.popleft()
            if step.kind == "data":
                self._receive(step.data)
            elif not self._gone:
                self._conclude(step.kind)
        self._timer = None
        self._arm()

    def _receive(self, data: bytes) -> None:
        self._peer._taken(len(data))
        if self._gone or self._ended:
            self._refuse()
            return
        self._trace.emit("net.recv", self._label, self._peer._direction, len(data))
        try:
            if self._buffered_protocol:
                _fill(self._protocol, data)
            else:
                self._protocol.data_received(data)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - as asyncio's transports do
            self._fail(error, "Fatal error: protocol.data_received() call failed.")

    def _conclude(self, kind: str) -> None:
        if kind == "reset":
            self._trace.emit("net.reset", self._label, self._peer._direction)
            self._vanish(_reset())
            return
        if self._ended:
            return
        self._trace.emit("net.eof", self._label, self._peer._direction)
        self._ended = True
        try:
            stays_open = self._protocol.eof_received()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - as asyncio's transports do
            self._fail(error, "Fatal error: protocol.eof_received() call failed.")
            return
        if not stays_open:
            self.close()

    def _refuse(self) -> None:
        """Answer what came too late, as a kernel does: with a reset."""
        if not self._peer._gone:
            self._peer._expect([Step(self._clock.now + self._latency, "reset")])

    def _reset_waits(self) -> bool:
        """Return whether the peer has reset the connection and nobody has read it yet."""
        due = self._clock.now + _INSTANT
        return self._paused and any(step.kind == "reset" and step.when < due for step in self._inbox)

    # ------------------------------------------------------------------ closing

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        if not self._backlog:
            self._leave(None)

    def abort(self) -> None:
        self._force_close(None)

    def _fail(self, error: BaseException, message: str) -> None:
        """Close because the protocol raised."""
        if not isinstance(error, OSError):
            self._loop.call_exception_handler(
                {"message": message, "exception": error, "transport": self, "protocol": self._protocol}
            )
        self._force_close(error)

    def _force_close(self, error: BaseException | None) -> None:
        """Close at once; sslproto calls it too."""
        if not self._gone:
            self._backlog.clear()
            self._backlog_size = 0
            self._leave(error)

    def _leave(self, error: BaseException | None) -> None:
        """Close our end as a kernel does: with a reset when data lies there unread, else in good order."""
        now = self._clock.now
        unread = bool(self._inbox) and self._inbox[0].when <= now and self._inbox[0].kind == "data"
        if not (unread or self._sock.resets):
            if not self._eof:
                self._end()
        elif self._eof:
            self._peer._expect([Step(now + self._latency, "reset")])
        else:
            self._peer._expect([Step(step.when, "reset") for step in self._pipe.end(now)])
        self._vanish(error)

    def _vanish(self, error: BaseException | None) -> None:
        """Be closed, whatever the peer knows of it, and tell the protocol."""
        if self._gone:
            return
        self._gone = self._closing = True
        self._loop.call_soon(self._tell, error, context=self._context)
        if self._peer._gone:
            self._forget()
            self._peer._forget()
        else:
            self._arm()

    def _forget(self) -> None:
        """Expect nothing any more: nobody is left at either end."""
        self._inbox.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def reset(self) -> None:
        """Break the connection in both directions, now."""
        for end in (self, self._peer):
            if not end._gone:
                end._conclude("reset")

    def _tell(self, error: BaseException | None) -> None:
        protocol, self._protocol = self._protocol, None
        try:
            if protocol is not None:
                protocol.connection_lost(error)
        finally:
            self._sock.close()
            if self._told is not None:
                self._told()


def _reset() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))


def _fill(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    """Give data to a protocol that reads into a buffer of its own."""
    rest = memoryview(data)
    while rest:
        buffer = protocol.get_buffer(len(rest))
        size = min(len(buffer), len(rest))
        if not size:
            raise RuntimeError("get_buffer() returned an empty buffer")
        buffer[:size] = rest[:size]  # type: ignore[index]
        protocol.buffer_updated(size)
        rest = rest[size:]
