"""The tutorial's flow, every minute: complaints are extracted once a day, and stored by every run.

    python -m asyncflow serve asyncflow.examples.scheduled:complaints_every_minute

A run that fails does not end the schedule: the next one is made a minute later, and finds in the cache what
the earlier one has extracted.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from asyncflow import flow
from asyncflow.examples.complaints import create_table, get_complaints, parse_complaints, store_complaints
from asyncflow.schedules import IntervalSchedule

get_complaints_daily = get_complaints.with_options(cache_for=timedelta(days=1))


@flow(name="complaints every minute", schedule=IntervalSchedule(timedelta(minutes=1)))
async def complaints_every_minute(size: int = 10) -> Any:
    """Get, parse and store, as the flow that is run by hand does."""
    table = create_table()
    raw = get_complaints_daily(size)
    parsed = parse_complaints(raw.later)
    return store_complaints.after(table)(parsed.later)
