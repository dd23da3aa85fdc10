"""aiodns may be installed or not: these tests put a stand-in for it into aiohttp, one that answers nobody."""

import asyncio
import gc
import importlib.util
import socket
import weakref
from types import SimpleNamespace

import aiohttp
import aiohttp.connector
import aiohttp.resolver
import pytest

from asyncflow.errors import UsageError
from asyncflow.lookups import _LoopResolver
from asyncflow.net.redirect import Redirect
from asyncflow.net.replica import Replica


class AskedAiodns(Exception):
    pass


class DnsError(Exception):
    pass


@pytest.fixture
def aiodns(monkeypatch):
    def refuse(*_, **__):
        raise AskedAiodns

    stand_in = SimpleNamespace(DNSResolver=refuse, error=SimpleNamespace(DNSError=DnsError))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: stand_in if name == "aiodns" else None)
    monkeypatch.setattr(aiohttp.resolver, "aiodns", stand_in)
    monkeypatch.setattr(aiohttp.connector, "DefaultResolver", aiohttp.resolver.AsyncResolver)


def test_with_aiodns_installed_sessions_still_follow_the_redirect_one_after_the_other(aiodns):
    redirect = Redirect()

    async def main():
        async with Replica("posts") as replica:
            redirect.map("a.example", replica.port)
            for _ in range(2):
                async with (
                    aiohttp.ClientSession() as session,
                    session.get("https://a.example/posts/1") as answer,
                ):
                    assert answer.status == 200

    with asyncio.Runner(loop_factory=redirect.new_loop) as runner:
        runner.run(main())


def test_an_unknown_name_is_a_failed_look_up_for_aiohttp_too(aiodns):
    async def main():
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(family=socket.AF_INET6)) as session:
            with pytest.raises(aiohttp.ClientConnectorDNSError):
                await session.get("https://a.example/")

    with asyncio.Runner(loop_factory=Redirect({"a.example": 8001}).new_loop) as runner:
        runner.run(main())


async def test_an_address_is_named_by_the_loop():
    named = await _LoopResolver().getnameinfo(
        ("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    )
    assert (named.node, named.service) == ("127.0.0.1", "80")


async def test_other_loops_ask_aiodns_as_ever(aiodns):
    Redirect().new_loop().close()
    with pytest.raises(AskedAiodns):
        aiohttp.TCPConnector()


def test_an_aiohttp_that_keeps_its_resolvers_in_another_way_is_refused(aiodns, monkeypatch):
    monkeypatch.delattr(aiohttp.resolver, "_DNSResolverManager")
    with pytest.raises(UsageError, match="aiodns is installed"):
        Redirect().new_loop()


def test_a_closed_loop_is_not_kept(aiodns):
    loop = Redirect().new_loop()
    loop.close()
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None
