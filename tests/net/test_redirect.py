import asyncio
import gc
import socket
import ssl
import weakref

import aiohttp
import pytest

from asyncflow.errors import UsageError
from asyncflow.net.cfpb import PATH
from asyncflow.net.redirect import Redirect
from asyncflow.net.replica import Replica

HOST = "www.consumerfinance.gov"
POSTS = "jsonplaceholder.typicode.com"


def run(redirect, main):
    with asyncio.Runner(loop_factory=redirect.new_loop) as runner:
        return runner.run(main())


@pytest.mark.parametrize(
    "url", [f"https://{HOST}{PATH}", f"http://{HOST}{PATH}", f"https://{HOST.upper()}:8443{PATH}"]
)
def test_an_unchanged_url_reaches_the_replica_through_aiohttp_s_own_session(url):
    redirect = Redirect()

    async def main():
        async with Replica("cfpb") as replica:
            redirect.map(HOST, replica.port)
            async with aiohttp.ClientSession() as session, session.get(url, params={"size": "2"}) as answer:
                assert len((await answer.json())["hits"]["hits"]) == 2
                assert answer.url.host == HOST
            assert replica.requests == 1

    run(redirect, main)


def test_two_names_lead_to_two_replicas():
    redirect = Redirect()

    async def main():
        async with Replica("cfpb") as cfpb, Replica("posts") as posts, aiohttp.ClientSession() as session:
            redirect.map(HOST, cfpb.port)
            redirect.map(POSTS, posts.port)
            for _ in range(3):
                async with session.get(f"https://{POSTS}/posts/1") as answer:
                    assert (await answer.json())["id"] == 1
                async with session.get(f"https://{HOST}{PATH}") as answer:
                    assert "hits" in await answer.json()
            assert (cfpb.requests, posts.requests) == (3, 3)

    run(redirect, main)


@pytest.mark.parametrize("tls", [None, True])
def test_streams_of_asyncio_follow_the_redirect_with_and_without_tls(tls):
    redirect = Redirect()

    async def main():
        async with Replica("posts") as replica:
            redirect.map(POSTS, replica.port)
            reader, writer = await asyncio.open_connection(POSTS, 443, ssl=tls)
            writer.write(b"GET /posts/1 HTTP/1.0\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.0 200 OK")
            writer.close()
            await writer.wait_closed()

    run(redirect, main)


def test_a_mapping_that_asks_for_tls_keeps_it():
    redirect = Redirect()

    async def main():
        async with Replica("posts") as replica:
            redirect.map(POSTS, replica.port, tls=True)
            async with aiohttp.ClientSession() as session:
                with pytest.raises(aiohttp.ClientConnectorSSLError):
                    await session.get(f"https://{POSTS}/posts/1")
            with pytest.raises(ssl.SSLError):
                await asyncio.open_connection(POSTS, 443, ssl=True)
            assert replica.requests == 0

    run(redirect, main)


def test_a_name_that_leads_to_a_port_where_nobody_listens_is_a_refused_connection():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        redirect = Redirect({POSTS: bound.getsockname()[1]})

        async def main():
            async with aiohttp.ClientSession() as session:
                with pytest.raises(aiohttp.ClientConnectorError):
                    await session.get(f"https://{POSTS}/posts/1")

        run(redirect, main)


@pytest.mark.parametrize(
    "asked", [HOST, HOST.upper(), f"{HOST}.", HOST.encode()], ids=["as mapped", "upper", "dot", "bytes"]
)
def test_a_name_is_known_in_any_case_with_a_dot_and_as_bytes(asked):
    async def main():
        return await asyncio.get_running_loop().getaddrinfo(asked, 443, type=socket.SOCK_STREAM)

    found = run(Redirect({HOST: 8001}), main)
    assert found == [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 8001))]


def test_a_name_in_another_script_is_known_in_both_of_its_forms():
    redirect = Redirect({"b\u00fccher.example": 8001})
    assert redirect.port_of("xn--bcher-kva.example") == redirect.port_of("B\u00fccher.example") == 8001


def test_a_name_that_no_script_allows_is_simply_not_mapped():
    assert Redirect({HOST: 8001}).port_of("\u00fc" * 70) is None


