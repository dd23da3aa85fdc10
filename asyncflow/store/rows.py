"""Runs and events as rows, and the statements that write and read them.

A write takes a batch of rows for the view `batch`, which exists only in the store's own connection: its
trigger puts each run's summary into `run` and its events into `chunk`. So a batch is one statement, and one
statement is one transaction and one hop to the thread that runs it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from asyncflow.events import SCHEMA_VERSION, RunHeader, RunSummary
from asyncflow.store.codec import encode_events, readable, to_text

_HEADER = (
    *("id", "name", "flow", "started", "parent", "scenario", "seed", "parameters", "version"),
    *("variant", "world"),
)
_STANDING = ("state", "ended", "tasks", "attempts", "faults", "home")
_COLUMNS = (*_HEADER, *_STANDING)
_BATCH = (*_COLUMNS, "first", "events")

# Two writes may carry the same events, the second one more of them: when the outcome of the first was never
# learned. Hence the second conflict rule.
PREPARE = (
    f"CREATE TEMP VIEW IF NOT EXISTS batch AS SELECT {', '.join(f'NULL AS {name}' for name in _BATCH)}",
    f"""
    CREATE TEMP TRIGGER IF NOT EXISTS batch_written INSTEAD OF INSERT ON batch BEGIN
        INSERT INTO run ({", ".join(_COLUMNS)}) VALUES ({", ".join(f"NEW.{name}" for name in _COLUMNS)})
            ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _STANDING)};
        INSERT INTO chunk (run, first, events)
            SELECT number, NEW.first, NEW.events FROM run WHERE id = NEW.id AND NEW.events IS NOT NULL
            ON CONFLICT (run, first) DO UPDATE SET events = excluded.events;
    END
    """,
)
"""The statements that make the view `batch` in a connection."""

_ROW = f"({', '.join('?' * len(_BATCH))})"


def write(rows: Sequence[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    """Return the one statement that writes these rows, and its parameters."""
    statement = f"INSERT INTO batch VALUES {', '.join([_ROW] * len(rows))}"
    return statement, [field for row in rows for field in row]


def header_fields(header: RunHeader) -> tuple[Any, ...]:
    """Return the part of a run's row that stays as it is."""
    texts = (header.id, header.name, header.flow)
    seed = None if header.seed is None else str(header.seed)  # SQLite's integers end at 64 bits
    return (
        *map(readable, texts),
        header.started,
        header.parent,
        None if header.scenario is None else readable(header.scenario),
        seed,
        to_text(dict(header.parameters)),
        SCHEMA_VERSION,
        None if header.variant is None else readable(header.variant),
        header.world,
    )


def batch_row(
    header: tuple[Any, ...], summary: RunSummary, first: int, events: Sequence[Any]
) -> tuple[Any, ...]:
    """Return the row that writes a run's summary and its next events.

    Args:
        header: what `header_fields` gave.
        summary: where the run stands.
        first: the position of the first of the events in the run.
        events: tuples in the shape of `Event`; none writes the summary alone.
    """
    home = None if summary.home is None else readable(summary.home)
    return (
        *header,
        summary.state,
        summary.ended,
        summary.tasks,
        summary.attempts,
        summary.faults,
        home,
        first,
        encode_events(events) if events else None,
    )


KEEP = f"""
INSERT INTO run ({", ".join(_COLUMNS)}) VALUES ({", ".join("?" * len(_COLUMNS))})
ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])}
"""
"""Writes a whole summary: a rehearsal in the simulated world has the id that it had the last time."""


def keep_fields(summary: RunSummary) -> tuple[Any, ...]:
    """Return the parameters of `KEEP`."""
    return batch_row(header_fields(summary.header), summary, 0, ())[: len(_COLUMNS)]


_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM run"
_NEWEST_FIRST = "ORDER BY started DESC, id DESC"

LIST = f"{_SELECT} WHERE parent IS NULL {_NEWEST_FIRST} LIMIT ?"
LIST_OF_FLOW = f"{_SELECT} WHERE parent IS NULL AND flow = ? {_NEWEST_FIRST} LIMIT ?"

# Exact matches come first; two rows tell whether the beginning of an id leads to one run or to several.
FIND = f"""
SELECT {", ".join(_COLUMNS)}, 2 * (id = :id) + (name = :id) AS fit FROM run
WHERE id = :id OR name = :id OR (id >= :id AND id < :end)
ORDER BY fit DESC, started DESC, id DESC LIMIT 2
"""

EVENTS = "SELECT events FROM chunk WHERE run = (SELECT number FROM run WHERE id = ?) ORDER BY first"


RESUME = "UPDATE run SET state = 'Running' WHERE id = ? AND state = 'Paused' RETURNING number"
"""Takes a paused run for whoever resumes it: of several at a time one gets a row."""


def find_fields(reference: str) -> dict[str, str]:
    """Return the parameters of `FIND`."""
    return {"id": readable(reference), "end": readable(reference) + "\U0010ffff"}


def found(rows: Sequence[Sequence[Any]]) -> RunSummary | None:
    """Return the run that `FIND` means by its rows: an exact match, or the only beginning."""
    if not rows or (len(rows) > 1 and not rows[0][-1]):
        return None
    return summary_from(rows[0])


def summary_from(row: Sequence[Any]) -> RunSummary:
    """Return the summary that a row of `run` holds."""
    run_id, name, flow, started, parent, scenario, seed, parameters, _, variant, world = row[: len(_HEADER)]
    header = RunHeader(
        id=run_id,
        name=name,
        flow=flow,
        started=started,
        parent=parent,
        scenario=scenario,
        seed=None if seed is None else int(seed),
        parameters=json.loads(parameters),
        variant=variant,
        world=world,
    )
    state, ended, tasks, attempts, faults, home = row[len(_HEADER) : len(_COLUMNS)]
    return RunSummary(header, state, ended, tasks, attempts, faults, home)
