"""Read complaints as lines from a server that hangs up when it is done, once on trust and once with a count.

    python -m asyncflow scenario short_body_taken_for_whole

The live API sends JSON with its length. Its replica sends a complaint on each line, and no length, where the
scenario says `shape = "ndjson"` and `framing = "eof"`. Then nothing but the end of the connection tells where
the body ends, and a connection that breaks looks like one that is done: aiohttp raises nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import aiohttp
import aiosqlite

from asyncflow import Retry, exponential, flow, task
from asyncflow.examples.complaints import API
from asyncflow.tasks import SQLiteScript

DATABASE = "lines.db"

CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS line (
    reader TEXT,
    complaint_id TEXT,
    PRIMARY KEY (reader, complaint_id)
)
"""

create_table = SQLiteScript(db=DATABASE, script=CREATE_TABLE, name="create_table")


class ShortBody(Exception):
    """Fewer lines arrived than there are complaints."""


@dataclass(frozen=True)
class Lines:
    """What arrived: the complaints' ids, and how many complaints the server said that it has."""

    ids: list[str]
    total: int


async def get_lines(size: int) -> Lines:
    """Return what arrives when asking for the newest complaints.

    Raises:
        aiohttp.ClientError: when the connection failed, or broke off in a way that can be noticed.
    """
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        session.get(API, params={"size": size, "no_aggs": "true"}, raise_for_status=True) as response,
    ):
        # Behind the last line feed there is nothing, or half a line.
        *lines, _ = (await response.text()).split("\n")
        ids = [json.loads(line)["_source"]["complaint_id"] for line in lines]
        return Lines(ids, int(response.headers["X-Total-Count"]))


reader = task(
    retry=Retry(4, delay=exponential(0.2, cap=5.0), on=(aiohttp.ClientError, TimeoutError, ShortBody)),
    timeout=10.0,
)


@reader
async def take_what_comes(size: int) -> list[str]:
    """Return the ids of the complaints that arrived: no error, so these are all."""
    return (await get_lines(size)).ids


@reader
async def take_all_or_none(size: int) -> list[str]:
    """Return the ids of all the complaints, or fail: the server says how many there are, and this counts."""
    lines = await get_lines(size)
    wanted = min(size, lines.total)
    if len(lines.ids) != wanted:
        raise ShortBody(f"{len(lines.ids)} of {wanted} complaints arrived")
    return lines.ids


@task
async def store_lines(who: str, ids: list[str]) -> int:
    """Store which complaints a reader got, and return how many they are."""
    async with aiosqlite.connect(DATABASE) as connection:
        await connection.executemany("INSERT OR REPLACE INTO line VALUES (?, ?)", [(who, one) for one in ids])
        await connection.commit()
    return len(ids)


@flow(name="complaints as lines")
async def complaints_lines(size: int = 25) -> None:
    """Let both readers get the same complaints, and store what each of them took for all."""
    table = create_table()
    for reading in (take_what_comes, take_all_or_none):
        store_lines.after(table)(reading.name, reading(size).later)
