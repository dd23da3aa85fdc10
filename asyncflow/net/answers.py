"""How a replica's answers look: records as one JSON list or a line each, and what tells a client the end.

A declared length says where a body ends, or its last chunk, or nothing but the end of the connection. The
last way can't tell a whole body from a cut one: clients report what arrived as complete.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from aiohttp import hdrs, web

Framing = Literal["length", "chunked", "eof"]
FRAMINGS: tuple[str, ...] = get_args(Framing)
"""How an answer may end: after the declared length, with its last chunk, with the connection."""

Shape = Literal["json", "ndjson"]
SHAPES: tuple[str, ...] = get_args(Shape)
"""How a list of records may look: one JSON list, or a JSON document on each line."""

_WITHOUT_BODY = (204, 304)


def listed(
    records: Sequence[Mapping[str, Any]], shape: Shape, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return the answer that carries records in a shape; each line ends with a line feed, the last too."""
    if shape == "json":
        return web.json_response(records, headers=headers)
    text = "".join(f"{json.dumps(record)}\n" for record in records)
    return web.Response(text=text, content_type="application/x-ndjson", headers=headers)


def install_framing(app: web.Application, framing: Framing) -> None:
    """Let every answer of an application that has not started end in that way, whatever it declared."""
    if framing != "length":
        app.on_response_prepare.append(_chunked if framing == "chunked" else _until_eof)


async def _chunked(request: web.Request, answer: web.StreamResponse) -> None:
    if _has_length(request, answer):
        del answer.headers[hdrs.CONTENT_LENGTH]
        answer.headers[hdrs.TRANSFER_ENCODING] = "chunked"
        request.writer.enable_chunking()


async def _until_eof(request: web.Request, answer: web.StreamResponse) -> None:
    if _has_length(request, answer):
        del answer.headers[hdrs.CONTENT_LENGTH]
        answer.headers[hdrs.CONNECTION] = "close"
        answer.force_close()


def _has_length(request: web.Request, answer: web.StreamResponse) -> bool:
    """Return whether an answer has a body and says how long it is."""
    has_body = request.method != hdrs.METH_HEAD and answer.status not in _WITHOUT_BODY
    return has_body and hdrs.CONTENT_LENGTH in answer.headers


def as_chunk(data: bytes) -> bytes:
    """Return data as a chunk of a chunked body; no data is no chunk, since an empty one would be the last."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
