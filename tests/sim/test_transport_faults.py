"""What each fault of the wire does to the two ends of a connection that no HTTP is spoken on."""

import asyncio

import pytest

from tests.sim.networking import connected, fault, play

LARGE = b"x" * 2_000_000


def struck(do, **keys):
    return fault(do, host="localhost", **keys)


def told(program, *faults):
    """Run a program with the two ends of a connection, and return what it returns."""

    async def main(sim):
        async with connected(stays_open=True) as (client, server):
            return await program(client, server)

    return play(main, *faults).value


def now():
    return asyncio.get_running_loop().time()


async def server_sends(client, server, data=b"0123456789"):
    start = now()
    server.transport.write(data)
    await asyncio.sleep(20)
    return client.received, [*client.notes], [*server.notes], start


def test_a_reset_breaks_both_ends_after_the_bytes_before_it():
    received, client, server, _ = told(server_sends, struck("reset", byte=4))
    assert received == b"0123"
    assert client == ["made", "data", "lost ConnectionResetError"]
    assert server == ["made", "lost ConnectionResetError"]


def test_an_end_of_file_ends_both_directions_in_good_order():
    received, client, server, _ = told(server_sends, struck("eof", byte=4))
    assert received == b"0123"
    assert client == ["made", "data", "eof"]
    assert server == ["made", "eof"]


def test_what_is_sent_after_that_is_answered_with_a_reset():
    async def program(client, server):
        client.transport.write(b"crossing")
        server.transport.write(b"0123456789")
        await asyncio.sleep(1)
        early = server.received
        server.transport.write(b"too late")
        client.transport.write(b"too late")
        await asyncio.sleep(1)
        for end in (client, server):
            end.transport.write(b"and now it is known")
        await asyncio.sleep(1)
        return early, [*client.notes], [*server.notes]

    early, client, server = told(program, struck("eof", byte=4))
    assert early == b"crossing"
    assert client == ["made", "data", "eof", "lost BrokenPipeError"]
    assert server == ["made", "data", "eof", "lost BrokenPipeError"]


def test_a_half_close_leaves_the_other_direction_open():
    async def program(client, server):
        server.transport.write(b"0123456789")
        await client.ended.wait()
        client.transport.write(b"answer")
        await asyncio.sleep(1)
        server.transport.write(LARGE)
        await asyncio.sleep(1)
        return client.received, server.received, [*server.notes]

    assert told(program, struck("half-close", byte=4)) == (b"0123", b"answer", ["made", "data"])


def test_a_blackhole_swallows_but_holds_nobody_up():
    async def program(client, server):
        server.transport.write(LARGE)
        await asyncio.sleep(1)
        size = server.transport.get_write_buffer_size()
        client.transport.write(b"answer")
        server.transport.close()
        await asyncio.sleep(1)
        return size, client.received, [*client.notes], server.received, [*server.notes]

    size, received, client, answer, server = told(program, struck("blackhole", byte=4))
    assert (size, received, answer) == (0, b"xxxx", b"")
    assert client == ["made", "data"]
    assert server[-1] == "lost NoneType"


def test_an_outage_holds_back_and_lets_go():
    received, client, _, start = told(
        server_sends, struck("partition", window=(0.0011, 7.0), direction="both")
    )
    assert received == b"0123456789"
    assert client == ["made", "data"]
    assert start < 7


def test_a_partition_holds_back_an_end_too():
    async def program(client, server):
        server.transport.close()
        await client.ended.wait()
        return now()

    assert told(program, struck("partition", window=(0.0001, 7.0), direction="both")) >= 7


@pytest.mark.parametrize(
    ("keys", "arrivals"),
    [
        ({"do": "slice", "count": 4}, [(0.0, 4), (0.0, 4), (0.0, 2)]),
        ({"do": "drip", "count": 4, "seconds": 2.0}, [(0.0, 4), (2.0, 4), (4.0, 2)]),
        ({"do": "stall", "byte": 6, "seconds": 3.0}, [(0.0, 6), (3.0, 4)]),
        ({"do": "latency", "seconds": 5.0}, [(5.0, 10)]),
        ({"do": "bandwidth", "rate": 50.0}, [(0.1, 5), (0.2, 5)]),
        ({"do": "corrupt", "byte": 1}, [(0.0, 10)]),
    ],
    ids=str,
)
def test_pieces_arrive_when_and_as_the_pipe_says(keys, arrivals):
    async def program(client, server):
        seen = []
        start = now() + 0.0005
        client.data_received = lambda data: seen.append((round(now() - start, 6), len(data)))
        server.transport.write(b"0123456789")
        await asyncio.sleep(30)
        return seen

    assert told(program, struck(**keys)) == arrivals


def test_a_peer_that_reads_nothing_stops_the_writer_and_its_end_lets_it_go():
    async def program(client, server):
        client.transport.pause_reading()
        server.transport.write(LARGE)
        await asyncio.sleep(1)
        stuck = server.transport.get_write_buffer_size()
        client.transport.abort()
        await server.lost
        return stuck, server.notes

    stuck, notes = told(program)
    assert stuck == len(LARGE) - 128 * 1024
    assert notes == ["made", "pause", "lost ConnectionResetError"]


def test_a_writer_that_is_closing_is_let_go_by_a_reset():
    async def program(client, server):
        client.transport.pause_reading()
        server.transport.write(LARGE)
        server.transport.close()
        await asyncio.sleep(1)
        before = server.lost.done()
        client.transport.abort()
        return before, type(await server.lost).__name__

    assert told(program) == (False, "ConnectionResetError")


def test_what_comes_while_a_closed_transport_flushes_is_unread_and_resets():
    async def program(client, server):
        client.transport.pause_reading()
        server.transport.write(LARGE)
        server.transport.close()
        client.transport.write(b"never read")
        await asyncio.sleep(1)
        client.transport.resume_reading()
        return type(await client.lost).__name__, server.received

    assert told(program) == ("ConnectionResetError", b"")


def test_writing_to_a_peer_that_has_reset_is_noticed_although_nothing_is_read():
    async def program(client, server):
        client.transport.pause_reading()
        server.transport.write(b"0123456789")
        await asyncio.sleep(1)
        before = list(client.notes)
        client.transport.write(b"late")
        return before, type(await client.lost).__name__

    assert told(program, struck("reset", byte=4)) == (["made"], "ConnectionResetError")
