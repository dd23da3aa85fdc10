from __future__ import annotations

import asyncio
import gc
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from asyncflow.errors import StoreError, UsageError
from asyncflow.events import RunSummary
from asyncflow.store import SQLiteStore
from asyncflow.store.database import Database

from .runs import a_kept_run, append_all, as_read, begins, events_of_a_run, header, litter


def _new(before: list[threading.Thread]) -> list[threading.Thread]:
    """Return the threads that came after those and would keep the process alive."""
    return [thread for thread in threading.enumerate() if not thread.daemon and thread not in before]


def _all_end(before: list[threading.Thread]) -> bool:
    """Whether no thread that came after those stays: one that was told to stop needs a moment to do it."""
    for thread in _new(before):
        thread.join(timeout=2)
    return not _new(before)


def test_making_a_store_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "asyncflow.db"
    store = SQLiteStore(path)
    store.journal(header()).append((0.0, "run_started", 0, 0, {}))
    assert store.label == str(path)
    assert list(tmp_path.iterdir()) == []
    assert repr(store) == f"<SQLiteStore {path}, closed>"


async def test_opening_makes_the_folder_and_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "asyncflow.db"
    store = SQLiteStore(path)
    await store.open()
    assert path.is_file()
    await store.close()
    assert [file.name for file in path.parent.iterdir()] == ["asyncflow.db"]


async def test_a_new_project_folder_is_kept_out_of_version_control(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / ".asyncflow" / "asyncflow.db")
    await store.open()
    await store.close()
    assert (tmp_path / ".asyncflow" / ".gitignore").read_text(encoding="utf-8") == "*\n"


async def test_a_folder_that_was_there_gets_nothing_but_the_file(tmp_path: Path) -> None:
    (tmp_path / ".asyncflow").mkdir()
    store = SQLiteStore(tmp_path / ".asyncflow" / "asyncflow.db")
    await store.open()
    await store.close()
    assert [file.name for file in (tmp_path / ".asyncflow").iterdir()] == ["asyncflow.db"]


def test_a_path_in_memory_is_refused_with_the_class_to_use() -> None:
    with pytest.raises(UsageError, match=r"use MemoryStore\(\)"):
        SQLiteStore(":memory:")


async def test_a_relative_path_stays_where_it_was_when_the_working_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = SQLiteStore("asyncflow.db")
    monkeypatch.chdir(tmp_path / "elsewhere")
    await store.open()
    await store.close()
    assert (tmp_path / "asyncflow.db").is_file()


async def test_a_commit_is_visible_to_any_other_connection(file_store: SQLiteStore, path: Path) -> None:
    journal = file_store.journal(header())
    append_all(journal, events_of_a_run(1)[:3])
    await journal.commit()
    with sqlite3.connect(path) as plain:
        rows = plain.execute("SELECT id, name, flow, started, state, tasks FROM run").fetchall()
        chunks = plain.execute("SELECT first, json_array_length(events) FROM chunk").fetchall()
    plain.close()
    assert rows == [("0fa1", "quiet-heron", "etl", 1000.25, "Running", 0)]
    assert chunks == [(0, 3)]


async def test_the_view_shows_people_one_row_per_event(file_store: SQLiteStore, path: Path) -> None:
    journal = file_store.journal(header())
    happened = events_of_a_run(1)
    append_all(journal, happened[:2])
    await journal.commit()
    append_all(journal, happened[2:])
    await journal.commit()
    plain = sqlite3.connect(path)
    rows = plain.execute("SELECT run, seq, at, offset, kind, task, attempt, state FROM event").fetchall()
    details = plain.execute("SELECT detail FROM event WHERE kind = 'run_ended'").fetchall()
    plain.close()
    assert rows[:3] == [
        ("0fa1", 0, 1000.25, 0.0, "run_started", 0, 0, None),
        ("0fa1", 1, 1000.251, 0.001, "state_changed", 0, 0, "Running"),
        ("0fa1", 2, 1000.375, 0.125, "task_called", 1, 0, None),
    ]
    assert [row[1] for row in rows] == list(range(len(happened)))
    assert json.loads(details[0][0]) == {"tasks": 1, "attempts": 2, "faults": 1}


async def test_closing_leaves_one_file_and_no_thread(path: Path) -> None:
    before = threading.enumerate()
    store = SQLiteStore(path)
    await store.open()
    assert len(_new(before)) == 1
    journal = store.journal(header())
    append_all(journal, events_of_a_run())
    await store.close()  # without a commit
    assert _all_end(before)
    assert litter(path) == ["asyncflow.db"]
    await store.open()
    assert await store.events(header().id) == as_read(events_of_a_run())
    await store.close()


