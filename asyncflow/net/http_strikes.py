"""Makes HTTP faults happen in an aiohttp server, to any application alike.

Faults act below the handler: they take its finished answer and spoil it on the way out, or stand in for it. A
request that no fault strikes goes to the handler as if none of this were here.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

from aiohttp import hdrs, web

from asyncflow.net.answers import as_chunk
from asyncflow.net.http_faults import HttpFault

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
OnFault = Callable[[HttpFault, int, int], None]
"""Called at each strike with the fault, the request's number as the fault counts, and the client's port."""

_DRIPS = 16
_SETTLE = 0.02  # seconds in which the client reads what was sent before a reset may discard it
_LINGER = "hh" if sys.platform == "win32" else "ii"


class Striker:
    """Applies faults to the requests of one server.

    Of several faults that are due for one request every `slow` one strikes, and the delays add up; of the
    others the first in the list does.

    Args:
        faults: what goes wrong, in the order of precedence.
        on_fault: called at each strike with the fault and the request's number, counted as the fault's
            `requests` are.
    """

    def __init__(self, faults: Sequence[HttpFault], on_fault: OnFault | None = None) -> None:
        self._faults = tuple(faults)
        self._covered = [0] * len(self._faults)
        self._on_fault = on_fault
        self._closing = asyncio.Event()

    def install(self, app: web.Application) -> None:
        """Put the faults in front of all handlers of an application that has not started."""
        app.middlewares.append(self._middleware)
        app.on_shutdown.append(self._release)

    async def _release(self, _: web.Application) -> None:
        self._closing.set()

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        due = self._due(request.path)
        for fault, number in due:
            if fault.do == "slow":
                self._tell(fault, number, request)
                if not await self._pause(fault.seconds):
                    return _drop(request)
        for fault, number in due:
            if fault.do != "slow":
                self._tell(fault, number, request)
                return await self._strike(fault, request, handler)
        return await handler(request)

    def _due(self, path: str) -> list[tuple[HttpFault, int]]:
        """Count the request and return the faults that are due for it, with its number for each."""
        due: list[tuple[HttpFault, int]] = []
        for index, fault in enumerate(self._faults):
            if fault.covers(path):
                self._covered[index] += 1
                if fault.is_due(self._covered[index]):
                    due.append((fault, self._covered[index]))
        return due

    def _tell(self, fault: HttpFault, number: int, request: web.Request) -> None:
        if self._on_fault is not None:
            peer = request.transport.get_extra_info("peername") if request.transport is not None else None
            self._on_fault(fault, number, peer[1] if peer else 0)

    async def _pause(self, seconds: float | None) -> bool:
        """Wait so long, or without end; return False at once when the server shuts down."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return True
        return False

    async def _strike(self, fault: HttpFault, request: web.Request, handler: Handler) -> web.StreamResponse:
        if fault.do == "status":
            return _status(fault)
        if fault.do == "hang":
            await self._pause(None)
            return _drop(request)
        if fault.do == "reset" and fault.byte is None:
            return _reset(request)
        answer, body = await _answer(request, handler)
        if fault.do == "malformed-json":
            return _with_body(answer, body[: len(body) // 2] + b",,")
        if fault.do == "wrong-content-type":
            return _with_body(answer, body, content_type="text/html; charset=utf-8")
        if fault.do == "drip":
            return await self._drip(fault, request, answer, body)
        return await self._cut(fault, request, answer, body)

    async def _drip(
        self, fault: HttpFault, request: web.Request, answer: web.Response, body: bytes
    ) -> web.StreamResponse:
        out = await _begin(request, answer, len(body))
        pieces = _pieces(body)
        for piece in pieces:
            if not await self._pause((fault.seconds or 0) / len(pieces)):
                return _drop(request)
            await _write(request, out, piece)
        return out

    async def _cut(
        self, fault: HttpFault, request: web.Request, answer: web.Response, body: bytes
    ) -> web.StreamResponse:
        """Declare one length, send another, and end the connection."""
        declared, sent = _lengths(fault, len(body))
        out = await _begin(request, answer, declared)
        await _write(request, out, body[:sent])
        if fault.do == "reset":
            await self._pause(_SETTLE)
            return _reset(request)
        if request.transport is not None:
            request.transport.close()
        return out


def _lengths(fault: HttpFault, size: int) -> tuple[int, int]:
    """Return how many bytes of a body of that size the header declares and how many are sent."""
    if fault.do == "wrong-length":
        return max(size + (10 if fault.byte is None else fault.byte), 0), size
    if fault.do == "truncate":
        # At least one declared byte is missing, or nothing would be cut.
        declared = max(size, 1)
        return declared, min(size // 2 if fault.byte is None else fault.byte, declared - 1)
    return size, min(fault.byte or 0, size)


def _status(fault: HttpFault) -> web.Response:
    known = {status.value: status.phrase for status in HTTPStatus}
    answer = web.json_response({"detail": known.get(fault.status, "Fault")}, status=fault.status)
    if fault.status in (204, 304):
        answer.body = None
    if fault.retry_after is not None:
        answer.headers["Retry-After"] = _seconds_or_date(fault.retry_after)
    return answer


def _seconds_or_date(value: float | str) -> str:
    """Return the text of a Retry-After header: whole seconds without a point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


async def _answer(request: web.Request, handler: Handler) -> tuple[web.Response, bytes]:
    """Return what the handler answers, and the body of it."""
    try:
        answer = await handler(request)
    except web.HTTPException as error:
        answer = error
    if not isinstance(answer, web.Response) or not isinstance(answer.body, bytes | None):
        raise TypeError(f"only answers with a body in memory can be spoiled, not {answer!r}")
    return answer, answer.body or b""


def _with_body(answer: web.Response, body: bytes, content_type: str | None = None) -> web.Response:
    headers = answer.headers.copy()
    headers.popall("Content-Length", None)
    if content_type is not None:
        headers["Content-Type"] = content_type
    return web.Response(status=answer.status, reason=answer.reason, headers=headers, body=body)


async def _begin(request: web.Request, answer: web.Response, length: int) -> web.StreamResponse:
    """Send the head of an answer, with that length declared."""
    out = web.StreamResponse(status=answer.status, reason=answer.reason, headers=answer.headers)
    out.content_length = length
    await out.prepare(request)
    return out


async def _write(request: web.Request, out: web.StreamResponse, data: bytes) -> None:
    """Send a part of the body and return when the system has taken all of it.

    The bytes go past the response, which would refuse those beyond its declared length.
    """
    if request.method == "HEAD" or request.transport is None:
        return
    request.transport.set_write_buffer_limits(high=0)
    is_chunked = hdrs.TRANSFER_ENCODING in out.headers
    request.transport.write(as_chunk(data) if is_chunked else data)
    writer = await out.prepare(request)
    if writer is not None:
        await writer.drain()


def _pieces(body: bytes) -> list[bytes]:
    size = max(-(-len(body) // _DRIPS), 1)
    return [body[start : start + size] for start in range(0, max(len(body), 1), size)]


def _drop(request: web.Request) -> web.Response:
    """End the connection without an answer; the returned one can't be sent any more."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _reset(request: web.Request) -> web.Response:
    """End the connection with a TCP reset.

    A close with lingering switched on and no time to linger sends a reset in place of an orderly end. On
    Windows the event loop ends both directions first, so a client there may see an orderly end instead.
    """
    connection = None if request.transport is None else request.transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
    return _drop(request)
