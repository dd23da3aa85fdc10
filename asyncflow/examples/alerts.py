"""The complaints ETL with state handlers that keep a table of alerts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from asyncflow import flow
from asyncflow.examples import complaints
from asyncflow.states import State

DATABASE = "alerts.db"


def alert_failed(obj: Any, old: State, new: State) -> None:
    """Write a line into the table of alerts for every failure."""
    del old
    if not new.is_failed():
        return
    who = getattr(obj, "flow", obj).name
    with closing(sqlite3.connect(DATABASE)) as connection, connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS alert (number INTEGER PRIMARY KEY, who TEXT, state TEXT)"
        )
        connection.execute("INSERT INTO alert (who, state) VALUES (?, ?)", (who, new.name))


get_complaints = complaints.get_complaints.with_options(state_handlers=[alert_failed])
parse_complaints = complaints.parse_complaints.with_options(state_handlers=[alert_failed])
store_complaints = complaints.store_complaints.with_options(state_handlers=[alert_failed])


@flow(name="complaints with alerts", state_handlers=[alert_failed])
async def complaints_with_alerts(size: int = 10) -> Any:
    """Get, parse and store; every failure on the way is alerted."""
    table = complaints.create_table()
    raw = get_complaints(size)
    parsed = parse_complaints(raw.later)
    return store_complaints.after(table)(parsed.later)
