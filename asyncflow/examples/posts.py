"""Extract posts, users and comments at the same time, join them, store the result in SQLite.

    python -m asyncflow run asyncflow.examples.posts:posts_etl

The same flow runs against the live API and, in every scenario, against a replica of it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import aiohttp
import aiosqlite

from asyncflow import Breaker, Retry, exponential, flow, task
from asyncflow.examples.http import get_json
from asyncflow.tasks import SQLiteScript

API = "https://jsonplaceholder.typicode.com"
DATABASE = "posts.db"

CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS post (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    author TEXT NOT NULL,
    comments INTEGER NOT NULL
)
"""

extract = task(
    retry=Retry(4, delay=exponential(0.2, cap=5.0), jitter="full", on=(aiohttp.ClientError, TimeoutError)),
    timeout=10.0,
    breaker=Breaker("posts-api", failures=5, open_for=5.0),
)

create_table = SQLiteScript(db=DATABASE, script=CREATE_TABLE, name="create_table")


@extract
async def extract_posts() -> list[dict[str, Any]]:
    """Return all posts."""
    posts: list[dict[str, Any]] = await get_json(f"{API}/posts")
    return posts


@extract
async def extract_users() -> list[dict[str, Any]]:
    """Return all users."""
    users: list[dict[str, Any]] = await get_json(f"{API}/users")
    return users


@extract
async def extract_comments() -> list[dict[str, Any]]:
    """Return all comments."""
    comments: list[dict[str, Any]] = await get_json(f"{API}/comments")
    return comments


@task
def join(
    posts: list[dict[str, Any]], users: list[dict[str, Any]], comments: list[dict[str, Any]]
) -> list[tuple[int, str, str, int]]:
    """Return a row for each post: its id, title, author's name and number of comments."""
    names = {user["id"]: user["name"] for user in users}
    counts = Counter(comment["postId"] for comment in comments)
    return [(post["id"], post["title"], names[post["userId"]], counts[post["id"]]) for post in posts]


@task
async def store_posts(rows: list[tuple[int, str, str, int]]) -> int:
    """Store the rows, replacing those of an earlier run, and return how many there are."""
    async with aiosqlite.connect(DATABASE) as connection:
        await connection.executemany("INSERT OR REPLACE INTO post VALUES (?, ?, ?, ?)", rows)
        await connection.commit()
    return len(rows)


@flow(name="posts etl")
async def posts_etl() -> Any:
    """Extract concurrently, join, store."""
    table = create_table()
    joined = join(extract_posts().later, extract_users().later, extract_comments().later)
    return store_posts.after(table)(joined.later)
