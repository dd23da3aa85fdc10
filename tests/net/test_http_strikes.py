import asyncio
import json
import re
import socket
import struct
import sys

import aiohttp
import pytest
from aiohttp import web

from asyncflow.net.cfpb import PATH
from asyncflow.net.http_faults import DEEDS, HttpFault
from asyncflow.net.http_strikes import Striker
from asyncflow.net.replica import Replica
from tests.clock import run_virtual

TIMEOUT = 2.0  # seconds; below 5, so aiohttp does not round it
LINGER = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0))
TARGETS = {"posts": "/posts/1", "cfpb": PATH}


WAITS = {"slow", "hang", "drip"}
"""Faults that take time: they strike in the simulated world only."""


def in_both_worlds(rows, do):
    """Return the worlds' ways to run a coroutine with each row, and an id; `do` reads the fault's word."""
    worlds = {"real": asyncio.run, "simulated": run_virtual}
    return [
        pytest.param(play, *row, id=f"{world}-{number}-{do(row)}")
        for world, play in worlds.items()
        for number, row in enumerate(rows)
        if world == "simulated" or do(row) not in WAITS
    ]


async def shoot(name, *faults, times=1, limit=30):
    """Send requests one after the other; return what came of each, the strikes, and the wire's count."""
    strikes = []
    async with Replica(
        name, faults=faults, on_fault=lambda fault, n, port: strikes.append((fault.do, n))
    ) as replica:
        timeout = aiohttp.ClientTimeout(total=limit)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            seen = [await attempt(session, "GET", replica.url + TARGETS[name]) for _ in range(times)]
        return seen, strikes, replica.requests


async def attempt(session, method, url):
    """Return the name of what a plain client raises, or the status of a whole answer."""
    try:
        async with session.request(method, url) as answer:
            answer.raise_for_status()
            await answer.json()
            return answer.status
    except (aiohttp.ClientError, TimeoutError, json.JSONDecodeError) as error:
        return type(error).__name__


async def whole(method, url, **options):
    """Return an answer and the body of it."""
    async with aiohttp.ClientSession() as session, session.request(method, url, **options) as answer:
        return answer, await answer.read()


TABLE = [
    (HttpFault("status"), "ClientResponseError", 1),
    (HttpFault("status", status=404), "ClientResponseError", 1),
    (HttpFault("status", status=429, retry_after=2), "ClientResponseError", 1),
    (HttpFault("status", status=200), 200, 1),
    (HttpFault("slow", seconds=1.5), 200, 1),
    (HttpFault("slow", seconds=30), "TimeoutError", 1),
    (HttpFault("hang"), "TimeoutError", 1),
    (HttpFault("truncate"), "ClientPayloadError", 1),
    (HttpFault("truncate", byte=0), "ClientPayloadError", 1),
    (HttpFault("truncate", byte=100), "ClientPayloadError", 1),
    (HttpFault("truncate", byte=10**9), "ClientPayloadError", 1),
    (HttpFault("wrong-length"), "ClientPayloadError", 1),
    # What is left over is noticed where it comes together with the head, else only the parser can notice.
    (HttpFault("wrong-length", byte=-10), ("ClientResponseError", "JSONDecodeError"), 1),
    (HttpFault("malformed-json"), "JSONDecodeError", 1),
    # aiohttp repeats a GET once when the connection breaks before the answer: two requests on the wire.
    (HttpFault("reset"), "ClientOSError", 2),
    (HttpFault("reset", requests=1), 200, 2),
    (HttpFault("reset", requests=(1, 2)), "ClientOSError", 2),
    (HttpFault("reset", byte=0), "ClientPayloadError", 1),
    (HttpFault("reset", byte=100), "ClientPayloadError", 1),
    (HttpFault("drip", seconds=1.5), 200, 1),
    (HttpFault("drip", seconds=30), "TimeoutError", 1),
    (HttpFault("wrong-content-type"), "ContentTypeError", 1),
]


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(("play", "fault", "expected", "wire"), in_both_worlds(TABLE, lambda row: row[0].do))
def test_a_fault_is_seen_by_aiohttp_s_client_as_the_table_says(play, name, fault, expected, wire):
    seen, strikes, requests = play(shoot(name, fault, limit=TIMEOUT))
    assert seen[0] in (expected if isinstance(expected, tuple) else (expected,))
    assert requests == wire
    assert strikes == [(fault.do, number) for number in range(1, wire + 1) if fault.is_due(number)]


def test_the_table_has_a_row_for_every_fault_there_is():
    assert {fault.do for fault, _, _ in TABLE} == set(DEEDS)


async def test_a_post_is_not_repeated_by_the_client_so_one_reset_is_seen():
    async with (
        Replica("posts", faults=[HttpFault("reset", requests=1)]) as replica,
        aiohttp.ClientSession() as session,
    ):
        with pytest.raises(aiohttp.ClientOSError):
            await session.post(f"{replica.url}/posts", json={})
        async with session.post(f"{replica.url}/posts", json={}) as answer:
            assert answer.status == 201
    assert replica.requests == 2


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (2, "2"),
        (2.0, "2"),
        (0.5, "0.5"),
        (86400, "86400"),
        (1234567, "1234567"),
        ("Fri, 31 Dec 2027 23:59:59 GMT", "Fri, 31 Dec 2027 23:59:59 GMT"),
    ],
)
async def test_retry_after_is_sent_as_seconds_or_as_a_date(value, sent):
    fault = HttpFault("status", status=429, retry_after=value)
    async with Replica("posts", faults=[fault]) as replica:
        answer, body = await whole("GET", replica.url)
    assert answer.status == 429
    assert answer.headers["Retry-After"] == sent
    assert json.loads(body) == {"detail": "Too Many Requests"}


async def test_a_status_without_a_body_is_sent_without_one_and_without_retry_after():
    async with Replica("posts", faults=[HttpFault("status", status=204)]) as replica:
        answer, body = await whole("GET", replica.url)
    assert (answer.status, body) == (204, b"")
    assert "Retry-After" not in answer.headers


async def test_the_named_requests_are_struck_and_the_others_answered():
    seen, strikes, _ = await shoot("posts", HttpFault("status", requests=(2, 3)), times=4)
    assert seen == [200, "ClientResponseError", "ClientResponseError", 200]
    assert strikes == [("status", 2), ("status", 3)]


async def test_requests_are_counted_among_those_that_the_path_lets_through():
    strikes = []
    fault = HttpFault("status", requests=2, path="/users")
    async with (
        Replica("posts", faults=[fault], on_fault=lambda fault, n, port: strikes.append(n)) as replica,
        aiohttp.ClientSession(replica.url) as session,
    ):
        paths = ["/posts", "/users", "/posts", "/users/1", "/users"]
        assert [(await session.get(path)).status for path in paths] == [200, 200, 200, 503, 200]
    assert strikes == [2]


async def test_of_two_deciding_faults_the_first_strikes_and_only_it_is_told():
    seen, strikes, _ = await shoot("posts", HttpFault("malformed-json"), HttpFault("status"))
    assert seen == ["JSONDecodeError"]
    assert strikes == [("malformed-json", 1)]


async def test_delays_add_up_and_go_before_the_deciding_fault(virtual_clock):
    faults = [HttpFault("status"), HttpFault("slow", seconds=3), HttpFault("slow", seconds=4)]
    seen, strikes, _ = await shoot("posts", *faults)
    assert virtual_clock.now == pytest.approx(7, abs=0.1)
    assert seen == ["ClientResponseError"]
    assert strikes == [("slow", 1), ("slow", 1), ("status", 1)]


async def test_a_fault_behind_a_delay_that_the_client_does_not_wait_for_never_strikes(virtual_clock):
    seen, strikes, _ = await shoot("posts", HttpFault("status"), HttpFault("slow", seconds=30), limit=TIMEOUT)
    assert seen == ["TimeoutError"]
    assert strikes == [("slow", 1)]
    assert virtual_clock.now < 30


async def test_a_cut_head_request_ends_without_a_body():
    async with Replica("posts", faults=[HttpFault("truncate")]) as replica:
        answer, body = await whole("HEAD", f"{replica.url}/posts/1")
    assert (answer.status, body) == (200, b"")


