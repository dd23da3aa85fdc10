"""Leads aiohttp's name look-ups on one loop back to that loop, where aiodns would bypass it.

With aiodns installed (`aiohttp[speedups]` brings it) aiohttp's default resolver asks aiodns, which sends its
own packets and never calls `loop.getaddrinfo`. aiohttp keeps one such resolver per loop; this puts ours in
its place for a single loop. A resolver that a program builds itself is not touched.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakSet

from asyncflow.errors import UsageError


def resolve_on_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Make aiohttp's default resolver ask that loop; without aiodns it does so anyway.

    Raises:
        UsageError: when aiodns is installed and this aiohttp keeps its resolvers in another way.
    """
    if not _aiohttp_would_ask_aiodns():
        return
    from aiohttp import resolver as aiohttp_resolver

    try:
        by_loop: Any = aiohttp_resolver._DNSResolverManager()._loop_data
    except AttributeError as error:
        raise UsageError(
            "aiodns is installed, and this version of aiohttp would look names up past the rehearsal; "
            "uninstall aiodns or use another aiohttp 3"
        ) from error
    # aiohttp forgets a resolver with its last user, so the resolver itself stays one.
    ours = _LoopResolver()
    by_loop[loop] = (ours, WeakSet([ours]))


class _Node(NamedTuple):
    family: int
    addr: Sequence[Any]


class _Answer(NamedTuple):
    nodes: list[_Node]


def _aiohttp_would_ask_aiodns() -> bool:
    """Return whether aiohttp has found aiodns, or would find it when it is imported."""
    known = sys.modules.get("aiohttp.resolver")
    if known is not None:
        return getattr(known, "aiodns", None) is not None
    return importlib.util.find_spec("aiodns") is not None


class _LoopResolver:
    """What aiohttp takes for aiodns's resolver; it keeps no loop, which would then never be freed."""

    async def getaddrinfo(self, host: str, port: int | None = None, **options: Any) -> _Answer:
        found: Any = await asyncio.get_running_loop().getaddrinfo(host, port, **options)
        return _Answer(
            [_Node(family, (address[0].encode("ascii"), *address[1:])) for family, _, _, _, address in found]
        )

    async def getnameinfo(self, address: Any, flags: int = 0) -> Any:
        node, service = await asyncio.get_running_loop().getnameinfo(address, flags)
        return _Name(node, service)

    # aiohttp takes a resolver without this for a very old aiodns.
    gethostbyname = getaddrinfo

    def cancel(self) -> None:
        """Do nothing: the loop ends its look-ups itself."""


class _Name(NamedTuple):
    node: str
    service: str
