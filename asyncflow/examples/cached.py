"""Complaints are extracted once and used three times: what was computed stands in, even when the API is down.

    python -m asyncflow run asyncflow.examples.cached:three_reports

An extract is kept for a while, and longer should the API fail when it is due again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import aiohttp

from asyncflow import Retry, flow, task
from asyncflow.examples.complaints import API
from asyncflow.examples.http import get_json

FRESH = 1.0
"""Seconds for which an extract is as good as a new one; a real program would say hours."""


@task(
    cache_for=FRESH, stale_if_error=86_400.0, timeout=10.0, retry=Retry(2, delay=0.05, on=aiohttp.ClientError)
)
async def extract(size: int) -> list[dict[str, Any]]:
    """Return the newest complaints as the API gives them."""
    answer = await get_json(API, {"size": size, "no_aggs": "true"})
    hits: list[dict[str, Any]] = answer["hits"]["hits"]
    return hits


@task
def count_by_product(raw: list[dict[str, Any]]) -> dict[str, int]:
    """Return how many complaints there are of each product."""
    return dict(Counter(hit["_source"]["product"] for hit in raw))


@task
async def wait(seconds: float) -> None:
    """Let time pass."""
    await asyncio.sleep(seconds)


@task
def are_equal(*reports: dict[str, int]) -> bool:
    """Return whether all reports say the same."""
    return all(report == reports[0] for report in reports)


@flow(name="three reports")
async def three_reports(size: int = 10) -> Any:
    """Make a report now, one when the extract is still good, and one when it has expired."""
    now = count_by_product(extract(size).later)
    again = count_by_product(extract.after(now)(size).later)
    expired = wait.after(again)(1.5 * FRESH)
    at_last = count_by_product(extract.after(expired)(size).later)
    return are_equal(now.later, again.later, at_last.later)
