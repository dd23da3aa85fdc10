from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from asyncflow.store import SQLiteStore

from .runs import a_kept_run

_CHILD = """
import asyncio, sys
from asyncflow.events import RunHeader
from asyncflow.store import SQLiteStore

async def main():
    store = SQLiteStore(sys.argv[1])
    await store.open()
    journal = store.journal(RunHeader("run", "quiet-heron", "etl", 1000.0))
    number = 0
    while True:
        for _ in range(7):
            number += 1
            journal.append((number / 8, "task_called", number, 0, {"name": "load"}))
        await journal.commit()
        print(number, flush=True)

asyncio.run(main())
"""


def _killed_between_commits(path: Path) -> int:
    """Kill a process that commits seven events at a time; return how many it was told were kept."""
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _CHILD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    told = 0
    while told < 7 * 40:
        told = int(child.stdout.readline())
    child.kill()
    said = child.communicate(timeout=30)[0].split()
    return max([told, *(int(word) for word in said if word.isdigit())])


@pytest.mark.process
async def test_what_was_committed_survives_the_death_of_the_process(path: Path) -> None:
    told = _killed_between_commits(path)
    plain = sqlite3.connect(path)
    assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    kept = [json.loads(row[0]) for row in plain.execute("SELECT events FROM chunk ORDER BY first")]
    plain.close()
    tasks = [event[2] for events in kept for event in events]
    assert tasks == list(range(1, len(tasks) + 1))
    assert len(tasks) >= told
    assert len(tasks) % 7 == 0  # a transaction is there as a whole or not at all

    store = SQLiteStore(path)
    await store.open()
    assert len(await store.events("run")) == len(tasks)
    await a_kept_run(store, run_id="later", started=2000.0)
    assert [run.header.id for run in await store.runs()] == ["later", "run"]
    await store.close()