async def test_a_path_that_is_not_there_can_be_spoiled_as_well():
    async with (
        Replica("posts", faults=[HttpFault("truncate")]) as replica,
        aiohttp.ClientSession() as session,
    ):
        with pytest.raises(aiohttp.ClientPayloadError):
            async with session.get(f"{replica.url}/a/b/c/d") as answer:
                await answer.read()


async def test_an_answer_that_the_handler_raises_can_be_spoiled_as_well():
    async with Replica("posts", faults=[HttpFault("wrong-content-type")]) as replica:
        answer, body = await whole("POST", f"{replica.url}/posts", json=5)
    assert (answer.status, answer.content_type) == (400, "text/html")
    assert "must be a JSON object" in body.decode()


async def test_an_empty_body_is_cut_too():
    async def nothing(_):
        return web.Response()

    app = web.Application()
    app.router.add_get("/", nothing)
    assert await raw(app, HttpFault("truncate")) == (b"HTTP/1.1 200 OK", {"Content-Length": "1"}, b"")


async def test_an_answer_that_is_not_in_memory_is_refused_as_a_mistake_of_the_program(caplog):
    async def streamed(request):
        out = web.StreamResponse()
        await out.prepare(request)
        return out

    app = web.Application()
    app.router.add_get("/", streamed)
    await raw(app, HttpFault("truncate"))
    assert "only answers with a body in memory can be spoiled" in caplog.text


async def raw(app, *faults, path="/"):
    """Serve an application and return status line, telling headers and body of one plain request."""
    if faults:
        Striker(faults).install(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        answer = await fetch(runner.addresses[0][1], path)
    finally:
        await runner.cleanup()
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    headers = dict(line.decode().split(": ", 1) for line in lines)
    return status, {"Content-Length": headers["Content-Length"]} if "Content-Length" in headers else {}, body


async def fetch(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize("name", TARGETS)
async def test_where_no_fault_applies_the_answer_is_the_same_to_the_byte(name):
    idle = [
        HttpFault("reset", requests=99),
        HttpFault("hang", path="/elsewhere"),
        HttpFault("slow", seconds=9, requests=99),
    ]
    answers = []
    for faults in ((), idle):
        async with Replica(name, faults=faults) as replica:
            answer = await fetch(replica.port, TARGETS[name])
        answers.append(re.sub(rb"Date: [^\r]*", b"Date: -", answer))
    assert answers[0] == answers[1]
    assert answers[0].startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("do", sorted(WAITS))
async def test_a_waiting_answer_ends_at_once_when_the_server_stops(do, monkeypatch, virtual_clock):
    monkeypatch.setattr("asyncflow.net.replica._GRACE", 30)
    fault = HttpFault(do) if do == "hang" else HttpFault(do, seconds=60)
    async with aiohttp.ClientSession() as session:
        struck = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            async with Replica(
                "posts", faults=[fault], on_fault=lambda fault, n, port: struck.set()
            ) as replica:
                client = group.create_task(attempt(session, "POST", f"{replica.url}/posts"))
                await struck.wait()
                await asyncio.sleep(10)
                assert not client.done()
            assert virtual_clock.now < 11
    assert client.result() in ("ServerDisconnectedError", "ClientOSError", "ClientPayloadError")


async def test_a_hanging_handler_ends_when_its_client_leaves(virtual_clock):
    struck = asyncio.Event()
    async with Replica(
        "posts", faults=[HttpFault("hang")], on_fault=lambda fault, n, port: struck.set()
    ) as replica:
        before = asyncio.all_tasks()
        _, writer = await asyncio.open_connection("127.0.0.1", replica.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await struck.wait()
        await asyncio.sleep(60)
        assert asyncio.all_tasks() > before
        writer.close()
        await asyncio.sleep(1)
        assert asyncio.all_tasks() == before


async def test_aiohttp_takes_a_reset_in_a_body_without_a_length_for_the_end_of_a_whole_body():
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhalf of i")
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.transport.get_extra_info("socket").setsockopt(*LINGER)
        writer.transport.abort()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}") as response,
    ):
        assert await response.text() == "half of i"
