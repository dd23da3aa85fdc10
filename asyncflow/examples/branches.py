"""Branches: how many complaints there are decides what is done with them.

python -m asyncflow run asyncflow.examples.branches:complaints_by_number -p size=3

With fewer than five of them nothing is stored.
"""

from __future__ import annotations

from typing import Any, Literal

from asyncflow import flow, task
from asyncflow.control import case, merge
from asyncflow.examples.complaints import create_table, get_complaints, parse_complaints, store_complaints


@task
async def how_many(raw: list[dict[str, Any]], many: int = 5) -> Literal["few", "many"]:
    """Say whether the complaints are worth a place in the table."""
    return "many" if len(raw) >= many else "few"


@task
async def describe(raw: list[dict[str, Any]]) -> str:
    """Return a sentence about complaints that are not stored."""
    return f"{len(raw)} complaints, too few to be stored"


@task
async def count(stored: int) -> str:
    """Return a sentence about complaints that were stored."""
    return f"{stored} complaints stored"


@flow(name="complaints by number")
async def complaints_by_number(size: int = 10) -> Any:
    """Store complaints when there are many, else only say so."""
    table = create_table()
    raw = get_complaints(size)
    number = how_many(raw.later)
    with case(number, "many"):
        stored = store_complaints.after(table)(parse_complaints(raw.later).later)
        counted = count(stored.later)
    with case(number, "few"):
        described = describe(raw.later)
    return merge(counted, described)
