"""Listeners, connections and what stands in their way, without any real network."""

import asyncio
import contextvars
import errno
import socket
import sys
from contextlib import suppress

import pytest

from asyncflow.errors import Escaped
from asyncflow.sim import Simulation, run
from asyncflow.wire.plan import WireFault, WirePlan
from tests.sim.networking import HOST, Recorder, connected, fault, play


async def silent(reader, writer):
    try:
        with suppress(ConnectionResetError):
            await reader.read()
    finally:
        writer.close()


async def published(sim, host=HOST):
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    sim.network.publish(host, server.sockets[0].getsockname()[1])
    return server


async def outcome(host=HOST, port=443):
    """Connect, and return the error or None, and when."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        return type(error), error.errno, asyncio.get_running_loop().time()
    writer.close()
    return None, None, asyncio.get_running_loop().time()


# ---------------------------------------------------------------------- what stands in the way


@pytest.mark.parametrize(
    ("do", "error", "number", "after"),
    [
        ("refuse", ConnectionRefusedError, errno.ECONNREFUSED, 0.001),
        ("unreachable", OSError, errno.EHOSTUNREACH, 0.001),
        ("hang", TimeoutError, errno.ETIMEDOUT, 127.0),
    ],
)
def test_a_connection_that_is_not_made_fails_as_a_kernel_says_it(do, error, number, after):
    async def program(sim):
        async with await published(sim):
            return [await outcome() for _ in range(2)]

    played = play(program, fault(do, connections=(1,)))
    assert played.value == [(error, number, after), (None, None, after + 0.001)]
    assert played.fired == {do: 1}


def test_a_hanging_connection_ends_with_the_caller_s_patience():
    async def program(sim):
        async with await published(sim):
            with pytest.raises(TimeoutError) as raised:
                async with asyncio.timeout(3):
                    await outcome()
            return raised.value.args

    assert play(program, fault("hang")).seconds == 3


def test_a_port_where_nobody_listens_refuses():
    async def program(sim):
        sim.network.publish(HOST, 4711)
        return await outcome(), await outcome("127.0.0.1", 4712), await outcome("localhost", 4713)

    assert [error for error, _, _ in play(program).value] == [ConnectionRefusedError] * 3


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ((0.0, 2.0), (None, None, 2.001)),
        ((0.0, 500.0), (TimeoutError, errno.ETIMEDOUT, 127.0)),
        ((1.0, 2.0), (None, None, 0.001)),
    ],
)
def test_a_partition_holds_connections_up_until_it_ends_or_the_kernel_gives_up(window, expected):
    async def program(sim):
        async with await published(sim):
            return await outcome()

    assert play(program, fault("partition", window=window, direction="both")).value == expected


def test_all_connections_that_are_open_are_reset_at_that_time():
    async def program(sim):
        async with await published(sim):
            loop = asyncio.get_running_loop()
            ends = [(await loop.create_connection(Recorder, HOST, 80))[1] for _ in range(2)]
            ends[0].transport.close()
            await asyncio.sleep(7)
            late = (await loop.create_connection(Recorder, HOST, 80))[1]
            await asyncio.sleep(1)
            late.transport.close()
            return [list(end.notes) for end in (*ends, late)]

    played = play(program, fault("reset-all", window=(5.0, 6.0)))
    assert played.value == [
        ["made", "lost NoneType"],
        ["made", "lost ConnectionResetError"],
        ["made"],
    ]
    assert played.fired == {"reset-all": 1}
    assert "5.000000 net.reset client>www.example.org#2 down" in played.lines


# ---------------------------------------------------------------------- where connections lead


def test_a_published_name_leads_to_its_server_at_any_port_and_in_any_case():
    async def program(sim):
        async with await published(sim):
            return [
                await outcome(host, port) for host in (HOST, "WWW.Example.ORG.") for port in (80, 443, 8443)
            ]

    assert {error for error, _, _ in play(program).value} == {None}


def test_a_name_may_be_led_elsewhere_later():
    async def program(sim):
        async with await published(sim):
            sim.network.publish(HOST, 4711)
            return await outcome()

    assert play(program).value[0] is ConnectionRefusedError


@pytest.mark.parametrize("host", ["www.unknown.example", "8.8.8.8", "2001:4860:4860::8888"])
def test_nothing_outside_of_the_world_is_ever_reached(host):
    async def program(sim):
        async with await published(sim):
            with pytest.raises(Escaped, match=rf"{host}.*www\.example\.org"):
                await outcome(host)

    with pytest.raises(Escaped, match="map the name to a server in this world"):
        play(program)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0.0.0.0", socket.gethostname().upper()])
def test_this_machine_is_known_by_all_its_names(host):
    async def program(sim):
        async with await asyncio.start_server(silent, None, 8080):
            return await outcome(host, 8080)

    assert play(program).value[0] is None


def test_the_other_family_is_there_for_those_who_ask_for_it():
    async def program():
        server = await asyncio.start_server(silent, "::1", 8080)
        async with server:
            _, writer = await asyncio.open_connection("localhost", 8080, family=socket.AF_INET6)
            names = writer.get_extra_info("sockname"), writer.get_extra_info("peername")
            writer.close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("localhost", 8080)
            return names

    ours, theirs = run(program())
    assert ours[0] == "::1"
    assert theirs == ("::1", 8080, 0, 0)


def test_the_client_s_port_is_told_in_the_client_s_context():
    told = []

    async def program(sim):
        sim.network.on_connect = lambda port: told.append((asyncio.current_task().get_name(), port))
        async with connected() as (client, server):
            return client.transport.get_extra_info("sockname")[1], server.transport.get_extra_info(
                "peername"
            )[1]

    async def named(sim):
        asyncio.current_task().set_name("caller")
        return await program(sim)

    ours, seen = play(named).value
    assert told == [("caller", ours)] == [("caller", seen)]


def test_a_fault_strikes_the_caller_that_it_is_meant_for():
    async def program(sim):
        callers = iter([None, ("load", 1), ("load", 2), ("store", 2)])
        sim.network.caller = lambda: next(callers)
        sim.network.publish(HOST, 4711)
        async with await asyncio.start_server(silent, "127.0.0.1", 4711):
            addresses = [("198.18.0.1", 443)] * 4
            return [(await outcome(*address))[0] for address in addresses]

    meant = WireFault(id="f", host=HOST, do="refuse", task="load", attempts=(2,))
    assert play(program, meant).value == [None, None, ConnectionRefusedError, None]


def test_a_socket_of_one_s_own_stands_for_its_connection_and_is_closed():
    async def program(sim):
        loop = asyncio.get_running_loop()
        async with await published(sim) as server:
            sock = socket.socket()
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", server.sockets[0].getsockname()[1]))
            transport, _ = await loop.create_connection(Recorder, sock=sock)
            transport.close()
            return sock.fileno()

    assert play(program).value == -1


def test_a_local_address_may_be_chosen():
    async def program(sim):
        async with await published(sim):
            _, writer = await asyncio.open_connection(HOST, 80, local_addr=("127.0.0.2", 5555))
            name = writer.get_extra_info("sockname")
            writer.close()
            return name

    assert play(program).value == ("127.0.0.2", 5555)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "host and port was not specified and no sock specified"),
        (
            {"host": "h", "port": 1, "sock": object()},
            "host/port and sock can not be specified at the same time",
        ),
        ({"host": "h", "port": 1, "server_hostname": "h"}, "server_hostname is only meaningful with ssl"),
        (
            {"host": "h", "port": 1, "ssl_handshake_timeout": 1},
            "ssl_handshake_timeout is only meaningful with ssl",
        ),
        ({"port": 1, "ssl": True}, "You must set server_hostname when using ssl without a host"),
    ],
)
def test_arguments_that_do_not_fit_together_are_refused_as_by_asyncio(arguments, sentence):
    async def program():
        with pytest.raises(ValueError, match=sentence):
            await asyncio.get_running_loop().create_connection(Recorder, **arguments)

    run(program())


def test_all_errors_come_as_a_group_on_request():
    async def program():
        with pytest.raises(ExceptionGroup) as raised:
            await asyncio.get_running_loop().create_connection(Recorder, "127.0.0.1", 9, all_errors=True)
        return raised.value.exceptions

    assert [type(error) for error in run(program())] == [ConnectionRefusedError]


# ---------------------------------------------------------------------- servers


def test_ports_are_given_out_in_turn_and_the_same_in_every_run():
    async def program():
        async with connected() as (first, _), connected() as (second, _):
            return [
                first.transport.get_extra_info(name)[1]
                for first in (first, second)
                for name in ("peername", "sockname")
            ]

    assert run(program()) == [32768, 32769, 32770, 32771]


async def two_servers_can_t_have_one_port():
    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OSError, match="error while attempting to bind on address") as raised:
            await asyncio.start_server(silent, "127.0.0.1", port)
        taken = raised.value.errno
    async with await asyncio.start_server(silent, "127.0.0.1", port) as server:
        return taken, server.is_serving()


async def a_server_at_another_machine_s_address_is_refused():
    with pytest.raises(OSError, match=r"bind on .*192\.0\.2\.7"):
        await asyncio.start_server(silent, "192.0.2.7", 8080)


async def a_server_that_has_not_started_refuses():
    server = await asyncio.start_server(silent, "127.0.0.1", 0, start_serving=False)
    port = server.sockets[0].getsockname()[1]
    before = await outcome("127.0.0.1", port)
    await server.start_serving()
    after = await outcome("127.0.0.1", port)
    server.close()
    return before[:2], after[:2], server.is_serving(), server.sockets


async def serving_forever_ends_with_its_cancellation():
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    task = asyncio.get_running_loop().create_task(server.serve_forever())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return server.is_serving()


async def waiting_for_a_closed_server_waits_for_its_connections_where_python_does():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Recorder, "127.0.0.1", 0)
    _, client = await loop.create_connection(Recorder, *server.sockets[0].getsockname())
    await asyncio.sleep(0.02)
    server.close()
    waiting = loop.create_task(server.wait_closed())
    await asyncio.sleep(0.02)
    before = waiting.done()
    refused = await outcome(*client.transport.get_extra_info("peername"))
    kept = client.transport.is_closing()
    client.transport.close()
    await waiting
    return before, refused[:2], kept


async def clients_can_be_sent_away():
    if sys.version_info < (3, 13):
        return None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Recorder, "127.0.0.1", 0)
    ends = [(await loop.create_connection(Recorder, *server.sockets[0].getsockname()))[1] for _ in range(3)]
    await asyncio.sleep(0.02)
    server.close()
    server.close_clients()
    await server.wait_closed()
    return [type(await end.lost).__name__ for end in ends]


@pytest.mark.skipif(sys.platform == "win32", reason="the simulation is a kernel of Unix")
@pytest.mark.parametrize(
    "program",
    [
        two_servers_can_t_have_one_port,
        a_server_at_another_machine_s_address_is_refused,
        a_server_that_has_not_started_refuses,
        serving_forever_ends_with_its_cancellation,
        waiting_for_a_closed_server_waits_for_its_connections_where_python_does,
        clients_can_be_sent_away,
    ],
    ids=lambda program: program.__name__,
)
@pytest.mark.real_time("the real transports are what the simulated ones are compared with")
def test_simulated_servers_do_what_real_ones_do(program):
    assert run(program()) == asyncio.run(program())


def test_a_server_that_can_t_have_all_its_addresses_has_none():
    async def program():
        async with await asyncio.start_server(silent, "127.0.0.1", 8080):
            with pytest.raises(OSError, match="already in use"):
                await asyncio.start_server(silent, ["127.0.0.2", "127.0.0.1"], 8080)
            async with await asyncio.start_server(silent, ["127.0.0.2", "127.0.0.3"], 8080) as server:
                return [sock.getsockname() for sock in server.sockets]

    assert run(program()) == [("127.0.0.2", 8080), ("127.0.0.3", 8080)]


def test_a_server_on_a_socket_of_one_s_own_has_another_way():
    async def program():
        with socket.socket() as sock, pytest.raises(Escaped, match="give it a host and a port"):
            await asyncio.start_server(silent, sock=sock)

    with pytest.raises(Escaped):
        run(program())


def test_every_connection_of_a_server_has_a_context_of_its_own():
    who = contextvars.ContextVar("who", default="nobody")
    seen = []

    class Visited(Recorder):
        def connection_made(self, transport):
            seen.append(who.get())
            who.set("visited")
            super().connection_made(transport)

        def data_received(self, data):
            seen.append(who.get())
            who.set("read from")
            self.transport.close()

    async def program():
        loop = asyncio.get_running_loop()
        who.set("server")
        server = await loop.create_server(Visited, "127.0.0.1", 0)
        who.set("client")
        async with server:
            for _ in range(2):
                _, client = await loop.create_connection(Recorder, *server.sockets[0].getsockname())
                client.transport.write(b"hello")
                await client.lost
        return who.get()

    assert run(program()) == asyncio.run(program()) == "client"
    assert seen == ["server"] * 8


def test_whoever_comes_as_the_server_closes_is_sent_away():
    async def program(sim):
        server = await published(sim)
        _, client = await asyncio.get_running_loop().create_connection(Recorder, HOST, 443)
        server.close()
        return type(await client.lost).__name__

    assert play(program).value == "ConnectionResetError"


def test_a_reset_waits_for_whoever_takes_the_connection_up():
    async def program(sim):
        loop = asyncio.get_running_loop()
        async with await published(sim):
            sock = socket.socket()
            sock.setblocking(False)
            await loop.sock_connect(sock, ("198.18.0.1", 443))
            await asyncio.sleep(7)
            _, client = await loop.create_connection(Recorder, sock=sock)
            return type(await client.lost).__name__, client.notes

    lost = "ConnectionResetError"
    assert play(program, fault("reset-all", window=(5.0, 6.0))).value == (lost, ["made", f"lost {lost}"])


@pytest.mark.skipif(sys.version_info < (3, 13), reason="servers know their clients since Python 3.13")
def test_clients_are_sent_away_in_the_order_in_which_they_came():
    async def program():
        loop = asyncio.get_running_loop()
        order = []

        class Numbered(Recorder):
            def connection_lost(self, error):
                order.append(self.received)
                super().connection_lost(error)

        server = await loop.create_server(Numbered, "127.0.0.1", 0)
        for number in range(30):
            _, client = await loop.create_connection(Recorder, *server.sockets[0].getsockname())
            client.transport.write(b"%d" % number)
        await asyncio.sleep(1)
        server.close()
        server.close_clients()
        await server.wait_closed()
        return order

    assert run(program()) == [b"%d" % number for number in range(30)]


# ---------------------------------------------------------------------- repeatable


def test_a_thousand_connections_leave_nothing_behind():
    async def program():
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        async with server:
            for _ in range(1000):
                _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.close()
                await writer.wait_closed()
        return asyncio.get_running_loop().time()

    assert run(program()) == pytest.approx(1, abs=0.01)


def test_the_trace_tells_of_a_connection_from_beginning_to_end():
    async def program(sim):
        async with await published(sim):
            reader, writer = await asyncio.open_connection(HOST, 80)
            writer.write(b"hello")
            await writer.drain()
            writer.write_eof()
            await reader.read()
            writer.close()
            await writer.wait_closed()

    assert play(program).lines == [
        '0.000000 dns www.example.org "198.18.0.1"',
        "0.000000 net.connect client>www.example.org#1",
        "0.001000 net.send client>www.example.org#1 up 5",
        "0.001500 net.recv client>www.example.org#1 up 5",
        "0.001500 net.eof client>www.example.org#1 up",
        "0.002000 net.eof client>www.example.org#1 down",
    ]


def test_strikes_are_in_the_trace_and_told_to_the_plan_s_own_listener():
    told = []

    async def program(sim):
        sim.network.plan = WirePlan([fault("refuse")], on_strike=lambda fault, where: told.append(where))
        async with await published(sim):
            await outcome()

    assert "0.000000 fault refuse refuse service=www.example.org connection=1" in play(program).lines
    assert told == [{"service": HOST, "connection": 1}]


def test_a_simulation_needs_no_plan():
    async def program(sim):
        async with await published(sim):
            return await outcome()

    sim = Simulation(1)
    assert sim.run(program(sim))[0] is None