def test_a_mapped_name_answers_for_datagrams_as_it_is_asked():
    async def main():
        return await asyncio.get_running_loop().getaddrinfo(HOST, 53, type=socket.SOCK_DGRAM)

    assert run(Redirect({HOST: 8001}), main)[0][1:3] == (socket.SOCK_DGRAM, 0)


def test_asked_for_ipv6_only_a_mapped_name_has_no_address():
    async def main():
        with pytest.raises(socket.gaierror, match="IPv4"):
            await asyncio.get_running_loop().getaddrinfo(HOST, 443, family=socket.AF_INET6)

    run(Redirect({HOST: 8001}), main)


@pytest.mark.parametrize("strict", [False, True])
def test_this_machine_s_own_names_and_addresses_are_left_alone(strict):
    async def main():
        async with Replica("posts") as replica:
            for host in ("localhost", "127.0.0.1"):
                async with (
                    aiohttp.ClientSession() as session,
                    session.get(f"http://{host}:{replica.port}/posts/1") as answer,
                ):
                    assert answer.status == 200

    run(Redirect({HOST: 8001}, strict=strict), main)


def test_an_unmapped_name_is_looked_up_as_ever(monkeypatch):
    asked = []

    def lookup(host, port, *rest, **options):
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    async def main():
        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorDNSError):
                await session.get("http://elsewhere.example/")

    run(Redirect({HOST: 8001}), main)
    assert asked == ["elsewhere.example"]


@pytest.mark.parametrize("url", ["https://elsewhere.example/", "http://192.0.2.1/"])
def test_a_strict_redirect_refuses_what_is_not_mapped_and_says_what_is(url):
    async def main():
        async with aiohttp.ClientSession() as session:
            with pytest.raises(UsageError, match=rf"is not mapped in this rehearsal \(mapped: {HOST}\)"):
                await session.get(url)

    run(Redirect({HOST: 8001}, strict=True), main)


@pytest.mark.parametrize(
    ("name", "port", "reason"),
    [
        (HOST, 0, "can't lead to port 0"),
        (HOST, 65536, "can't lead to port 65536"),
        ("https://a.example", 80, "leave out scheme, port and path"),
        ("a.example:443", 80, "is not a host name"),
        ("", 80, "is not a host name"),
    ],
)
def test_what_can_t_be_mapped_is_refused_with_the_reason(name, port, reason):
    with pytest.raises(UsageError, match=reason):
        Redirect({name: port})


def test_an_unmapped_again_name_leads_nowhere_special_and_its_port_speaks_as_ever():
    redirect = Redirect({HOST: 8001})
    assert redirect.drops_tls(8001)
    redirect.unmap(HOST)
    redirect.unmap("never.example")
    assert redirect.port_of(HOST) is None
    assert not redirect.drops_tls(8001)


def test_two_loops_follow_their_own_redirects_and_an_ordinary_loop_none():
    async def lookup():
        return (await asyncio.get_running_loop().getaddrinfo(HOST, 443))[0][4][1]

    assert run(Redirect({HOST: 8001}), lookup) == 8001
    assert run(Redirect({HOST: 8002}), lookup) == 8002
    with asyncio.Runner() as runner:
        assert not hasattr(runner.get_loop(), "redirect")


def test_the_loop_is_of_the_class_that_the_program_would_get_and_is_given_addresses_only(monkeypatch):
    asked = []
    loop = asyncio.new_event_loop()
    loop.close()
    usual = type(loop)

    class LooksNamesUpItself(usual):
        async def create_connection(self, factory, host=None, port=None, **options):
            asked.append((host, port, options))

    async def main():
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LooksNamesUpItself)
        await loop.create_connection(asyncio.Protocol, HOST, 443, ssl=True)
        await loop.create_connection(asyncio.Protocol, POSTS, 443, ssl=True)
        await loop.create_connection(asyncio.Protocol, "other.example", 443, ssl=True)

    redirect = Redirect({HOST: 8001})
    redirect.map(POSTS, 8002, tls=True)
    monkeypatch.setattr(asyncio, "new_event_loop", LooksNamesUpItself)
    run(redirect, main)
    assert asked == [
        ("127.0.0.1", 8001, {}),
        ("127.0.0.1", 8002, {"ssl": True, "server_hostname": POSTS}),
        ("other.example", 443, {"ssl": True}),
    ]


def test_a_closed_loop_is_not_kept():
    loop = Redirect({HOST: 8001}).new_loop()
    loop.close()
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None
