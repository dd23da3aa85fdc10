"""A replica of JSONPlaceholder: posts, comments, albums, photos, todos and users over HTTP.

Writes are pretended, as they are at the original: the answer looks like success, and nothing is kept. A
listing always carries `X-Total-Count`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from asyncflow.net.answers import Shape, listed
from asyncflow.net.listing import BadListing, select

Record = dict[str, Any]

PARENT_KEYS = {"posts": "postId", "albums": "albumId", "users": "userId"}
"""The field by which the records of another collection point at this one."""


def posts_app(collections: Mapping[str, Sequence[Record]], shape: Shape = "json") -> web.Application:
    """Return the web application that serves these collections.

    Args:
        collections: lists of records with an `id`, by name; neither copied nor changed.
        shape: how listings look; a single record is one JSON document either way.
    """
    service = _Service(collections, shape)
    app = web.Application()
    app.router.add_get("/{name}", service.listing)
    app.router.add_post("/{name}", service.create)
    app.router.add_get("/{name}/{id}", service.one)
    app.router.add_put("/{name}/{id}", service.replace)
    app.router.add_patch("/{name}/{id}", service.change)
    app.router.add_delete("/{name}/{id}", service.delete)
    app.router.add_get("/{parent}/{id}/{name}", service.nested)
    app.router.add_route("*", "/{rest:.*}", _nothing_here)
    return app


class _Service:
    def __init__(self, collections: Mapping[str, Sequence[Record]], shape: Shape) -> None:
        self._collections = collections
        self._shape = shape

    async def listing(self, request: web.Request) -> web.Response:
        records = self._collections.get(request.match_info["name"])
        return _absent() if records is None else self._listed(records, request)

    async def nested(self, request: web.Request) -> web.Response:
        records = self._collections.get(request.match_info["name"])
        key = PARENT_KEYS.get(request.match_info["parent"])
        if records is None or key is None:
            return _absent()
        number = request.match_info["id"]
        return self._listed([record for record in records if str(record.get(key)) == number], request)

    async def one(self, request: web.Request) -> web.Response:
        record = self._find(request)
        return _absent() if record is None else web.json_response(record)

    async def create(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._collections:
            return _absent()
        number = len(self._collections[name]) + 1
        made = {**await _body(request), "id": number}
        return web.json_response(made, status=201, headers={"Location": f"{request.url.path}/{number}"})

    async def replace(self, request: web.Request) -> web.Response:
        record = self._find(request)
        if record is None:
            return _absent()
        return web.json_response({**await _body(request), "id": record["id"]})

    async def change(self, request: web.Request) -> web.Response:
        record = self._find(request)
        if record is None:
            return _absent()
        return web.json_response({**record, **await _body(request), "id": record["id"]})

    async def delete(self, request: web.Request) -> web.Response:
        return _absent() if self._find(request) is None else web.json_response({})

    def _listed(self, records: Sequence[Record], request: web.Request) -> web.Response:
        try:
            found, total = select(records, request.query.items())
        except BadListing as error:
            return web.json_response({"error": str(error)}, status=400)
        return listed(found, self._shape, {"X-Total-Count": str(total)})

    def _find(self, request: web.Request) -> Record | None:
        records = self._collections.get(request.match_info["name"], ())
        number = request.match_info["id"]
        return next((record for record in records if str(record["id"]) == number), None)


async def _body(request: web.Request) -> Record:
    """Return the fields of the request's body, sent as JSON or as a form.

    Raises:
        web.HTTPBadRequest: when it is neither.
    """
    if request.content_type != "application/json":
        return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    try:
        fields = await request.json()
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise web.HTTPBadRequest(
            text=json.dumps({"error": "the body must be a JSON object"}), content_type="application/json"
        )
    return fields


def _absent() -> web.Response:
    return web.json_response({}, status=404)


async def _nothing_here(_: web.Request) -> web.Response:
    return _absent()
