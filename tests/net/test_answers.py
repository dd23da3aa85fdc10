import json

import aiohttp
import pytest

from asyncflow.errors import UsageError
from asyncflow.net.answers import FRAMINGS, as_chunk
from asyncflow.net.cfpb import PATH
from asyncflow.net.http_faults import DEEDS, HttpFault
from asyncflow.net.replica import Replica
from tests.net.test_http_strikes import TIMEOUT, attempt, fetch, in_both_worlds


async def answer_of(name, path, method="GET", **options):
    """Return status, headers and body as a plain client gets them."""
    async with (
        Replica(name, count=5, **options) as replica,
        aiohttp.ClientSession() as session,
        session.request(method, replica.url + path) as answer,
    ):
        return answer.status, answer.headers, await answer.read()


# ------------------------------------------------------------------ framing


@pytest.mark.parametrize(
    ("framing", "length", "encoding", "connection"),
    [("length", True, None, None), ("chunked", False, "chunked", None), ("eof", False, None, "close")],
)
@pytest.mark.parametrize(("name", "path"), [("posts", "/posts"), ("cfpb", PATH), ("posts", "/nothing")])
async def test_an_answer_is_the_same_however_its_end_is_told(
    name, path, framing, length, encoding, connection
):
    status, headers, body = await answer_of(name, path, framing=framing)
    usual_status, _, usual = await answer_of(name, path)
    assert (status, body) == (usual_status, usual)
    assert ("Content-Length" in headers) is length
    assert headers.get("Transfer-Encoding") == encoding
    assert headers.get("Connection") == connection


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_an_answer_to_head_has_no_body_to_frame(framing):
    status, headers, body = await answer_of("posts", "/posts", "HEAD", framing=framing)
    assert (status, body) == (200, b"")
    assert "Transfer-Encoding" not in headers


async def test_a_status_without_a_body_is_not_framed():
    fault = HttpFault("status", status=204)
    _, headers, _ = await answer_of("posts", "/posts", framing="chunked", faults=[fault])
    assert "Transfer-Encoding" not in headers


async def test_the_end_of_the_connection_is_the_end_of_the_answer():
    async with Replica("posts", count=1, framing="eof") as replica:
        answer = await fetch(replica.port, "/posts")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Length" not in head
    assert len(json.loads(body)) == 1


def test_no_data_is_no_chunk():
    assert (as_chunk(b"0123456789abcdef!"), as_chunk(b"")) == (b"11\r\n0123456789abcdef!\r\n", b"")


# ------------------------------------------------------------------ faults on framed answers

SEEN = [
    ("status", {}, "ClientResponseError", "ClientResponseError"),
    ("slow", {"seconds": 1.5}, 200, 200),
    ("hang", {}, "TimeoutError", "TimeoutError"),
    ("truncate", {}, "ClientPayloadError", "JSONDecodeError"),
    ("truncate", {"byte": 0}, "ClientPayloadError", 200),
    ("truncate", {"byte": 20}, "ClientPayloadError", "JSONDecodeError"),
    ("malformed-json", {}, "JSONDecodeError", "JSONDecodeError"),
    ("reset", {}, "ClientOSError", "ClientOSError"),
    ("reset", {"byte": 20}, "ClientPayloadError", "JSONDecodeError"),
    ("drip", {"seconds": 1.5}, 200, 200),
    ("drip", {"seconds": 30}, "TimeoutError", "TimeoutError"),
    ("wrong-content-type", {}, "ContentTypeError", "ContentTypeError"),
]
"""A fault, and what aiohttp's client makes of it when chunks tell the end, and when the connection does.

Where the connection's end is the body's, a cut is no error of the transport. Only the parser can notice, and
of an empty body not even that one: aiohttp's `json()` is None then.
"""


@pytest.mark.parametrize(
    ("play", "do", "options", "chunked", "eof"), in_both_worlds(SEEN, lambda row: row[0])
)
@pytest.mark.parametrize("framing", ["chunked", "eof"])
def test_a_fault_is_seen_through_the_framing_that_it_strikes(play, do, options, chunked, eof, framing):
    async def seen():
        async with (
            Replica("posts", faults=[HttpFault(do, **options)], framing=framing) as replica,
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session,
        ):
            return await attempt(session, "GET", f"{replica.url}/posts/1")

    assert play(seen()) == (chunked if framing == "chunked" else eof)


def test_every_fault_is_in_the_table_but_the_one_that_needs_a_length():
    assert {row[0] for row in SEEN} == set(DEEDS) - {"wrong-length"}


@pytest.mark.parametrize("framing", ["chunked", "eof"])
def test_a_wrong_length_is_refused_where_no_length_is_declared(framing):
    with pytest.raises(UsageError, match="'wrong-length' lies about a length that no answer declares"):
        Replica("posts", faults=[HttpFault("wrong-length")], framing=framing)


# ------------------------------------------------------------------ shape


@pytest.mark.parametrize(
    ("name", "path", "total"),
    [
        ("posts", "/posts?_limit=3", 5),
        ("posts", "/posts/1/comments?_limit=3", 5),
        ("cfpb", f"{PATH}?size=3", 5),
    ],
)
async def test_records_come_one_on_a_line_with_their_total(name, path, total):
    _, headers, body = await answer_of(name, path, shape="ndjson")
    lines = body.decode().split("\n")
    assert headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    assert headers["X-Total-Count"] == str(total)
    assert lines.pop() == ""
    _, _, usual = await answer_of(name, path)
    listing = json.loads(usual)
    assert list(map(json.loads, lines)) == (listing["hits"]["hits"] if name == "cfpb" else listing)
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("name", "path"), [("posts", "/posts/1"), ("posts", "/posts?_limit=x"), ("cfpb", f"{PATH}?format=csv")]
)
async def test_what_is_no_list_of_records_looks_as_ever(name, path):
    assert (await answer_of(name, path, shape="ndjson"))[2] == (await answer_of(name, path))[2]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"framing": "chunks"},
            "framing='chunks' must be one of length, chunked, eof. Did you mean 'chunked'?",
        ),
        ({"shape": "xml"}, "shape='xml' must be one of json, ndjson."),
    ],
)
def test_a_word_that_there_is_not_is_refused(options, reason):
    with pytest.raises(UsageError) as caught:
        Replica("posts", **options)
    assert str(caught.value) == reason
