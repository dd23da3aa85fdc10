"""Look-ups of names, and how they fail."""

import asyncio
import errno
import socket

import pytest

from asyncflow.errors import Escaped
from asyncflow.sim import run
from tests.sim.networking import HOST, fault, play

STREAM, DGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM


async def looked_up(host, port, **options):
    try:
        return await asyncio.get_running_loop().getaddrinfo(host, port, **options)
    except OSError as error:
        return type(error), error.errno


def look_up(*faults, times=1, host=HOST, port=443, **options):
    """Return the answers, and when the last of them came."""

    async def program(sim):
        sim.network.publish(HOST, 4711)
        return [await looked_up(host, port, **options) for _ in range(times)]

    played = play(program, *faults)
    return played.value, played.seconds


# ---------------------------------------------------------------------- what the real one answers


@pytest.mark.parametrize(
    ("host", "port", "options"),
    [
        ("127.0.0.1", 80, {}),
        ("127.0.0.1", "80", {"type": STREAM}),
        ("127.0.0.1", None, {"type": DGRAM, "family": socket.AF_INET}),
        (b"127.0.0.1", "http", {"type": STREAM}),
        ("::1", 80, {"type": STREAM}),
        ("::1", 80, {"type": STREAM, "family": socket.AF_INET}),
        ("127.0.0.1", 80, {"type": STREAM, "family": socket.AF_INET6}),
        ("127.0.0.1", 80, {"type": STREAM, "flags": socket.AI_CANONNAME}),
        ("127.0.0.1", 80, {"type": STREAM, "proto": socket.IPPROTO_UDP}),
        ("localhost", 80, {"family": socket.AF_INET}),
        ("localhost", 80, {"family": socket.AF_INET, "flags": socket.AI_NUMERICHOST}),
        (None, 80, {"family": socket.AF_INET, "type": STREAM}),
        (None, 80, {"family": socket.AF_INET, "type": STREAM, "flags": socket.AI_PASSIVE}),
    ],
)
def test_addresses_are_answered_as_the_real_loop_does(host, port, options):
    assert run(looked_up(host, port, **options)) == asyncio.run(looked_up(host, port, **options))


@pytest.mark.parametrize(
    ("address", "flags"),
    [
        (("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV),
        (("127.0.0.1", 443), socket.NI_NUMERICHOST),
        (("::1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV),
    ],
)
def test_numbers_of_addresses_are_answered_as_the_real_loop_does(address, flags):
    async def program():
        return await asyncio.get_running_loop().getnameinfo(address, flags)

    assert run(program()) == asyncio.run(program())


def test_a_published_name_has_an_address_of_its_own_which_leads_back_to_it():
    async def program(sim):
        loop = asyncio.get_running_loop()
        sim.network.publish(HOST, 4711)
        sim.network.publish("api.example.org", 4711)
        found = [await loop.getaddrinfo(host, 443, type=STREAM) for host in (HOST, "api.example.org")]
        names = [await loop.getnameinfo(answer[0][4], socket.NI_NUMERICSERV) for answer in found]
        return found, names, await loop.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICSERV)

    found, names, here = play(program).value
    assert found == [
        [(socket.AF_INET, STREAM, socket.IPPROTO_TCP, "", (address, 443))]
        for address in ("198.18.0.1", "198.18.0.2")
    ]
    assert names == [(HOST, "443"), ("api.example.org", "443")]
    assert here == ("localhost", "80")


def test_an_address_without_a_name_has_none():
    async def program():
        loop = asyncio.get_running_loop()
        number = await loop.getnameinfo(("192.0.2.9", 80), socket.NI_NUMERICSERV)
        with pytest.raises(socket.gaierror):
            await loop.getnameinfo(("192.0.2.9", 80), socket.NI_NAMEREQD)
        return number

    assert run(program()) == ("192.0.2.9", "80")


def test_the_canonical_name_is_told_on_request():
    [answer], _ = look_up(type=STREAM, flags=socket.AI_CANONNAME)
    assert [found[3] for found in answer] == [HOST]


def test_a_published_name_has_no_address_of_the_other_family():
    assert look_up(family=socket.AF_INET6)[0] == [(socket.gaierror, socket.EAI_NONAME)]


def test_a_name_that_is_not_one_of_this_world_escapes():
    with pytest.raises(Escaped, match=r"'www\.unknown\.example' is not simulated .*; map the name"):
        look_up(host="www.unknown.example")


# ---------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("do", "keys", "number", "after"),
    [
        ("nxdomain", {}, socket.EAI_NONAME, 0),
        ("servfail", {}, socket.EAI_AGAIN, 0),
        ("dns-timeout", {}, socket.EAI_AGAIN, 5.0),
        ("dns-timeout", {"seconds": 20.0}, socket.EAI_AGAIN, 20.0),
    ],
)
def test_a_look_up_fails_as_a_resolver_says_it(do, keys, number, after):
    answers, seconds = look_up(fault(do, lookups=(1,), **keys), times=2)
    assert answers[0] == (socket.gaierror, number)
    assert answers[1][0][4] == ("198.18.0.1", 443)
    assert seconds == after


def test_a_slow_name_server_answers_in_the_end():
    answers, seconds = look_up(fault("dns-slow", seconds=8.0))
    assert answers[0][0][4] == ("198.18.0.1", 443)
    assert seconds == 8


@pytest.mark.parametrize(
    ("address", "number"),
    [(None, errno.EHOSTUNREACH), ("203.0.113.5", errno.EHOSTUNREACH), ("127.0.0.1", errno.ECONNREFUSED)],
)
def test_a_wrong_address_leads_where_nobody_listens(address, number):
    async def program(sim):
        sim.network.publish(HOST, 4711)
        with pytest.raises(OSError) as raised:
            await asyncio.open_connection(HOST, 443)
        return raised.value.errno

    assert play(program, fault("dns-wrong", address=address)).value == number


def test_a_wrong_address_may_be_that_of_another_name():
    async def program(sim):
        async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 4712):
            sim.network.publish(HOST, 4711)
            sim.network.publish("other.example.org", 4712)
            reader, writer = await asyncio.open_connection(HOST, 443)
            writer.close()
            return await reader.read()

    assert play(program, fault("dns-wrong", address="198.18.0.2")).value == b""


def test_the_trace_tells_of_look_ups_and_what_struck_them():
    async def program(sim):
        sim.network.publish(HOST, 4711)
        for host in (HOST, HOST, "localhost", socket.gethostname()):
            await looked_up(host, 80)

    assert play(program, fault("nxdomain", lookups=(1,))).lines == [
        "0.000000 fault nxdomain nxdomain service=www.example.org lookup=1",
        '0.000000 dns www.example.org "198.18.0.1"',
        '0.000000 dns localhost "127.0.0.1"',
        '0.000000 dns localhost "127.0.0.1"',
    ]
