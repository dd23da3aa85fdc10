from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.wire.messages import Messages

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


def parts(*pieces, requests=()):
    """Return each part once, as (number, name, start, end), however it was fed."""
    asked = Messages()
    for piece in requests:
        asked.feed(piece)
    messages = Messages(asked)
    found = {}
    for piece in pieces:
        for part in messages.feed(piece):
            assert found.setdefault(part[:2], part).start == part.start
            assert part.end >= found[part[:2]].end
            found[part[:2]] = part
    return [tuple(part) for part in found.values()]


def texts(stream, **options):
    """Return the parts of a stream with what stands in them."""
    return [(number, name, stream[start:end]) for number, name, start, end in parts(stream, **options)]


LENGTH = OK + b"Content-Length: 5\r\n\r\n"
CHUNKED = OK + b"transfer-encoding: gzip, Chunked\r\n\r\n"
CHUNKS = b"3;note=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
UNCHANGED = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"
NOTHING = b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"
PLAIN = OK + b"\r\n"

STREAMS = {
    "a length tells where a body ends": (
        LENGTH + b"hello" + LENGTH + b"world",
        [(1, "head", LENGTH), (1, "body", b"hello"), (2, "head", LENGTH), (2, "body", b"world")],
    ),
    "chunks tell themselves, trailers included": (
        CHUNKED + CHUNKS + PLAIN,
        [(1, "head", CHUNKED), (1, "body", CHUNKS), (2, "head", PLAIN), (2, "body", b"")],
    ),
    "chunks count more than a length": (
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS + PLAIN,
        [
            (1, "head", OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"),
            (1, "body", CHUNKS),
            (2, "head", PLAIN),
            (2, "body", b""),
        ],
    ),
    "a response without either ends with the stream": (
        PLAIN + b"all\r\n\r\n" + LENGTH,
        [(1, "head", PLAIN), (1, "body", b"all\r\n\r\n" + LENGTH)],
    ),
    "so does one in another coding than chunks": (
        OK + b"Transfer-Encoding: gzip\r\n\r\nxyz",
        [(1, "head", OK + b"Transfer-Encoding: gzip\r\n\r\n"), (1, "body", b"xyz")],
    ),
    "a request without either has no body": (GET + GET, [(1, "head", GET), (2, "head", GET)]),
    "a request has a body when it says so": (
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi" + GET,
        [(1, "head", b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n"), (1, "body", b"hi"), (2, "head", GET)],
    ),
    "a body of no bytes is none": (
        OK + b"Content-Length: 0\r\n\r\n" + LENGTH,
        [(1, "head", OK + b"Content-Length: 0\r\n\r\n"), (2, "head", LENGTH), (2, "body", b"")],
    ),
    "204 has no body": (NOTHING + PLAIN, [(1, "head", NOTHING), (2, "head", PLAIN), (2, "body", b"")]),
    "304 has no body": (UNCHANGED + PLAIN, [(1, "head", UNCHANGED), (2, "head", PLAIN), (2, "body", b"")]),
    "an interim response belongs to the head of the next": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH + b"hello",
        [(1, "head", b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH), (1, "body", b"hello")],
    ),
    "what follows a switch of protocols is no message": (
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x05hello",
        [(1, "head", b"HTTP/1.1 101 Switching Protocols\r\n\r\n")],
    ),
    "empty lines between messages belong to none": (
        b"\r\n" + GET + b"\r\n\n" + GET,
        [(1, "head", GET), (2, "head", GET)],
    ),
    "lines may end with a line feed alone": (
        b"HTTP/1.1 200 OK\ncontent-length:5\n\nhello" + PLAIN,
        [
            (1, "head", b"HTTP/1.1 200 OK\ncontent-length:5\n\n"),
            (1, "body", b"hello"),
            (2, "head", PLAIN),
            (2, "body", b""),
        ],
    ),
    "a broken length runs to the end": (
        OK + b"Content-Length: five\r\n\r\nhello" + PLAIN,
        [(1, "head", OK + b"Content-Length: five\r\n\r\n"), (1, "body", b"hello" + PLAIN)],
    ),
    "so does a broken chunk size": (
        CHUNKED + b"3\r\nabc\r\nzz\r\n" + PLAIN,
        [(1, "head", CHUNKED), (1, "body", b"3\r\nabc\r\nzz\r\n" + PLAIN)],
    ),
    "a sign is no part of a chunk size": (
        CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n" + PLAIN,
        [(1, "head", CHUNKED), (1, "body", b"+3\r\nabc\r\n0\r\n\r\n" + PLAIN)],
    ),
    "so does a chunk of another size than it says": (
        CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n" + PLAIN,
        [(1, "head", CHUNKED), (1, "body", b"3\r\nabcd\r\n0\r\n\r\n" + PLAIN)],
    ),
    "a head of any size is one": (
        OK + b"X: " + b"x" * 5000 + b"\r\nContent-Length: 5\r\n\r\nhello" + PLAIN,
        [
            (1, "head", OK + b"X: " + b"x" * 5000 + b"\r\nContent-Length: 5\r\n\r\n"),
            (1, "body", b"hello"),
            (2, "head", PLAIN),
            (2, "body", b""),
        ],
    ),
    "TLS has no parts": (b"\x16\x03\x01\x02\x00" + GET, []),
    "what only begins like HTTP has one head": (
        b"HELO there\r\n\r\n" + GET,
        [(1, "head", b"HELO there\r\n\r\n")],
    ),
    "an unfinished head is as long as it is": (b"GET / HT", [(1, "head", b"GET / HT")]),
}


@pytest.mark.parametrize(("stream", "expected"), STREAMS.values(), ids=STREAMS)
def test_parts_lie_where_http_says(stream, expected):
    assert texts(stream) == expected


@given(st.sampled_from(list(STREAMS.values())), st.data())
def test_the_pieces_of_a_stream_change_no_part(known, draw):
    stream = known[0]
    edges = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[low:high] for low, high in zip([0, *edges], [*edges, len(stream)], strict=True)]
    assert parts(*pieces) == parts(stream)


@pytest.mark.parametrize(("stream", "expected"), STREAMS.values(), ids=STREAMS)
def test_one_byte_at_a_time_is_enough(stream, expected):
    assert parts(*(stream[at : at + 1] for at in range(len(stream)))) == parts(stream)


def test_a_response_to_head_has_no_body():
    head = b"HEAD / HTTP/1.1\r\n\r\n"
    assert texts(LENGTH + LENGTH + b"hello", requests=[head + GET]) == [
        (1, "head", LENGTH),
        (2, "head", LENGTH),
        (2, "body", b"hello"),
    ]
    # Nobody says that it was HEAD: the next head is taken for the body that the first one declares.
    assert texts(LENGTH + LENGTH)[1] == (1, "body", LENGTH[:5])


def test_requests_with_head_are_remembered_until_they_are_answered():
    requests = Messages()
    requests.feed(GET + b"HEAD / HTTP/1.1\r\n\r\n")
    assert [requests.answers_head(number) for number in (1, 2, 2)] == [False, True, False]


@pytest.mark.parametrize("beginning", [OK + b"X: ", PLAIN], ids=["line", "body"])
def test_memory_does_not_grow_with_what_flows(beginning):
    messages, piece = Messages(), b"x" * 1000
    messages.feed(beginning)
    tracemalloc.start()
    for _ in range(200):
        messages.feed(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000
