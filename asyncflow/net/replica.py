"""Replica servers: the services that the examples call, on this machine, with our own records.

A replica listens on loopback and answers in the real service's shapes. Faults make it misbehave on request.
"""

from __future__ import annotations

import asyncio
import errno
import functools
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from aiohttp import web

from asyncflow.errors import NotFound, UsageError, did_you_mean
from asyncflow.net.aiohttp_cache import forget_handlers
from asyncflow.net.answers import FRAMINGS, SHAPES, Framing, Shape, install_framing
from asyncflow.net.cfpb import cfpb_app
from asyncflow.net.complaint_records import Record, complaints
from asyncflow.net.http_faults import HttpFault
from asyncflow.net.http_strikes import OnFault, Striker
from asyncflow.net.post_records import POSTS, post_collections
from asyncflow.net.posts import posts_app
from asyncflow.net.record_files import load_collections, load_complaints

COMPLAINTS = 100
"""How many complaints there are when nobody says otherwise."""

_GRACE = 0.2  # seconds; handlers end at once on shutdown, so only a client that won't read uses this up


def _cfpb(records: Path | None, seed: int, count: int | None, shape: Shape) -> web.Application:
    if records is not None:
        return cfpb_app(load_complaints(records)[:count], shape)
    return cfpb_app(_generated(seed, COMPLAINTS if count is None else count), shape)


@functools.lru_cache(maxsize=16)
def _generated(seed: int, count: int) -> list[Record]:
    """Return complaints; a scenario that is played again and again has the same ones each time."""
    return complaints(Random(seed), count)


def _posts(records: Path | None, seed: int, count: int | None, shape: Shape) -> web.Application:
    if records is not None:
        collections = load_collections(records)
        if "posts" in collections:
            collections["posts"] = collections["posts"][:count]
        return posts_app(collections, shape)
    return posts_app(post_collections(Random(seed), POSTS if count is None else count), shape)


_MAKERS: dict[str, Callable[[Path | None, int, int | None, Shape], web.Application]] = {
    "cfpb": _cfpb,
    "posts": _posts,
}

REPLICAS = tuple(_MAKERS)
"""The names of the replicas that there are."""


class Replica:
    """A local stand-in for a web service, as an async context manager.

    Args:
        name: one of REPLICAS.
        records: a file to serve instead of generated records.
        seed: decides the generated records.
        count: how many complaints or posts; None for the usual number, or all that the file has.
        faults: what goes wrong.
        host: the address to listen on.
        port: the port to listen on; 0 lets the system choose one.
        on_fault: called at each strike with the fault and the request's number, as the fault counts them.
        framing: what tells a client where an answer ends: `length`, `chunked`, or `eof`, its connection.
        shape: how lists of records look: `json`, or `ndjson` for a record on each line.

    Attributes:
        name: which replica it is.
        host: the address that it listens on.
        port: the port that it listens on; known once it has started.
        requests: how many requests reached it since it started, on the wire: a client's silent repeats too.

    Raises:
        NotFound: when there is no replica of that name.
        UsageError: when a setting is out of range; on entering, when the file is broken or the port taken.
    """

    def __init__(
        self,
        name: str,
        records: Path | None = None,
        seed: int = 7,
        count: int | None = None,
        faults: Sequence[HttpFault] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        on_fault: OnFault | None = None,
        framing: Framing = "length",
        shape: Shape = "json",
    ) -> None:
        if name not in _MAKERS:
            raise NotFound(
                f"no replica {name!r}; there are {', '.join(REPLICAS)}.{did_you_mean(name, REPLICAS)}"
            )
        if not 0 <= port <= 65535:
            raise UsageError(f"port {port} must be 0 to 65535; 0 lets the system choose one")
        if count is not None and count < 0:
            raise UsageError(f"count={count} must be 0 or more")
        _check_word("framing", framing, FRAMINGS)
        _check_word("shape", shape, SHAPES)
        if framing != "length" and any(fault.do == "wrong-length" for fault in faults):
            raise UsageError(
                f"do='wrong-length' lies about a length that no answer declares with framing={framing!r}; "
                "leave framing out, or use do='truncate'"
            )
        self.name = name
        self.host = host
        self.port = port
        self.requests = 0
        self._records = records
        self._seed = seed
        self._count = count
        self._faults = tuple(faults)
        self._asked_port = port
        self._on_fault = on_fault
        self._framing: Framing = framing
        self._shape: Shape = shape
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address of its root, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        if self._runner is not None:
            raise UsageError(f"replica {self.name!r} is running already; make another one")
        self.requests = 0
        app = _MAKERS[self.name](self._records, self._seed, self._count, self._shape)
        app.middlewares.append(self._count_request)
        Striker(self._faults, self._on_fault).install(app)
        install_framing(app, self._framing)
        # A client that leaves cancels its handler, so a hanging one ends with its client.
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_GRACE)
        await runner.setup()
        site = web.TCPSite(runner, self.host, self._asked_port)
        try:
            await site.start()
        except BaseException as error:
            await runner.cleanup()
            if isinstance(error, OSError):
                raise self._unavailable(error) from error
            raise
        self.port = runner.addresses[0][1]
        self._runner = runner
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
            forget_handlers()

    @web.middleware
    async def _count_request(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.requests += 1
        return await handler(request)

    def _unavailable(self, error: OSError) -> UsageError:
        if error.errno == errno.EADDRINUSE:
            return UsageError(
                f"port {self._asked_port} on {self.host} is already in use; choose another port, or let the "
                "system choose one with --port 0 (port=0 in Python)"
            )
        reason = error.strerror or error
        return UsageError(
            f"replica {self.name!r} can't listen on {self.host}, port {self._asked_port}: {reason}"
        )


def _check_word(key: str, word: str, known: Sequence[str]) -> None:
    if word not in known:
        raise UsageError(f"{key}={word!r} must be one of {', '.join(known)}.{did_you_mean(word, known)}")


async def serve(replica: Replica, *, started: Callable[[Replica], None] | None = None) -> None:
    """Run a replica until this is cancelled.

    Args:
        replica: one that is not running.
        started: called once it listens, for instance to show its address.

    Raises:
        UsageError: when its file is broken or its port taken.
    """
    async with replica:
        if started is not None:
            started(replica)
        await asyncio.Event().wait()
