"""Runs to keep, made by hand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from asyncflow.events import Event, RunHeader
from asyncflow.ports import Journal, Store
from asyncflow.states import Failed, Running, State, Success
from asyncflow.store import SQLiteStore


def header(run_id: str = "0fa1", **known: Any) -> RunHeader:
    return RunHeader(**{"id": run_id, "name": "quiet-heron", "flow": "etl", "started": 1000.25} | known)


def events_of_a_run(tasks: int = 2, *, flow_state: State | None = None) -> list[tuple[Any, ...]]:
    """Return the events of a run whose tasks succeed at once."""
    happened: list[tuple[Any, ...]] = [
        (0.0, "run_started", 0, 0, {"flow": "etl", "name": "quiet-heron"}),
        (0.001, "state_changed", 0, 0, Running()),
    ]
    for number in range(1, tasks + 1):
        called = {"name": "load", "key": f"load-{number}", "upstream": [number - 1] if number > 1 else []}
        happened += [
            (0.125 * number, "task_called", number, 0, called),
            (0.125 * number + 0.01, "state_changed", number, 1, Running()),
            (0.125 * number + 0.02, "state_changed", number, 1, Success()),
        ]
    happened += [
        (9.5, "state_changed", 0, 0, flow_state or Failed(result=ValueError("unexpected null"))),
        (9.75, "run_ended", 0, 0, {"tasks": tasks, "attempts": tasks + 1, "faults": 1}),
    ]
    return happened


def as_read(happened: list[tuple[Any, ...]]) -> list[Event]:
    """Return what a store gives back for these events."""
    return [
        Event(*rest, detail.to_json() if isinstance(detail, State) else detail) for *rest, detail in happened
    ]


async def a_kept_run(store: Store, tasks: int = 2, **known: Any) -> RunHeader:
    """Append a whole run to the store and commit it."""
    started = header(**known)
    journal = store.journal(started)
    append_all(journal, events_of_a_run(tasks))
    await journal.commit()
    return started


def append_all(journal: Journal, happened: list[tuple[Any, ...]]) -> None:
    append = journal.append
    for event in happened:
        append(event)


async def begins(store: SQLiteStore) -> Callable[[], Awaitable[None]]:
    """Return what to await for the moment at which the store's thread begins its next statement."""
    begun = threading.Event()
    assert store._database is not None
    await store._database._connection.set_trace_callback(lambda _: begun.set())

    async def wait() -> None:
        assert await asyncio.to_thread(begun.wait, 30)

    return wait


def litter(path: Path) -> list[str]:
    """Return the names of all files beside `path` that belong to it."""
    return sorted(file.name for file in path.parent.glob(f"{path.name}*"))
