from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from asyncflow.store import SQLiteStore, schema

from .runs import a_kept_run, as_read, events_of_a_run


def _version(path: Path) -> int:
    plain = sqlite3.connect(path)
    (version,) = plain.execute("PRAGMA user_version").fetchone()
    plain.close()
    return int(version)


async def test_a_new_file_gets_the_present_schema_and_our_mark(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    await store.close()
    plain = sqlite3.connect(path)
    names = plain.execute(
        "SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL ORDER BY 1, 2"
    ).fetchall()
    assert plain.execute("PRAGMA application_id").fetchone() == (0x6173796E,)
    assert plain.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)
    assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    plain.close()
    assert names == [
        ("index", "cache_gone"),
        ("index", "run_name"),
        ("index", "run_newest"),
        ("table", "cache"),
        ("table", "chunk"),
        ("table", "run"),
        ("trigger", "cache_kept"),
        ("view", "event"),
    ]


async def test_the_first_version_stays_as_it_was_published() -> None:
    plain = sqlite3.connect(":memory:")
    for statement in schema.MIGRATIONS[0]:
        plain.execute(statement)
    columns = {
        table: [row[0] for row in plain.execute(f"SELECT name FROM pragma_table_info('{table}')")]
        for table in ("run", "chunk", "event")
    }
    plain.close()
    assert columns == {
        "run": [
            *(
                "number",
                "id",
                "name",
                "flow",
                "started",
                "parent",
                "scenario",
                "seed",
                "parameters",
                "version",
            ),
            *("state", "ended", "tasks", "attempts", "faults", "home"),
        ],
        "chunk": ["run", "first", "events"],
        "event": ["run", "seq", "at", "offset", "kind", "task", "attempt", "state", "detail"],
    }


async def test_an_older_file_is_brought_up_and_keeps_its_runs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SQLiteStore(path)
    await store.open()
    await a_kept_run(store, run_id="old")
    await store.close()
    later = ("CREATE TABLE later (key TEXT PRIMARY KEY)", "INSERT INTO later VALUES ('a')")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, later))
    await store.open()
    await a_kept_run(store, run_id="new")
    assert await store.events("old") == as_read(events_of_a_run())
    await store.close()
    await store.open()
    await store.close()
    assert _version(path) == len(schema.MIGRATIONS)
    plain = sqlite3.connect(path)
    assert plain.execute("SELECT key FROM later").fetchall() == [("a",)]
    plain.close()


async def test_a_migration_that_fails_leaves_the_file_at_its_version(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SQLiteStore(path)
    await store.open()
    await a_kept_run(store)
    await store.close()
    later = ("CREATE TABLE later (key TEXT PRIMARY KEY)", "CREATE TABLE run (a)")
    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, later))
        with pytest.raises(Exception, match="table run already exists"):
            await store.open()
    assert _version(path) == len(schema.MIGRATIONS)
    plain = sqlite3.connect(path)
    assert plain.execute("SELECT name FROM sqlite_master WHERE name = 'later'").fetchall() == []
    plain.close()
    await store.open()
    assert len(await store.runs()) == 1
    await store.close()


async def test_the_list_of_runs_needs_no_sorting(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open()
    await store.close()
    plain = sqlite3.connect(path)
    plan = plain.execute(
        "EXPLAIN QUERY PLAN SELECT * FROM run WHERE parent IS NULL ORDER BY started DESC, id DESC LIMIT 50"
    ).fetchall()
    plain.close()
    assert [row[-1] for row in plan] == ["SCAN run USING INDEX run_newest"]
