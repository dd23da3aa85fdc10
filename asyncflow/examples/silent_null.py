"""The complaints ETL with a bug that raises nothing: a misspelt field.

`source.get("date_recieved")` is None for every complaint, so the column is NULL for ever. Only a look at the
rows notices, which is what the scenario `silent_null` is about.
"""

from __future__ import annotations

from typing import Any

from asyncflow import flow, task
from asyncflow.examples.complaints import Complaint, create_table, get_complaints, store_complaints


@task
def parse_with_a_typo(raw: list[dict[str, Any]]) -> list[Complaint]:
    """Return what the table needs of each complaint, but for its date."""
    return [
        Complaint(
            complaint_id=source["complaint_id"],
            date_received=source.get("date_recieved"),
            state=source.get("state"),
            product=source["product"],
            company=source["company"],
            narrative=source.get("complaint_what_happened") or "",
        )
        for source in (hit["_source"] for hit in raw)
    ]


@flow(name="complaints with a typo")
async def complaints_with_a_typo(size: int = 10) -> Any:
    """Get, parse wrongly, store."""
    table = create_table()
    raw = get_complaints(size)
    parsed = parse_with_a_typo(raw.later)
    return store_complaints.after(table)(parsed.later)
