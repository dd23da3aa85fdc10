"""Get consumer complaints from the CFPB, parse them, store them in SQLite.

    python -m asyncflow run asyncflow.examples.complaints:complaints_etl -p size=25

The same flow runs against the live API and, in every scenario, against a replica of it.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

import aiohttp
import aiosqlite

from asyncflow import Retry, exponential, flow, signals, task
from asyncflow.examples.http import get_json
from asyncflow.tasks import SQLiteScript

API = "https://www.consumerfinance.gov/data-research/consumer-complaints/search/api/v1/"
DATABASE = "complaints.db"

CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS complaint (
    complaint_id TEXT PRIMARY KEY,
    date_received TEXT,
    state TEXT,
    product TEXT,
    company TEXT,
    narrative TEXT
)
"""


@dataclass(frozen=True)
class Complaint:
    """One row of the table; the API leaves fields null that it has nothing to say about."""

    complaint_id: str
    date_received: str | None
    state: str | None
    product: str | None
    company: str | None
    narrative: str


create_table = SQLiteScript(db=DATABASE, script=CREATE_TABLE, name="create_table")

PATIENT = Retry(
    4, delay=exponential(0.2, cap=5.0), jitter="full", on=(aiohttp.ClientError, TimeoutError, ValueError)
)
"""Connections that fail, answers that come late, and bodies that are not JSON may be better next time."""


@task(retry=PATIENT, timeout=10.0)
async def get_complaints(size: int = 10) -> list[dict[str, Any]]:
    """Return the newest complaints as the API gives them."""
    answer = await get_json(API, {"size": size, "no_aggs": "true"})
    hits: list[dict[str, Any]] = answer["hits"]["hits"]
    return hits


@task
def parse_complaints(raw: list[dict[str, Any]]) -> list[Complaint]:
    """Return what the table needs of each complaint."""
    if not raw:
        raise signals.SKIP("nothing new")
    return [
        Complaint(
            complaint_id=source["complaint_id"],
            date_received=source.get("date_received"),
            state=source.get("state"),
            product=source["product"],
            company=source["company"],
            narrative=source.get("complaint_what_happened") or "",
        )
        for source in (hit["_source"] for hit in raw)
    ]


@task
async def store_complaints(complaints: list[Complaint] | None) -> int:
    """Store complaints that are new, and return how many there were; None stores nothing."""
    rows = [astuple(complaint) for complaint in complaints or ()]
    async with aiosqlite.connect(DATABASE) as connection:
        before = connection.total_changes
        await connection.executemany("INSERT OR IGNORE INTO complaint VALUES (?, ?, ?, ?, ?, ?)", rows)
        await connection.commit()
        return connection.total_changes - before


@flow(name="complaints etl")
async def complaints_etl(size: int = 10) -> Any:
    """Get, parse and store; the table is made beside the rest, and only has to be there before the rows."""
    table = create_table()
    raw = get_complaints(size)
    parsed = parse_complaints(raw.later)
    return store_complaints.after(table)(parsed.later)
