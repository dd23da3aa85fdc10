"""Transports back to back behave as asyncio's own do over a kernel's TCP.

The programs of the first table run in both worlds, on real sockets too; what is noted must be the same.
"""

import asyncio
import socket
import struct
import sys

import pytest

from asyncflow.sim import run
from tests.sim.networking import Recorder, connected

LARGE = b"x" * 4_000_000


async def both_lost(*ends):
    return [type(await end.lost).__name__ for end in ends]


async def closing_tells_the_peer_in_good_order():
    async with connected() as (client, server):
        client.transport.write(b"hello")
        client.transport.close()
        return await both_lost(client, server), server.received, client.notes, server.notes


async def a_close_flushes_what_is_written():
    async with connected() as (client, server):
        client.transport.write(LARGE)
        client.transport.close()
        still_there = not client.lost.done()
        return still_there, await both_lost(client, server), server.received == LARGE


async def an_abort_ends_in_good_order_when_nothing_waits():
    async with connected() as (client, server):
        client.transport.write(b"hello")
        client.transport.abort()
        return await both_lost(client, server), server.received


async def an_abort_forgets_what_waits_in_the_buffer():
    async with connected() as (client, server):
        client.transport.write(LARGE * 4)
        client.transport.abort()
        size = client.transport.get_write_buffer_size()
        return size, await both_lost(client, server), len(server.received) < len(LARGE) * 4


async def lingering_for_no_time_resets():
    async with connected() as (client, server):
        sock = server.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.transport.abort()
        return await both_lost(client, server), client.notes


async def closing_on_unread_data_resets():
    async with connected() as (client, server):
        server.transport.pause_reading()
        client.transport.write(b"never read")
        await asyncio.sleep(0.05)
        server.transport.close()
        return await both_lost(client, server), server.received


async def closing_over_an_unread_end_is_in_good_order():
    async with connected(stays_open=True) as (client, server):
        server.transport.pause_reading()
        client.transport.write_eof()
        await asyncio.sleep(0.05)
        server.transport.close()
        await client.ended.wait()
        client.transport.close()
        return await both_lost(client, server), client.notes, server.notes


async def writing_to_a_closed_peer_is_answered_with_a_reset():
    async with connected(stays_open=True) as (client, server):
        server.transport.close()
        await client.ended.wait()
        client.transport.write(b"too late")
        await asyncio.sleep(0.05)
        before = list(client.notes)
        client.transport.write(b"and now it is known")
        return before, await both_lost(client, server)


async def a_half_closed_connection_still_carries_answers():
    async with connected(stays_open=True) as (client, server):
        client.transport.write(b"question")
        client.transport.write_eof()
        await server.ended.wait()
        server.transport.write(b"answer")
        server.transport.close()
        await client.ended.wait()
        client.transport.close()
        return await both_lost(client, server), server.received, client.received, client.notes


async def both_sides_may_close_at_once():
    async with connected() as (client, server):
        client.transport.close()
        server.transport.close()
        return await both_lost(client, server), client.notes, server.notes


async def an_end_of_file_closes_unless_the_protocol_says_otherwise():
    async with connected() as (client, server):
        client.transport.write_eof()
        return await both_lost(client, server), client.notes, server.notes


async def after_the_end_no_more_can_be_written():
    async with connected() as (client, _):
        client.transport.write_eof()
        with pytest.raises(RuntimeError, match=r"^Cannot call write\(\) after write_eof\(\)$"):
            client.transport.write(b"more")
        return client.transport.can_write_eof(), client.transport.is_closing()


async def what_is_no_bytes_is_refused():
    async with connected() as (client, server):
        with pytest.raises(TypeError, match="must be a bytes-like object, not 'str'"):
            client.transport.write("text")
        client.transport.write(bytearray(b"ab"))
        client.transport.writelines([b"cd", memoryview(b"ef")])
        client.transport.close()
        await both_lost(client, server)
        return server.received


async def writes_after_a_close_vanish():
    async with connected() as (client, server):
        client.transport.close()
        client.transport.write(b"unseen")
        return await both_lost(client, server), server.received, client.transport.is_closing()


