"""The CFPB consumer complaint search API, version 1, over our own records.

`format=json` is an export, as at the real service: the bare list of hits as a download, all of them unless
`size` says otherwise. Without `format` the answer is the search envelope.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from aiohttp import web

from asyncflow.net.answers import Shape, listed
from asyncflow.net.complaint_search import BadQuery, envelope, find, page, parse_query

Record = dict[str, Any]

PATH = "/data-research/consumer-complaints/search/api/v1/"
"""Where the API lies on its host."""

CSV_COLUMNS = {
    "date_received": "Date received",
    "product": "Product",
    "sub_product": "Sub-product",
    "issue": "Issue",
    "sub_issue": "Sub-issue",
    "complaint_what_happened": "Consumer complaint narrative",
    "company_public_response": "Company public response",
    "company": "Company",
    "state": "State",
    "zip_code": "ZIP code",
    "tags": "Tags",
    "consumer_consent_provided": "Consumer consent provided?",
    "submitted_via": "Submitted via",
    "date_sent_to_company": "Date sent to company",
    "company_response": "Company response to consumer",
    "timely": "Timely response?",
    "consumer_disputed": "Consumer disputed?",
    "complaint_id": "Complaint ID",
}


def cfpb_app(records: Sequence[Record], shape: Shape = "json") -> web.Application:
    """Return the web application that serves these complaints.

    Args:
        records: the complaints, each the `_source` of a hit; neither copied nor changed.
        shape: `ndjson` answers with a hit on each line, and says in `X-Total-Count` how many complaints were
            found; an export as CSV stays one.
    """

    async def search(request: web.Request) -> web.Response:
        try:
            query = parse_query(request.query.items())
        except BadQuery as error:
            return web.json_response(error.errors, status=400)
        hits = find(records, query)
        if query.format == "csv":
            return _download(to_csv(page(hits, query)), "text/csv", "complaints.csv")
        if shape == "ndjson":
            return listed(list(page(hits, query)), shape, {"X-Total-Count": str(len(hits))})
        if query.format == "json":
            answer = web.json_response(list(page(hits, query)))
            answer.headers["Content-Disposition"] = 'attachment; filename="complaints.json"'
            return answer
        return web.json_response(envelope(hits, query, records))

    async def nothing_here(_: web.Request) -> web.Response:
        return web.json_response({"detail": "Not found."}, status=404)

    app = web.Application()
    app.router.add_get(PATH, search)
    app.router.add_get(PATH.rstrip("/"), search)
    app.router.add_route("*", "/{rest:.*}", nothing_here)
    return app


def to_csv(hits: Iterable[Record]) -> str:
    """Return hits as the API exports them: headings for people, days as month/day/year."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS.values())
    for hit in hits:
        writer.writerow(_cell(name, hit["_source"].get(name)) for name in CSV_COLUMNS)
    return out.getvalue()


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name.startswith("date_"):
        return datetime.fromisoformat(value).strftime("%m/%d/%y")
    return str(value)


def _download(text: str, content_type: str, filename: str) -> web.Response:
    return web.Response(
        text=text,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )
