"""aiohttp's client and server, unmodified, in a simulated world; and what its client makes of each fault."""

import asyncio
import gc
import logging

import aiohttp
import pytest
from aiohttp import test_utils, web

from asyncflow.sim import Simulation, run
from asyncflow.wire.plan import WirePlan
from tests.sim.networking import HOST, URL, fault, play, website

BODY = b"0123456789" * 20


def application():
    async def sized(_):
        return web.Response(body=BODY)

    async def large(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(200):
            await response.write(b"x" * 8192)
        return response

    async def echo(request):
        return web.Response(body=await request.read())

    async def whole_record(_):
        return web.json_response({"id": 1})

    app = web.Application()
    app.router.add_get("/sized", sized)
    app.router.add_get("/large", large)
    app.router.add_post("/echo", echo)
    app.router.add_get("/json", whole_record)
    return app


@pytest.fixture(autouse=True)
def _quiet_server(caplog):
    """A server whose connection breaks logs an error; that is what these tests are about."""
    caplog.set_level(logging.CRITICAL, "aiohttp.server")


async def get(session, path):
    """Return the name of the error or the body, and how long it took."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    try:
        async with session.get(URL + path) as response:
            body = await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        return type(error).__name__, loop.time() - start
    return body, loop.time() - start


def client(**options):
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5), **options)
    session._retry_connection = False  # each request is one attempt
    return session


def requested(path, *faults, times=1):
    """Ask for a page some times in a row, and return what came of it."""

    async def program(sim):
        async with website(sim, application()), client() as session:
            return [await get(session, path) for _ in range(times)]

    played = play(program, *faults)
    assert all(played.fired.values()), played.fired
    return played.value


@pytest.mark.parametrize(
    ("keys", "path", "expected"),
    [
        ({"do": "nxdomain"}, "/sized", "ClientConnectorDNSError"),
        ({"do": "servfail"}, "/sized", "ClientConnectorDNSError"),
        ({"do": "dns-timeout", "seconds": 4.0}, "/sized", "ClientConnectorDNSError"),
        ({"do": "dns-timeout", "seconds": 20.0}, "/sized", "TimeoutError"),
        ({"do": "dns-slow", "seconds": 4.0}, "/sized", BODY),
        ({"do": "dns-slow", "seconds": 20.0}, "/sized", "TimeoutError"),
        ({"do": "dns-wrong"}, "/sized", "ClientConnectorError"),
        ({"do": "refuse"}, "/sized", "ClientConnectorError"),
        ({"do": "hang"}, "/sized", "TimeoutError"),
        ({"do": "unreachable"}, "/sized", "ClientConnectorError"),
        ({"do": "reset"}, "/sized", "ClientOSError"),
        ({"do": "reset", "byte": 50}, "/sized", "ClientOSError"),
        ({"do": "reset", "byte": 30, "direction": "up"}, "/sized", "ClientOSError"),
        ({"do": "eof"}, "/sized", "ServerDisconnectedError"),
        ({"do": "eof", "byte": 50}, "/sized", "ServerDisconnectedError"),
        ({"do": "reset", "part": "body", "byte": 50}, "/sized", "ClientPayloadError"),
        ({"do": "eof", "part": "body", "byte": 50}, "/sized", "ClientPayloadError"),
        ({"do": "half-close", "part": "body", "byte": 50}, "/sized", "ClientPayloadError"),
        ({"do": "half-close", "byte": 50}, "/sized", "ServerDisconnectedError"),
        ({"do": "reset", "part": "body", "byte": 5000}, "/large", "ClientPayloadError"),
        ({"do": "eof", "part": "body", "byte": 5000}, "/large", "ClientPayloadError"),
        ({"do": "blackhole"}, "/sized", "TimeoutError"),
        ({"do": "blackhole", "part": "body", "byte": 50}, "/sized", "TimeoutError"),
        ({"do": "blackhole", "byte": 10, "direction": "up"}, "/sized", "TimeoutError"),
        ({"do": "blackhole", "part": "body", "byte": 5000}, "/large", "TimeoutError"),
        ({"do": "stall", "byte": 50, "seconds": 3.0}, "/sized", BODY),
        ({"do": "stall", "byte": 50, "seconds": 30.0}, "/sized", "TimeoutError"),
        ({"do": "drip", "count": 10, "seconds": 0.1}, "/sized", BODY),
        ({"do": "drip", "count": 10, "seconds": 1.0}, "/sized", "TimeoutError"),
        ({"do": "slice", "count": 3}, "/sized", BODY),
        ({"do": "bandwidth", "rate": 100.0}, "/sized", BODY),
        ({"do": "bandwidth", "rate": 10.0}, "/sized", "TimeoutError"),
        ({"do": "latency", "seconds": 1.0, "direction": "both"}, "/sized", BODY),
        ({"do": "latency", "seconds": 1.0, "jitter": 0.5}, "/sized", BODY),
        ({"do": "latency", "seconds": 6.0}, "/sized", "TimeoutError"),
        ({"do": "partition", "window": (0.0012, 3.0), "direction": "both"}, "/sized", BODY),
        ({"do": "partition", "window": (0.0, 3.0), "direction": "both"}, "/sized", BODY),
        ({"do": "partition", "window": (0.0012, 9.0)}, "/sized", "TimeoutError"),
        ({"do": "flap", "up": 0.001, "down": 2.0}, "/sized", BODY),
        ({"do": "clog", "seconds": 2.0}, "/sized", BODY),
        ({"do": "reset-all", "window": (0.0012, 1.0)}, "/sized", "ClientOSError"),
        ({"do": "corrupt"}, "/sized", "ClientResponseError"),
        ({"do": "corrupt", "part": "body"}, "/sized", bytes([BODY[0] ^ 0x20]) + BODY[1:]),
    ],
    ids=str,
)
def test_aiohttp_s_client_meets_each_fault_of_the_wire(keys, path, expected):
    struck, _ = requested(path, fault(**keys))[0]
    assert struck == expected


@pytest.mark.parametrize("do", ["reset", "eof", "refuse"])
def test_what_struck_the_first_connection_leaves_the_next_alone(do):
    first, second = requested("/sized", fault(do, connections=(1,)), times=2)
    assert first[0] != BODY
    assert second[0] == BODY


@pytest.mark.parametrize("do", ["eof", "reset", "half-close"])
def test_a_body_without_a_length_that_is_cut_passes_for_whole(do):
    """aiohttp takes it for a complete answer, in the real world too: only a length or a checksum can tell."""
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + BODY)
        writer.close()

    async def program(sim):
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        sim.network.publish(HOST, server.sockets[0].getsockname()[1])
        async with server, client() as session:
            return [(await get(session, "/"))[0] for _ in range(2)]

    assert play(program, fault(do, byte=len(head) + 50, connections=(1,))).value == [BODY[:50], BODY]


def test_a_look_up_in_the_dark_fails_the_next_request_too():
    answers = requested("/sized", fault("dns-timeout", seconds=8.0, lookups=(1,)), times=2)
    assert [answer for answer, _ in answers] == ["TimeoutError", "ClientConnectorDNSError"]


# ---------------------------------------------------------------------- the whole of it


def test_a_large_body_is_held_back_by_a_slow_reader_and_arrives_whole():
    async def program(sim):
        written = []

        async def large(request):
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(200):
                await response.write(b"x" * 8192)
                written.append(asyncio.get_running_loop().time())
            return response

        app = web.Application()
        app.router.add_get("/", large)
        async with website(sim, app), client() as session, session.get(URL) as response:
            await asyncio.sleep(2)
            at_rest = len(written)
            return at_rest, len(await response.read())

    at_rest, size = play(program).value
    assert size == 200 * 8192
    assert 0 < at_rest < 100, "the server stops when nobody reads"


def test_a_large_request_arrives_whole():
    async def program(sim):
        async with (
            website(sim, application()),
            client() as session,
            session.post(f"{URL}/echo", data=b"y" * 900_000) as response,
        ):
            return len(await response.read())

    assert play(program).value == 900_000


def test_a_connection_is_used_again_and_made_anew_after_an_idle_hour():
    async def program(sim):
        async with website(sim, application()), client() as session:
            first = [(await get(session, "/sized"))[0] for _ in range(3)]
            await asyncio.sleep(3600)
            return [*first, (await get(session, "/sized"))[0]]

    played = play(program)
    assert played.value == [BODY] * 4
    assert played.seconds > 3600
    assert [line.split()[2] for line in played.lines if "net.connect" in line] == [
        "client>www.example.org#1",
        "client>www.example.org#2",
    ]


def test_a_hundred_clients_at_once_are_served():
    async def program(sim):
        async with website(sim, application()), client() as session:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(get(session, "/sized")) for _ in range(100)]
            return {task.result()[0] for task in tasks}

    assert play(program).value == {BODY}


def test_a_web_socket_talks():
    async def program(sim):
        async def talk(request):
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            async for message in socket:
                await socket.send_str(message.data.upper())
            return socket

        app = web.Application()
        app.router.add_get("/", talk)
        async with website(sim, app), client() as session, session.ws_connect(URL) as socket:
            await socket.send_str("hello")
            answer = await socket.receive_str()
            await asyncio.sleep(60)
            await socket.send_str("still there")
            return answer, await socket.receive_str()

    assert play(program).value == ("HELLO", "STILL THERE")


def test_a_file_is_sent(tmp_path):
    (tmp_path / "page.txt").write_bytes(BODY * 1000)

    async def program(sim):
        app = web.Application()
        app.router.add_static("/", tmp_path)
        async with website(sim, app), client() as session:
            return (await get(session, "/page.txt"))[0]

    assert play(program).value == BODY * 1000


def test_the_same_program_says_the_same_in_both_worlds():
    async def program():
        runner = web.AppRunner(application(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        said = []
        try:
            async with aiohttp.ClientSession(f"http://{host}:{port}") as session:
                for path in ("/sized", "/json", "/nothing"):
                    async with session.get(path) as response:
                        said.append(
                            (response.status, response.headers.get("Content-Length"), await response.read())
                        )
                async with session.get("/large") as response:
                    said.append(len(await response.read()))
                async with session.post("/echo", data=b"z" * 300_000) as response:
                    said.append(len(await response.read()))
                async with session.head("/sized") as response:
                    said.append((response.status, response.content_length))
            try:
                async with aiohttp.ClientSession() as session, session.get("http://127.0.0.1:1/"):
                    pass
            except aiohttp.ClientError as error:
                said.append((type(error), error.errno))
        finally:
            await runner.cleanup()
        return said

    assert run(program()) == asyncio.run(program())


# ---------------------------------------------------------------------- repeatable


async def a_busy_program(sim):
    async with website(sim, application()), client() as session:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(get(session, path))
                for path in ("/sized", "/large", "/json", "/sized", "/large")
            ]
        return [task.result()[0] for task in tasks]


FAULTS = (
    fault("latency", seconds=0.2, jitter=0.2, direction="both"),
    fault("reset", byte=2000, connections=(2,)),
    fault("bandwidth", rate=400_000.0, probability=0.5),
    fault("refuse", connections=(4,)),
)


def test_one_seed_gives_one_trace_a_hundred_times():
    digests = {play(a_busy_program, *FAULTS, seed=3).digest for _ in range(100)}
    assert len(digests) == 1


def test_another_seed_gives_another_trace():
    assert play(a_busy_program, *FAULTS, seed=3).digest != play(a_busy_program, *FAULTS, seed=4).digest


def test_a_plan_that_strikes_nothing_changes_nothing():
    elsewhere = WirePlan([fault("reset", host="api.example.org")])
    digests = set()
    for plan in (None, WirePlan(), elsewhere):
        sim = Simulation(7)
        if plan is not None:
            sim.network.plan = plan
        sim.run(a_busy_program(sim))
        digests.add(sim.trace.digest())
    assert len(digests) == 1


def test_no_socket_is_left_open():
    play(a_busy_program)
    gc.collect()  # what leaked warns now, and warnings are errors here


def test_aiohttp_s_test_server_and_client_serve_in_both_worlds():
    async def program():
        async with test_utils.TestClient(test_utils.TestServer(application())) as tester:
            answer = await tester.get("/sized")
            return await answer.read(), tester.port > 0, test_utils.unused_port() != tester.port

    assert run(program()) == asyncio.run(program()) == (BODY, True, True)


def test_a_client_calls_from_the_address_that_its_connector_was_told():
    async def who(request):
        return web.Response(text=request.transport.get_extra_info("peername")[0])

    async def program():
        app = web.Application()
        app.router.add_get("/", who)
        async with test_utils.TestServer(app) as server:
            connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
            async with aiohttp.ClientSession(connector=connector) as session:
                return await (await session.get(server.make_url("/"))).text()

    assert run(program()) == "127.0.0.2"