async def test_abandoning_stops_the_thread_and_keeps_what_was_committed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncflow.store.writer.LINGER", 0.0)
    before = threading.enumerate()
    store = SQLiteStore(path)
    await store.open()
    journal = store.journal(header())
    journal.append(events_of_a_run()[0])
    await journal.commit()
    append_all(journal, events_of_a_run()[1:])
    store.abandon()
    store.abandon()
    for _ in range(3):
        await asyncio.sleep(0)  # were the timer still armed, it would strike now
    assert _all_end(before)
    with pytest.raises(StoreError, match="not open"):
        await journal.commit()
    await store.open()
    await journal.commit()
    assert await store.events(header().id) == as_read(events_of_a_run())
    await store.close()


def test_abandoning_works_where_the_event_loop_is_gone(path: Path) -> None:
    before = threading.enumerate()
    store = SQLiteStore(path)

    async def torn_down() -> None:
        await store.open()
        journal = store.journal(header())
        append_all(journal, events_of_a_run())
        await journal.commit()

    asyncio.run(torn_down())
    assert len(_new(before)) == 1
    store.abandon()
    assert _all_end(before)


@pytest.mark.filterwarnings("ignore:.*was deleted before being closed:ResourceWarning")
def test_abandoning_stops_a_thread_that_is_still_connecting_and_whose_event_loop_stands_still(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = threading.enumerate()
    connect, may_go_on = sqlite3.connect, threading.Event()

    def connect_late(*arguments: Any, **settings: Any) -> sqlite3.Connection:
        may_go_on.wait(10)
        return connect(*arguments, **settings)

    monkeypatch.setattr(sqlite3, "connect", connect_late)
    loop = asyncio.new_event_loop()
    store = SQLiteStore(path)
    opening = loop.create_task(store.open())
    for _ in range(5):
        loop.run_until_complete(asyncio.sleep(0))
    assert len(_new(before)) == 1
    store.abandon()
    may_go_on.set()
    assert _all_end(before)
    opening.cancel()
    loop.run_until_complete(asyncio.wait([opening]))
    loop.close()
    del store, opening
    gc.collect()


async def test_abandoning_at_the_very_end_of_the_interpreter_starts_no_thread(
    file_store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    with monkeypatch.context() as patched:
        patched.setattr(sys, "is_finalizing", lambda: True)
        patched.setattr(threading.Thread, "start", started.append)
        assert file_store._database is not None
        file_store._database.abandon()
    assert started == []


def test_abandoning_before_there_is_a_thread_is_harmless(path: Path) -> None:
    Database(path, wait=1.0).abandon()
    assert litter(path) == []


async def test_a_commit_that_is_under_way_when_the_store_is_abandoned_is_told(
    file_store: SQLiteStore,
) -> None:
    journal = file_store.journal(header())
    append_all(journal, events_of_a_run())
    committing = asyncio.ensure_future(journal.commit())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    file_store.abandon()
    with pytest.raises(StoreError, match="closed before everything was written"):
        await committing
    await file_store.open()
    assert await file_store.events(header().id) == as_read(events_of_a_run())


@pytest.mark.parametrize("turns", range(1, 6))
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_closing_stops_the_thread_however_often_it_is_cancelled(
    path: Path, turns: int, times: int
) -> None:
    before = threading.enumerate()
    store = SQLiteStore(path)
    await store.open()
    append_all(store.journal(header()), events_of_a_run())
    closing = asyncio.ensure_future(store.close())
    for _ in range(times):
        for _ in range(turns):
            await asyncio.sleep(0.0001)  # for real, if hardly: what is met is a thread, somewhere in its work
        closing.cancel()
    await asyncio.wait([closing])
    assert _all_end(before)
    await store.open()
    assert await store.events(header().id) in ([], as_read(events_of_a_run()))
    await store.close()


async def _abandon(store: SQLiteStore) -> None:
    store.abandon()


async def _cancel_closing(store: SQLiteStore) -> None:
    closing = asyncio.ensure_future(store.close())
    while not closing.done():
        await asyncio.sleep(0)
        closing.cancel()


@pytest.mark.parametrize("tear_down", [_abandon, _cancel_closing])
def test_a_write_that_outlives_its_event_loop_is_waited_for_and_leaves_no_traceback(
    path: Path, monkeypatch: pytest.MonkeyPatch, tear_down: Callable[[SQLiteStore], Awaitable[None]]
) -> None:
    before = threading.enumerate()
    said: list[object] = []
    monkeypatch.setattr(threading, "excepthook", said.append)
    store = SQLiteStore(path, wait=0.2)

    async def torn_down() -> None:
        await store.open()
        writing = await begins(store)
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        committing = asyncio.ensure_future(store.journal(header()).commit())
        await writing()
        await tear_down(store)
        committing.cancel()
        holder.close()

    asyncio.run(torn_down())
    assert _all_end(before)
    assert said == []


@pytest.mark.parametrize("pause", [0, 0.0003])
@pytest.mark.parametrize("turns", range(6))
async def test_opening_that_is_cancelled_leaves_nothing_and_can_be_done_again(
    path: Path, turns: int, pause: float
) -> None:
    before = threading.enumerate()
    store = SQLiteStore(path)
    opening = asyncio.ensure_future(store.open())
    for _ in range(turns):
        await asyncio.sleep(pause)  # as above
    opening.cancel()
    await asyncio.wait([opening])
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("asyncflow")] == []
    await store.open()
    await a_kept_run(store)
    await store.close()
    assert _all_end(before)


def test_a_store_works_in_one_event_loop_after_another(path: Path) -> None:
    store = SQLiteStore(path)

    async def one_run(run_id: str) -> int:
        await store.open()
        await a_kept_run(store, run_id=run_id)
        found = len(await store.runs())
        await store.close()
        return found

    assert [asyncio.run(one_run("a")), asyncio.run(one_run("b"))] == [1, 2]


def test_a_store_that_was_never_closed_works_in_the_next_event_loop(path: Path) -> None:
    store = SQLiteStore(path)
    before = threading.enumerate()

    async def one_run(run_id: str, *, close: bool) -> int:
        await store.open()
        await a_kept_run(store, run_id=run_id)
        found = len(await store.runs())
        if close:
            await store.close()
        return found

    assert asyncio.run(one_run("a", close=False)) == 1
    assert asyncio.run(one_run("b", close=False)) == 2
    assert asyncio.run(one_run("c", close=True)) == 3
    assert _all_end(before)


def test_a_store_that_is_closed_in_another_event_loop_lets_go(path: Path) -> None:
    store = SQLiteStore(path)
    before = threading.enumerate()
    asyncio.run(store.open())
    asyncio.run(store.close())
    assert _all_end(before)


def test_events_that_one_event_loop_left_are_written_in_the_next(path: Path) -> None:
    store = SQLiteStore(path)

    async def leave() -> None:
        await store.open()
        append_all(store.journal(header()), events_of_a_run())

    async def find() -> int:
        await store.open()
        found = len(await store.events(header().id))
        await store.close()
        return found

    asyncio.run(leave())
    assert asyncio.run(find()) == len(events_of_a_run())


async def test_two_event_loops_at_once_are_refused(file_store: SQLiteStore) -> None:
    def other_loop() -> None:
        asyncio.run(file_store.open())

    with pytest.raises(StoreError, match="another event loop"):
        await asyncio.to_thread(other_loop)


async def test_opening_twice_at_once_makes_one_connection(path: Path) -> None:
    before = threading.enumerate()
    store = SQLiteStore(path)
    async with asyncio.TaskGroup() as group:
        group.create_task(store.open())
        group.create_task(store.open())
    assert len(_new(before)) == 1
    await store.close()
    assert _all_end(before)


async def test_events_of_a_run_that_began_before_opening_are_written(path: Path) -> None:
    store = SQLiteStore(path)
    journal = store.journal(header())
    append_all(journal, events_of_a_run())
    await store.open()
    await journal.commit()
    assert await store.events(header().id) == as_read(events_of_a_run())
    await store.close()


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.runs(),
        lambda store: store.find("0fa1"),
        lambda store: store.events("0fa1"),
        lambda store: store.keep(RunSummary(header(), "Success")),
        lambda store: store.journal(header()).commit(),
    ],
    ids=["runs", "find", "events", "keep", "commit"],
)
async def test_asking_a_closed_store_says_how_to_open_it(
    path: Path, ask: Callable[[SQLiteStore], Awaitable[object]]
) -> None:
    with pytest.raises(StoreError, match=r"not open; `await store.open\(\)` comes first"):
        await ask(SQLiteStore(path))


