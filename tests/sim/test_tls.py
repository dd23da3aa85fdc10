"""TLS over simulated connections: the standard library's own, with its own errors."""

import asyncio
import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from asyncflow.sim import run
from tests.sim.networking import HOST, URL, Recorder, fault, play

FOLDER = Path(__file__).parent / "certificates"
BODY = b"x" * 50_000


def served():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / "certificate.pem", FOLDER / "key.pem")
    return context


def trusting():
    return ssl.create_default_context(cafile=FOLDER / "certificate.pem")


async def upper(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def site(sim, *, tls=True):
    async def page(_):
        return web.Response(body=BODY)

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=served() if tls else None).start()
    sim.network.publish(HOST, runner.addresses[0][1], tls=tls)
    return runner


async def get(context):
    timeout = aiohttp.ClientTimeout(total=100)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=context)) as session:
        session._retry_connection = False
        try:
            async with session.get(URL) as response:
                return await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return type(error).__name__


def requested(*faults, context=trusting, tls=True):
    async def program(sim):
        runner = await site(sim, tls=tls)
        try:
            return await get(context())
        finally:
            await runner.cleanup()

    return play(program, *faults)


def test_aiohttp_speaks_tls_to_itself():
    assert requested().value == BODY


def test_a_client_that_does_not_know_the_certificate_says_so():
    assert requested(context=ssl.create_default_context).value == "ClientConnectorCertificateError"


def test_tls_is_dropped_towards_a_server_that_speaks_none():
    assert requested(context=ssl.create_default_context, tls=False).value == BODY


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"do": "reset", "byte": 300}, "ClientConnectorError"),
        ({"do": "reset", "byte": 300, "direction": "up"}, "ClientConnectorError"),
        ({"do": "eof", "byte": 300}, "ClientConnectorError"),
        ({"do": "stall", "byte": 10, "seconds": 70.0}, "ClientConnectorError"),
        ({"do": "blackhole"}, "ClientConnectorError"),
        ({"do": "corrupt"}, "ClientConnectorSSLError"),
        ({"do": "corrupt", "byte": 5000}, "ClientOSError"),
        ({"do": "latency", "seconds": 1.0, "direction": "both"}, BODY),
        ({"do": "slice", "count": 100}, BODY),
    ],
    ids=str,
)
def test_faults_below_tls_give_the_errors_of_the_real_one(keys, expected):
    assert requested(fault(**keys)).value == expected


def test_byte_counts_repeat_although_keys_do_not():
    assert len({requested().digest for _ in range(10)}) == 1


async def streams_over_tls():
    server = await asyncio.start_server(upper, "127.0.0.1", 0, ssl=served())
    async with server:
        _, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting())
        writer.write(b"hello\n")
        answer = await reader.readline()
        peer = writer.get_extra_info("peercert")["subject"], writer.get_extra_info("cipher") is not None
        secured = isinstance(writer.get_extra_info("ssl_object"), ssl.SSLObject)
        writer.close()
        await writer.wait_closed()
        return answer, peer, secured


async def a_connection_becomes_secure_later():
    loop = asyncio.get_running_loop()
    context = served()

    async def serve(reader, writer):
        await reader.readline()
        writer.write(b"go ahead\n")
        await writer.drain()
        await writer.start_tls(context)
        await upper(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"tls, please\n")
        first = await reader.readline()
        await writer.start_tls(trusting(), server_hostname="localhost")
        writer.write(b"secret\n")
        second = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return first, second, loop.is_running()


async def much_goes_through_tls():
    loop = asyncio.get_running_loop()
    received = loop.create_future()

    class Server(Recorder):
        def connection_lost(self, error):
            received.set_result(len(self.received))

    server = await loop.create_server(Server, "127.0.0.1", 0, ssl=served())
    _, client = await loop.create_connection(
        Recorder, *server.sockets[0].getsockname(), ssl=trusting(), server_hostname="localhost"
    )
    client.transport.write(b"z" * 3_000_000)
    client.transport.close()
    size = await received
    server.close()
    return size, type(await client.lost).__name__


async def the_wrong_name_is_refused():
    server = await asyncio.start_server(upper, "127.0.0.1", 0, ssl=served())
    async with server:
        try:
            await asyncio.open_connection(
                *server.sockets[0].getsockname(), ssl=trusting(), server_hostname="www.wrong.example"
            )
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
    return None


@pytest.mark.parametrize(
    "program",
    [streams_over_tls, a_connection_becomes_secure_later, much_goes_through_tls, the_wrong_name_is_refused],
    ids=lambda program: program.__name__,
)
def test_tls_is_the_same_in_both_worlds(program):
    assert run(program()) == asyncio.run(program())