async def a_full_buffer_pauses_the_writer_and_an_empty_one_resumes_it():
    async with connected() as (client, server):
        server.transport.pause_reading()
        client.transport.write(LARGE * 4)
        paused = list(client.notes)
        server.transport.resume_reading()
        while client.notes[-1] != "resume":
            await asyncio.sleep(0.01)
        client.transport.close()
        await both_lost(client, server)
        return paused, client.notes, len(server.received)


async def a_paused_reader_gets_everything_when_it_goes_on():
    async with connected() as (client, server):
        server.transport.pause_reading()
        client.transport.write(b"first")
        client.transport.close()
        await asyncio.sleep(0.05)
        before = list(server.notes), server.transport.is_reading()
        server.transport.resume_reading()
        return before, await both_lost(client, server), server.received, server.notes


async def a_protocol_that_raises_costs_its_connection():
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    async with connected() as (client, server):
        server.data_received = lambda data: 1 / 0
        client.transport.write(b"hello")
        return await both_lost(client, server), told


async def a_protocol_may_be_exchanged():
    async with connected() as (client, server):
        other = Recorder(["exchanged"])
        server.transport.set_protocol(other)
        same = server.transport.get_protocol() is other
        client.transport.write(b"hello")
        client.transport.close()
        await other.lost
        return same, other.notes, other.received, server.received


async def a_buffered_protocol_reads_into_its_own_buffer():
    class Buffered(asyncio.BufferedProtocol):
        def __init__(self):
            self.buffer = bytearray(7)
            self.received = b""
            self.lost = asyncio.get_running_loop().create_future()

        def get_buffer(self, sizehint):
            return self.buffer

        def buffer_updated(self, nbytes):
            self.received += self.buffer[:nbytes]

        def eof_received(self):
            return False

        def connection_lost(self, error):
            self.lost.set_result(error)

    async with connected() as (client, server):
        buffered = Buffered()
        server.transport.set_protocol(buffered)
        client.transport.write(b"more than seven bytes")
        client.transport.close()
        return type(await buffered.lost).__name__, buffered.received


async def everybody_knows_the_addresses():
    async with connected() as (client, server):
        ours, theirs = (end.transport.get_extra_info for end in (client, server))
        sock = ours("socket")
        return (
            ours("sockname") == theirs("peername") == sock.getsockname(),
            ours("peername") == theirs("sockname") == sock.getpeername(),
            ours("sockname")[0],
            (sock.family, sock.type, sock.proto),
            ours("nothing", "of the kind"),
        )


async def streams_talk():
    async def upper(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(upper, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.writelines([b"one\n", b"two\n"])
        first = await reader.readline()
        writer.write_eof()
        rest = await reader.read()
        writer.close()
        await writer.wait_closed()
    return first, rest


AGREED = (
    closing_tells_the_peer_in_good_order,
    a_close_flushes_what_is_written,
    an_abort_ends_in_good_order_when_nothing_waits,
    an_abort_forgets_what_waits_in_the_buffer,
    lingering_for_no_time_resets,
    closing_on_unread_data_resets,
    closing_over_an_unread_end_is_in_good_order,
    writing_to_a_closed_peer_is_answered_with_a_reset,
    a_half_closed_connection_still_carries_answers,
    both_sides_may_close_at_once,
    an_end_of_file_closes_unless_the_protocol_says_otherwise,
    after_the_end_no_more_can_be_written,
    what_is_no_bytes_is_refused,
    writes_after_a_close_vanish,
    a_full_buffer_pauses_the_writer_and_an_empty_one_resumes_it,
    a_paused_reader_gets_everything_when_it_goes_on,
    a_protocol_that_raises_costs_its_connection,
    a_protocol_may_be_exchanged,
    a_buffered_protocol_reads_into_its_own_buffer,
    everybody_knows_the_addresses,
    streams_talk,
)


@pytest.mark.skipif(
    sys.platform == "win32", reason="resets differ on Windows; the simulation is a kernel of Unix"
)
@pytest.mark.parametrize("program", AGREED, ids=lambda program: program.__name__)
@pytest.mark.real_time("the real transports are what the simulated ones are compared with")
def test_the_simulated_transports_do_what_real_ones_do(program):
    assert run(program()) == asyncio.run(program())