async def test_two_stores_on_one_file_see_each_others_runs(path: Path) -> None:
    first, second = SQLiteStore(path), SQLiteStore(path)
    async with asyncio.TaskGroup() as group:  # both find a new file
        group.create_task(first.open())
        group.create_task(second.open())
    async with asyncio.TaskGroup() as group:
        for number in range(30):
            owner = (first, second)[number % 2]
            group.create_task(a_kept_run(owner, run_id=f"run{number:02}", tasks=20))
    assert len(await first.runs()) == len(await second.runs()) == 30
    assert await first.events("run01") == as_read(events_of_a_run(20))
    await first.close()
    await second.close()


_CHILD = """
import asyncio, sys
sys.path.insert(0, sys.argv[3])
from store.runs import a_kept_run
from asyncflow.store import SQLiteStore

async def main():
    store = SQLiteStore(sys.argv[1])
    await store.open()
    for number in range(20):
        await a_kept_run(store, run_id=f"{sys.argv[2]}{number:02}", tasks=30)
    await store.close()

asyncio.run(main())
"""


@pytest.mark.process
def test_two_processes_write_to_one_new_file_at_the_same_time(path: Path) -> None:
    tests = str(Path(__file__).parents[1])
    children = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _CHILD, str(path), name, tests],
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    said = [child.communicate(timeout=60)[1] for child in children]
    assert said == ["", ""]
    assert [child.returncode for child in children] == [0, 0]
    plain = sqlite3.connect(path)
    assert plain.execute("SELECT count(*), count(DISTINCT id) FROM run").fetchone() == (40, 40)
    assert plain.execute("SELECT count(*) FROM event").fetchone() == (40 * len(events_of_a_run(30)),)
    plain.close()
