"""What can be wrong with a file: each time one sentence that names it, and nothing lost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asyncflow.errors import StoreError
from asyncflow.events import RunSummary
from asyncflow.sim.clock import Clock
from asyncflow.store import MemoryStore, SQLiteStore, open_or_memory, schema
from asyncflow.store.database import Database
from asyncflow.store.schema import APPLICATION_ID

from .runs import a_kept_run, append_all, as_read, begins, events_of_a_run, header

_WRITE_VERSION = 18
"""The byte of a SQLite file that makes it read-only, for any user, when it is above 2."""


async def _a_store_of_ours(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    await a_kept_run(store)
    await store.close()


def _execute(path: Path, script: str) -> None:
    plain = sqlite3.connect(path)
    plain.executescript(script)
    plain.close()


def _patch(path: Path, at: int, put: bytes) -> None:
    held = bytearray(path.read_bytes())
    held[at : at + len(put)] = put
    path.write_bytes(held)


def _garbage(path: Path) -> None:
    path.write_bytes(b"Dear diary, today I was not a database. " * 100)


def _damaged(path: Path) -> None:
    asyncio.run(_a_store_of_ours(path))
    _patch(path, 100, b"\xff" * 900)  # the first page's tree, which holds the schema


def _newer(path: Path) -> None:
    asyncio.run(_a_store_of_ours(path))
    _execute(path, "PRAGMA user_version = 99")


def _somebody_elses(path: Path) -> None:
    _execute(path, "PRAGMA application_id = 1234; PRAGMA user_version = 7; CREATE TABLE photo (a)")


def _with_a_version_that_is_not_ours(path: Path) -> None:
    _execute(path, "PRAGMA user_version = 7; CREATE TABLE photo (a)")


def _with_a_table_in_our_way(path: Path) -> None:
    _execute(path, "CREATE TABLE run (a)")


def _read_only(path: Path) -> None:
    asyncio.run(_a_store_of_ours(path))
    _patch(path, _WRITE_VERSION, b"\x03")


def _a_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_garbage, "it is not a SQLite database. It was left as it is"),
        (_damaged, "it is damaged. It was left as it is; move it away"),
        (_newer, f"wrote it (schema 99, and this one knows {len(schema.MIGRATIONS)}). Upgrade asyncflow"),
        (_somebody_elses, "it is a database of another program (application_id 1234, user_version 7)"),
        (_with_a_version_that_is_not_ours, "it is a database of another program (application_id 0,"),
        (_with_a_table_in_our_way, "table run already exists"),
        (_read_only, "it is read-only. Make the file and its folder writable"),
        (_a_folder, "the file or its folder is missing or not accessible"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence_and_left_as_it_is(
    path: Path, make: Callable[[Path], None], reason: str
) -> None:
    make(path)
    held = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError) as refused:
        asyncio.run(SQLiteStore(path, wait=0.05).open())
    said = str(refused.value)
    assert said.startswith(f"the store {path} can't be opened: ")
    assert reason in said
    assert "name another store with store= or ASYNCFLOW_STORE" in said
    assert "\n" not in said
    assert (path.read_bytes() if path.is_file() else b"") == held


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    path = tmp_path / "file" / "below" / "asyncflow.db"
    with pytest.raises(StoreError, match=r"can't be opened: .*below.*\. Mend that, or name another store"):
        asyncio.run(SQLiteStore(path).open())


def test_a_folder_that_is_read_only_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path.parent))

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(
        StoreError, match=r"can't be opened: .*Permission denied.* Mend that, or name another"
    ):
        asyncio.run(SQLiteStore(path).open())


@pytest.mark.parametrize(
    "prepare",
    ["", "CREATE TABLE complaint (a); INSERT INTO complaint VALUES (1);"],
    ids=["empty", "with tables of the user"],
)
async def test_an_unmarked_database_is_taken_into_use_beside_what_it_holds(path: Path, prepare: str) -> None:
    _execute(path, f"VACUUM; {prepare}")
    await _a_store_of_ours(path)
    plain = sqlite3.connect(path)
    assert plain.execute("SELECT count(*) FROM run").fetchone() == (1,)
    assert plain.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    if prepare:
        assert plain.execute("SELECT a FROM complaint").fetchall() == [(1,)]
    plain.close()


@contextmanager
def _held_by_another(path: Path, how: str = "IMMEDIATE") -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(f"BEGIN {how}")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_a_new_file_that_another_process_holds_is_refused_after_a_bounded_wait(path: Path) -> None:
    loop = asyncio.get_running_loop()
    with _held_by_another(path, "EXCLUSIVE"):
        started = loop.time()
        with pytest.raises(StoreError, match="another process has held it for too long"):
            await SQLiteStore(path, wait=0.05).open()
        assert 0.05 <= loop.time() - started < 2
    await _a_store_of_ours(path)


@pytest.mark.parametrize(("times", "opens"), [(1, True), (1000, False)])
async def test_opening_tries_again_for_a_while_where_sqlite_itself_does_not_wait(
    path: Path, monkeypatch: pytest.MonkeyPatch, virtual_clock: Clock, *, times: int, opens: bool
) -> None:
    fetch = Database.fetch
    left = times

    async def busy(self: Database, statement: str, fields: Iterable[object] = ()) -> list[object]:
        nonlocal left
        if "journal_mode" in statement and left:
            left -= 1
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorname = "SQLITE_BUSY"
            raise error
        return await fetch(self, statement, fields)

    monkeypatch.setattr(Database, "fetch", busy)
    store = SQLiteStore(path, wait=5.0)
    if opens:
        await store.open()
        await store.close()
    else:
        with pytest.raises(StoreError, match="another process has held it for too long"):
            await store.open()
        assert 5 <= virtual_clock.now < 5.1
        assert 10 < times - left < 1000


async def test_a_store_that_another_process_writes_to_can_be_opened_and_read(path: Path) -> None:
    await _a_store_of_ours(path)
    store = SQLiteStore(path, wait=0.05)
    with _held_by_another(path):
        await store.open()
        assert len(await store.runs()) == 1
    await store.close()


async def test_a_commit_waits_for_another_process_up_to_a_bound_and_loses_nothing(
    file_store: SQLiteStore, path: Path
) -> None:
    journal = file_store.journal(header())
    append_all(journal, events_of_a_run())
    with _held_by_another(path):
        with pytest.raises(StoreError) as refused:
            await journal.commit()
        assert str(refused.value).startswith(
            f"the store {path} can't be written: another process has held it for too long. Try again"
        )
        with pytest.raises(StoreError):
            await journal.commit()
    await journal.commit()
    assert await file_store.events(header().id) == as_read(events_of_a_run())


async def test_a_commit_goes_through_when_the_other_process_lets_go_in_time(path: Path) -> None:
    store = SQLiteStore(path, wait=5.0)
    await store.open()
    journal = store.journal(header())
    writing = await begins(store)
    with _held_by_another(path):
        committing = asyncio.ensure_future(journal.commit())
        await writing()
        assert not committing.done()
    await committing
    await store.close()


async def _fill(store: SQLiteStore) -> None:
    """Let the file grow by no page from now on."""
    database = store._database
    assert database is not None
    ((pages,),) = await database.fetch("PRAGMA page_count")
    await database.fetch(f"PRAGMA max_page_count = {pages}")


async def _make_room(store: SQLiteStore) -> None:
    assert store._database is not None
    await store._database.fetch("PRAGMA max_page_count = 1000000")


async def test_a_full_disk_is_told_and_everything_is_written_once_there_is_room(
    file_store: SQLiteStore, path: Path
) -> None:
    await a_kept_run(file_store, run_id="before")
    await _fill(file_store)
    journal = file_store.journal(header())
    append_all(journal, events_of_a_run(1000))
    with pytest.raises(StoreError, match=r"can't be written: the disk is full. Free some space, or name"):
        await journal.commit()
    assert len(await file_store.events("before")) == len(events_of_a_run())  # reading goes on
    assert [run.header.id for run in await file_store.runs()] == ["before"]
    await _make_room(file_store)
    await journal.commit()
    assert await file_store.events(header().id) == as_read(events_of_a_run(1000))


async def test_a_failure_without_a_commit_costs_nothing_either(file_store: SQLiteStore) -> None:
    await _fill(file_store)
    journal = file_store.journal(header())
    append_all(journal, events_of_a_run(1000))
    assert await file_store.runs() == []  # reading writes first, and can't
    await file_store.close()
    await file_store.open()
    assert await file_store.events(header().id) == as_read(events_of_a_run(1000))


async def test_a_write_that_took_effect_but_was_not_confirmed_is_repeated_without_doubling(
    file_store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = file_store._database
    assert database is not None
    fetch = database.fetch

    async def confirming_nothing(statement: str, fields: Iterable[object] = ()) -> list[object]:
        await fetch(statement, fields)
        raise sqlite3.OperationalError("disk I/O error")

    journal = file_store.journal(header())
    happened = events_of_a_run(3)
    append_all(journal, happened[:4])
    with monkeypatch.context() as patched:
        patched.setattr(database, "fetch", confirming_nothing)
        with pytest.raises(StoreError, match="disk I/O error"):
            await journal.commit()
    append_all(journal, happened[4:])
    await journal.commit()
    assert await file_store.events(header().id) == as_read(happened)
    (run,) = await file_store.runs()
    assert (run.state, run.tasks) == ("Failed", 3)


async def test_a_disk_that_gives_no_answer_is_told_after_a_bounded_wait(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SQLiteStore(path, wait=1.0)
    await store.open()
    try:
        journal = store.journal(header())
        append_all(journal, events_of_a_run())
        with _held_by_another(path), monkeypatch.context() as patched:
            # Only here: a busy machine needs longer for what does end.
            patched.setattr("asyncflow.store.database._PATIENCE", -0.98)
            with pytest.raises(StoreError, match=r"the disk gave no answer for 0\.02 s"):
                await journal.commit()
        await journal.commit()
        assert await store.events(header().id) == as_read(events_of_a_run())
    finally:
        await store.close()  # else its thread keeps the tests from ending


async def test_a_summary_that_cannot_be_kept_is_told(file_store: SQLiteStore, path: Path) -> None:
    with _held_by_another(path), pytest.raises(StoreError, match="can't be written: another process"):
        await file_store.keep(RunSummary(header(), "Success", home="there"))


async def test_damage_that_is_met_while_reading_is_told(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    await a_kept_run(store, tasks=3000)
    await store.close()
    _patch(path, 4096 * 8, b"\xff" * 4096 * 20)
    await store.open()
    with pytest.raises(StoreError, match=r"can't be read: it is damaged. It was left as it is"):
        await store.events(header().id)
    await store.close()


async def test_a_run_goes_on_in_memory_with_a_warning_when_the_store_cannot_be_opened(path: Path) -> None:
    _garbage(path)
    store, warning = await open_or_memory(SQLiteStore(path))
    assert isinstance(store, MemoryStore)
    assert warning is not None
    assert warning.startswith(f"the store {path} can't be opened: it is not a SQLite database")
    assert "goes on in memory" in warning
    assert "\n" not in warning
    await a_kept_run(store)


async def test_a_store_that_can_be_opened_is_given_back_open_without_a_warning(path: Path) -> None:
    given = SQLiteStore(path)
    store, warning = await open_or_memory(given)
    assert store is given
    assert warning is None
    await a_kept_run(store)
    await store.close()
