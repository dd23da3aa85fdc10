from __future__ import annotations

import asyncio
import queue
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiosqlite
import aiosqlite.core
import pytest

from asyncflow.errors import Crashed, NotInThisVersion
from asyncflow.sim import Simulation
from asyncflow.sim.disk import LATENCY
from asyncflow.sim.sqlite.operations import Operation, database_name


def _stored(simulation: Simulation) -> list[str]:
    """Return what the disk put into the trace, without the times."""
    lines = (line.split(" ", 2) for line in simulation.trace.lines)
    return [rest for _, kind, rest in lines if kind == "store"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.db"


def test_each_operation_takes_its_time_and_one_comes_after_the_other() -> None:
    simulation = Simulation()
    seen: list[float] = []

    async def main() -> None:
        async with aiosqlite.connect(":memory:") as db:
            seen.append(simulation.clock.now)
            async with asyncio.TaskGroup() as group:
                for number in range(3):
                    group.create_task(ask(db, number))
        seen.append(simulation.clock.now)

    async def ask(db: aiosqlite.Connection, number: int) -> None:
        assert list(await db.execute_fetchall("SELECT ?", (number,))) == [(number,)]
        seen.append(simulation.clock.now)

    simulation.run(main())
    assert seen == pytest.approx([LATENCY * number for number in range(1, 6)])


def test_connections_do_not_wait_for_each_other() -> None:
    simulation = Simulation()

    async def main() -> None:
        async with aiosqlite.connect(":memory:") as one, aiosqlite.connect(":memory:") as other:
            begun = simulation.clock.now
            async with asyncio.TaskGroup() as group:
                group.create_task(one.commit())
                group.create_task(other.commit())
            assert simulation.clock.now == pytest.approx(begun + LATENCY)

    simulation.run(main())


def test_the_latency_may_be_changed_while_the_world_goes_on() -> None:
    simulation = Simulation()

    async def main() -> None:
        simulation.disk.latency = 10.0
        async with aiosqlite.connect(":memory:") as db:
            await db.commit()
            assert simulation.clock.now == 20.0
            simulation.disk.latency = 0.0
            await db.commit()
            assert simulation.clock.now == 20.0

    simulation.run(main())


async def _write(path: Path, name: str, times: int) -> None:
    async with aiosqlite.connect(path) as db:
        for number in range(times):
            await db.execute("INSERT INTO note (text, chance) VALUES (?, random())", (f"{name}{number}",))
            await asyncio.sleep(0.0003)
            await db.commit()


async def _three_writers(path: Path) -> list[Any]:
    async with aiosqlite.connect(path) as db:
        await db.execute("PRAGMA journal_mode = WAL")
        await db.execute("CREATE TABLE note (text, chance, at DEFAULT (julianday()))")
        async with asyncio.TaskGroup() as group:
            for name in "abc":
                group.create_task(_write(path, name, 5))
        return list(await db.execute_fetchall("SELECT * FROM note ORDER BY rowid"))


def test_one_seed_gives_one_trace_and_one_content_in_a_hundred_runs(tmp_path: Path) -> None:
    digests, contents = set(), set()
    for number in range(100):
        simulation = Simulation(seed=5)
        folder = tmp_path / str(number)
        folder.mkdir()
        contents.add(repr(simulation.run(_three_writers(folder / "notes.db"))))
        digests.add(simulation.trace.digest())
    assert len(digests) == len(contents) == 1
    assert contents != {repr(Simulation(seed=6).run(_three_writers(tmp_path / "other.db")))}


def test_three_connections_to_one_file_take_turns_and_lose_nothing(path: Path) -> None:
    rows = Simulation().run(_three_writers(path))
    assert sorted(text for text, _, _ in rows) == [f"{name}{number}" for name in "abc" for number in range(5)]
    assert [text for text, _, _ in rows] != sorted(text for text, _, _ in rows)


def test_the_trace_tells_each_operation_without_folders_and_values(path: Path) -> None:
    simulation = Simulation()

    async def main() -> None:
        async with aiosqlite.connect(path) as db:
            await db.execute("CREATE TABLE note (text UNIQUE)")
            await db.execute("INSERT INTO note VALUES ('secret')")
            await db.commit()
            async with db.execute("SELECT text FROM note") as cursor:
                await cursor.fetchone()
            with pytest.raises(sqlite3.IntegrityError):
                await db.execute("INSERT INTO note VALUES ('secret')")
            with pytest.raises(sqlite3.OperationalError):
                await db.execute("SELECT nothing")

    simulation.run(main())
    told = "\n".join(simulation.trace.lines)
    assert "secret" not in told
    assert str(path.parent) not in told
    assert [line.split()[1] for line in _stored(simulation)] == [
        *("open", "write", "write", "commit", "read", "read", "other", "write", "read", "close")
    ]
    assert "SQLITE_CONSTRAINT_UNIQUE" in _stored(simulation)[7]
    assert "SQLITE_ERROR" in _stored(simulation)[8]
    assert all(" notes.db 1 " in line for line in _stored(simulation))


def test_what_sqlite_answers_is_answered_as_ever(path: Path) -> None:
    async def main() -> None:
        db = await aiosqlite.connect(path, iter_chunk_size=2)
        db.row_factory = sqlite3.Row
        await db.executescript("CREATE TABLE note (text); INSERT INTO note VALUES ('first');")
        await db.executemany("INSERT INTO note VALUES (?)", [(f"n{number}",) for number in range(5)])
        inserted = await db.execute_insert("INSERT INTO note VALUES ('last')")
        assert inserted is not None
        assert inserted[0] == 7
        await db.rollback()
        await db.create_function("double", 1, lambda value: value * 2)
        async with db.execute("SELECT double(text) AS twice FROM note") as cursor:
            assert [row["twice"] async for row in cursor] == ["firstfirst"]
            assert cursor.description[0][0] == "twice"
        assert [line async for line in db.iterdump()][1:] == [
            "CREATE TABLE note (text);",
            "INSERT INTO \"note\" VALUES('first');",
            "COMMIT;",
        ]
        said: list[str] = []
        await db.set_trace_callback(said.append)
        await db.execute("SELECT 1")
        assert said == ["SELECT 1"]
        await db.interrupt()
        async with aiosqlite.connect(":memory:") as copy:
            await db.backup(copy)
            assert [tuple(row) async for row in await copy.execute("SELECT text FROM note")] == [("first",)]
        assert db.total_changes == 7
        await db.close()
        with pytest.raises(ValueError, match="no active connection"):
            await db.execute("SELECT 1")

    Simulation().run(main())


def test_rows_are_iterated_in_the_users_form_whatever_the_world_asks_in_between() -> None:
    async def main() -> None:
        async with aiosqlite.connect(":memory:") as db:
            db.row_factory = lambda cursor, row: {"only": row[0]}  # type: ignore[assignment]
            assert list(await db.execute_fetchall("PRAGMA synchronous")) == [{"only": 2}]

    Simulation().run(main())


def test_a_connection_is_awaited_once() -> None:
    async def main() -> None:
        db = await aiosqlite.connect(":memory:")
        with pytest.raises(RuntimeError, match="only be started once"):
            await db
        await db.close()

    Simulation().run(main())


def test_a_database_that_can_not_be_opened_says_so(tmp_path: Path) -> None:
    simulation = Simulation()

    async def main() -> None:
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            await aiosqlite.connect(tmp_path / "missing" / "notes.db")

    simulation.run(main())
    assert _stored(simulation) == ["1 open notes.db 1 open SQLITE_CANTOPEN"]


def test_a_statement_that_nobody_waits_for_any_more_happens_all_the_same(path: Path) -> None:
    async def main() -> int:
        async with aiosqlite.connect(path, isolation_level=None) as db:
            await db.execute("CREATE TABLE note (text)")
            writing = asyncio.ensure_future(db.execute("INSERT INTO note VALUES ('kept')"))
            await asyncio.sleep(0)
            writing.cancel()
            await asyncio.wait([writing])
            assert writing.cancelled()
            return len(list(await db.execute_fetchall("SELECT * FROM note")))

    assert Simulation().run(main()) == 1


def test_what_still_waits_when_the_program_ends_happens(path: Path) -> None:
    simulation = Simulation()
    left: list[Any] = []

    async def main() -> None:
        db = await aiosqlite.connect(path, isolation_level=None)
        await db.execute("CREATE TABLE note (text)")
        left.extend([db, asyncio.ensure_future(db.execute("INSERT INTO note VALUES ('kept')"))])
        await asyncio.sleep(0)

    simulation.run(main())
    assert left[1].cancelled()
    asyncio.run(left[0].close())
    plain = sqlite3.connect(path)
    assert plain.execute("SELECT text FROM note").fetchall() == [("kept",)]
    plain.close()


def test_a_connection_that_was_cancelled_while_it_was_made_is_closed(path: Path) -> None:
    made: list[sqlite3.Connection] = []

    def make(*arguments: Any, **settings: Any) -> sqlite3.Connection:
        made.append(sqlite3.Connection(*arguments, **settings))
        return made[0]

    async def main() -> None:
        opening = asyncio.ensure_future(_opened(path, make))
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        assert made == []
        await asyncio.sleep(1)

    Simulation().run(main())
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        made[0].execute("SELECT 1")


async def _opened(path: Path, factory: Callable[..., sqlite3.Connection]) -> aiosqlite.Connection:
    return await aiosqlite.connect(path, factory=factory)


@pytest.mark.filterwarnings("ignore:.*was deleted before being closed:ResourceWarning")
@pytest.mark.parametrize("when", ["inside", "after"])
def test_a_connection_that_is_forgotten_is_closed(path: Path, when: str) -> None:
    made: list[Any] = []

    async def main() -> None:
        db = await aiosqlite.connect(path)
        made.extend([db._conn, db])
        if when == "inside":
            del db
            made.pop()
            await asyncio.sleep(1)

    simulation = Simulation()
    simulation.run(main())
    if when == "after":
        asyncio.set_event_loop(None)  # as `asyncio.run` leaves it
        made.pop()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        made[0].execute("SELECT 1")


def test_a_connection_that_was_left_open_can_be_used_and_closed_later(path: Path) -> None:
    async def main() -> aiosqlite.Connection:
        return await aiosqlite.connect(path)

    async def later(db: aiosqlite.Connection) -> Any:
        rows = await db.execute_fetchall("SELECT date('now')")
        await db.close()
        return rows

    db = Simulation().run(main())
    assert asyncio.run(later(db)) == [("2023-11-14",)]


def test_a_connection_is_stopped_at_once_where_there_is_no_event_loop(path: Path) -> None:
    async def main() -> None:
        db = await aiosqlite.connect(path, check_same_thread=False)
        inner = db._conn
        troubles: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
        writing = asyncio.ensure_future(db.execute("CREATE TABLE note (text)"))
        await asyncio.sleep(0)
        await asyncio.to_thread(db.stop)
        with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
            inner.execute("SELECT 1")
        with pytest.raises(ValueError, match="no active connection"):
            await db.execute("SELECT 1")
        await writing  # it was there before
        await asyncio.sleep(1)
        assert troubles == []

    Simulation().run(main())
    assert _kept(path) == []


def test_a_connection_that_is_stopped_after_the_world_is_closed_at_once(path: Path) -> None:
    async def main() -> aiosqlite.Connection:
        return await aiosqlite.connect(path)

    async def stop(db: aiosqlite.Connection) -> None:
        inner = db._conn
        db.stop()
        with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
            inner.execute("SELECT 1")

    asyncio.run(stop(Simulation().run(main())))


def test_a_connection_that_was_closed_from_outside_says_so() -> None:
    async def main() -> None:
        db = await aiosqlite.connect(":memory:")
        db._conn.close()
        with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
            await db.execute("SELECT 1")
        await db.close()

    Simulation().run(main())


def test_a_file_that_is_no_database_is_refused_when_it_is_first_asked(path: Path) -> None:
    path.write_bytes(b"something else entirely" * 100)

    async def main() -> None:
        async with aiosqlite.connect(path) as db:
            with pytest.raises(sqlite3.DatabaseError, match="not a database"):
                await db.execute("SELECT * FROM note")

    Simulation().run(main())


def test_a_loop_that_is_gone_is_not_told_of_what_still_happens(path: Path) -> None:
    simulation = Simulation()
    loop = asyncio.new_event_loop()

    async def begin() -> asyncio.Task[aiosqlite.Connection]:
        opening = asyncio.ensure_future(_opened(path, sqlite3.Connection))
        await asyncio.sleep(0)
        return opening

    with simulation.disk.inline():
        opening = loop.run_until_complete(begin())
        loop.close()
    assert not opening.done()
    assert path.exists()
    opening._log_destroy_pending = False  # type: ignore[attr-defined]
    opening.get_coro().close()  # type: ignore[union-attr]


# Crashes -------------------------------------------------------------------------------------------------


class _Killer:
    """Kills the program before or after an operation."""

    def __init__(self, simulation: Simulation, number: int, side: str) -> None:
        self._simulation = simulation
        self._number = number
        self._side = side

    def before(self, operation: Operation) -> BaseException | None:
        return self._kill(operation) if self._side == "before" else None

    def after(self, operation: Operation) -> BaseException | None:
        return self._kill(operation) if self._side == "after" else None

    def _kill(self, operation: Operation) -> BaseException | None:
        if operation.number != self._number:
            return None
        self._simulation.crash(f"{self._side} {operation.kind}")
        return RuntimeError("nobody is there to see it")


@pytest.mark.parametrize(("side", "kept"), [("before", []), ("after", [("kept",)])])
def test_a_program_that_is_killed_at_a_commit_has_committed_or_not(
    path: Path, side: str, kept: list[tuple[str]]
) -> None:
    simulation = Simulation()
    simulation.disk.hook = _Killer(simulation, 4, side)
    with pytest.raises(Crashed, match=f"{side} commit"):
        simulation.run(_note(path))
    copy = path.with_name("copy.db")
    for suffix in ("", "-journal", "-wal"):
        if path.with_name(path.name + suffix).exists():
            shutil.copy(path.with_name(path.name + suffix), copy.with_name(copy.name + suffix))
    assert _kept(copy) == kept


def test_what_still_waits_when_the_program_is_killed_never_happens(path: Path) -> None:
    simulation = Simulation()

    async def main() -> None:
        async with aiosqlite.connect(path, isolation_level=None) as db:
            await db.execute("CREATE TABLE note (text)")
            writing = asyncio.ensure_future(db.execute("INSERT INTO note VALUES ('lost')"))
            await asyncio.sleep(0)
            simulation.crash("power")
            await writing

    with pytest.raises(Crashed, match="power"):
        simulation.run(main())
    assert _kept(path) == []


# Locks ---------------------------------------------------------------------------------------------------


async def _with_two(
    path: Path, program: Callable[[aiosqlite.Connection, aiosqlite.Connection], Coroutine[Any, Any, Any]]
) -> Any:
    async with (
        aiosqlite.connect(path, isolation_level=None, timeout=2) as one,
        aiosqlite.connect(path, isolation_level=None, timeout=2) as other,
    ):
        await one.execute("CREATE TABLE note (text)")
        return await program(one, other)


def _now() -> float:
    return asyncio.get_running_loop().time()


def test_a_connection_waits_in_virtual_time_for_another_ones_lock(path: Path) -> None:
    async def program(one: aiosqlite.Connection, other: aiosqlite.Connection) -> None:
        await one.execute("BEGIN IMMEDIATE")
        begun = _now()
        waiting = asyncio.ensure_future(other.execute("INSERT INTO note VALUES ('late')"))
        await asyncio.sleep(1)
        assert not waiting.done()
        await one.execute("COMMIT")
        await waiting
        assert 1 < _now() - begun < 1.2

    simulation = Simulation()
    simulation.run(_with_two(path, program))
    told = [line for line in _stored(simulation) if "INSERT" in line]
    assert len(told) == 2  # that it waits, and that it happened
    assert "waits" in told[0]
    assert told[0].split()[0] == told[1].split()[0]


def test_a_lock_that_is_not_given_back_in_time_is_an_error(path: Path) -> None:
    async def program(one: aiosqlite.Connection, other: aiosqlite.Connection) -> None:
        await one.execute("BEGIN IMMEDIATE")
        begun = _now()
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            await other.execute("INSERT INTO note VALUES ('late')")
        assert _now() - begun == pytest.approx(2 + LATENCY)
        assert list(await one.execute_fetchall("SELECT * FROM note")) == []
        await one.execute("ROLLBACK")

    Simulation().run(_with_two(path, program))


@pytest.mark.parametrize(("milliseconds", "seconds"), [(0, 0.0), (250, 0.25), (60_000, 60.0)])
def test_how_long_to_wait_can_be_said_in_sql(path: Path, milliseconds: int, seconds: float) -> None:
    async def program(one: aiosqlite.Connection, other: aiosqlite.Connection) -> None:
        assert list(await other.execute_fetchall("PRAGMA busy_timeout")) == [(2000,)]
        await other.execute(f"PRAGMA busy_timeout = {milliseconds}")
        assert list(await other.execute_fetchall("PRAGMA busy_timeout")) == [(milliseconds,)]
        await one.execute("BEGIN IMMEDIATE")
        begun = _now()
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            await other.execute("BEGIN IMMEDIATE")
        assert _now() - begun == pytest.approx(seconds + LATENCY)

    Simulation().run(_with_two(path, program))


def test_nobody_waits_with_a_lock_in_hand_as_sqlite_has_it(path: Path) -> None:
    async def program(one: aiosqlite.Connection, other: aiosqlite.Connection) -> None:
        await other.execute("BEGIN")
        await other.execute_fetchall("SELECT * FROM note")
        await one.execute("BEGIN IMMEDIATE")
        begun = _now()
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            await other.execute("INSERT INTO note VALUES ('late')")
        assert _now() - begun == pytest.approx(LATENCY)

    Simulation().run(_with_two(path, program))


def test_nobody_waits_when_what_was_read_is_out_of_date(path: Path) -> None:
    async def program(one: aiosqlite.Connection, other: aiosqlite.Connection) -> None:
        await one.execute("PRAGMA journal_mode = WAL")
        await one.executescript("INSERT INTO note VALUES (1); INSERT INTO note VALUES (2);")
        async with other.execute("SELECT * FROM note") as cursor:
            await cursor.fetchone()
            await one.execute("INSERT INTO note VALUES (3)")
            begun = _now()
            with pytest.raises(sqlite3.OperationalError, match="database is locked") as caught:
                await other.execute("INSERT INTO note VALUES (4)")
            assert caught.value.sqlite_errorname == "SQLITE_BUSY_SNAPSHOT"
            assert _now() - begun == pytest.approx(LATENCY)

    Simulation().run(_with_two(path, program))


def test_a_script_counts_as_a_write_whatever_it_begins_with() -> None:
    simulation = Simulation()

    async def main() -> None:
        async with aiosqlite.connect(":memory:") as db:
            await db.executescript("PRAGMA user_version = 3; CREATE TABLE note (text);")

    simulation.run(main())
    assert _stored(simulation)[1] == '2 write ":memory:" 1 "PRAGMA user_version"'


def test_a_commit_waits_for_readers(path: Path) -> None:
    async def program(one: aiosqlite.Connection, other: aiosqlite.Connection) -> list[Any]:
        await other.execute("BEGIN")
        await other.execute_fetchall("SELECT * FROM note")
        await one.execute("BEGIN")
        await one.execute("INSERT INTO note VALUES ('kept')")
        committing = asyncio.ensure_future(one.execute("COMMIT"))
        await asyncio.sleep(1)
        assert not committing.done()
        await other.execute("COMMIT")
        await committing
        return list(await other.execute_fetchall("SELECT * FROM note"))

    assert Simulation().run(_with_two(path, program)) == [("kept",)]


def test_rows_from_an_iterator_are_all_there_after_a_wait(path: Path) -> None:
    async def program(one: aiosqlite.Connection, other: aiosqlite.Connection) -> list[Any]:
        await one.execute("BEGIN IMMEDIATE")
        writing = asyncio.ensure_future(
            other.executemany("INSERT INTO note VALUES (?)", ((number,) for number in range(3)))
        )
        await asyncio.sleep(0.5)
        await one.execute("COMMIT")
        await writing
        return list(await one.execute_fetchall("SELECT * FROM note"))

    assert Simulation().run(_with_two(path, program)) == [(0,), (1,), (2,)]


def test_a_backup_waits_in_virtual_time_and_tells_how_it_goes_on(path: Path) -> None:
    told: list[tuple[int, int, int]] = []

    async def program(one: aiosqlite.Connection, other: aiosqlite.Connection) -> list[Any]:
        await one.execute("INSERT INTO note VALUES ('kept')")
        await one.execute("BEGIN EXCLUSIVE")
        async with aiosqlite.connect(":memory:") as copy:
            backing = asyncio.ensure_future(other.backup(copy, progress=lambda *how: told.append(how)))
            await asyncio.sleep(0.5)
            assert not backing.done()
            await one.execute("COMMIT")
            await backing
            return list(await copy.execute_fetchall("SELECT * FROM note"))

    assert Simulation().run(_with_two(path, program)) == [("kept",)]
    assert told[-1][0] == sqlite3.SQLITE_DONE


@pytest.mark.parametrize(
    ("statement", "told"), [("PRAGMA synchronous = FULL", 2), ("PRAGMA synchronous = NORMAL", 1)]
)
def test_nothing_is_synced_whatever_is_said_about_it(path: Path, statement: str, told: int) -> None:
    async def main() -> None:
        async with aiosqlite.connect(path) as db:
            await db.execute(statement)
            assert list(await db.execute_fetchall("PRAGMA synchronous")) == [(told,)]
            assert db._conn.execute("PRAGMA synchronous").fetchall() == [(0,)]
            await db.execute("ATTACH DATABASE ? AS other", (str(path.with_name("other.db")),))
            assert db._conn.execute("PRAGMA other.synchronous").fetchall() == [(0,)]

    Simulation().run(main())


# The hook ------------------------------------------------------------------------------------------------


class _Recorder:
    """Notes the operations, and answers with an error where the table says so."""

    def __init__(self, before: dict[int, Exception] | None = None, after: dict[int, Exception] | None = None):
        self.begun: list[Operation] = []
        self.done: list[Operation] = []
        self._before = before or {}
        self._after = after or {}

    def before(self, operation: Operation) -> BaseException | None:
        self.begun.append(operation)
        return self._before.get(operation.number)

    def after(self, operation: Operation) -> BaseException | None:
        self.done.append(operation)
        return self._after.get(operation.number)


async def _note(path: Path) -> list[Any]:
    """Write a note and read it, which are the operations 3 to 6; the table is there already."""
    async with aiosqlite.connect(path) as db:
        await db.execute("CREATE TABLE IF NOT EXISTS note (text)")
        try:
            await db.execute("INSERT INTO note VALUES (?)", ("kept",))
            await db.commit()
        except sqlite3.OperationalError as error:
            await db.rollback()
            return [str(error)]
        return list(await db.execute_fetchall("SELECT text FROM note"))


def _kept(path: Path) -> list[Any]:
    plain = sqlite3.connect(path)
    rows = plain.execute("SELECT text FROM note").fetchall()
    plain.close()
    return rows


def test_the_hook_is_told_what_is_about_to_happen_and_what_has_happened(path: Path) -> None:
    simulation = Simulation()
    simulation.disk.hook = hook = _Recorder()
    simulation.run(_note(path))
    assert hook.begun == hook.done
    assert hook.begun == [
        Operation(1, "open", "notes.db", 1, "open"),
        Operation(
            2,
            "write",
            "notes.db",
            1,
            "CREATE TABLE IF NOT EXISTS note",
            "CREATE TABLE IF NOT EXISTS note (text)",
            "note",
        ),
        Operation(
            3, "write", "notes.db", 1, "INSERT INTO note VALUES", "INSERT INTO note VALUES (?)", "note"
        ),
        Operation(4, "commit", "notes.db", 1, "commit"),
        Operation(5, "read", "notes.db", 1, "SELECT text FROM note", "SELECT text FROM note", "note"),
        Operation(6, "close", "notes.db", 1, "close"),
    ]


@pytest.mark.parametrize("number", [3, 4])
def test_an_error_before_an_operation_keeps_it_from_happening(path: Path, number: int) -> None:
    simulation = Simulation()
    simulation.disk.hook = hook = _Recorder(before={number: sqlite3.OperationalError("disk I/O error")})
    assert simulation.run(_note(path)) == ["disk I/O error"]
    assert _kept(path) == []
    assert [operation.number for operation in hook.begun if operation not in hook.done] == [number]
    assert next(line for line in _stored(simulation) if "OperationalError" in line).startswith(f"{number} ")


def test_an_error_after_a_commit_leaves_it_committed(path: Path) -> None:
    simulation = Simulation()
    simulation.disk.hook = _Recorder(after={4: sqlite3.OperationalError("disk I/O error")})
    assert simulation.run(_note(path)) == ["disk I/O error"]
    assert _kept(path) == [("kept",)]


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_connection_whose_opening_is_answered_with_an_error_is_let_go_of(path: Path, side: str) -> None:
    simulation = Simulation()
    simulation.disk.hook = _Recorder(**{side: {1: sqlite3.OperationalError("unable to open database file")}})
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        simulation.run(_note(path))
    assert path.exists() == (side == "after")


def test_an_error_of_the_hooks_is_not_waited_out(path: Path) -> None:
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorname = "SQLITE_BUSY"
    simulation = Simulation()
    simulation.disk.hook = _Recorder(before={3: busy})
    assert simulation.run(_note(path)) == ["database is locked"]
    assert simulation.clock.now < 1


def test_an_operation_that_waits_for_a_lock_meets_the_hook_once(path: Path) -> None:
    async def program(one: aiosqlite.Connection, other: aiosqlite.Connection) -> None:
        await one.execute("BEGIN IMMEDIATE")
        waiting = asyncio.ensure_future(other.execute("INSERT INTO note VALUES ('late')"))
        await asyncio.sleep(1)
        await one.execute("COMMIT")
        await waiting

    simulation = Simulation()
    simulation.disk.hook = hook = _Recorder()
    simulation.run(_with_two(path, program))
    assert [operation.number for operation in hook.begun] == list(range(1, len(hook.begun) + 1))
    assert sorted(hook.done, key=lambda operation: operation.number) == hook.begun


# Code that can't wait ------------------------------------------------------------------------------------


def test_plain_sqlite_has_the_worlds_time_and_chance_too_and_is_in_the_trace(path: Path) -> None:
    async def main() -> Any:
        await asyncio.sleep(60)
        plain = sqlite3.connect(path)
        plain.execute("CREATE TABLE note (text, at DEFAULT CURRENT_TIMESTAMP, chance DEFAULT (random()))")
        plain.execute("INSERT INTO note (text) VALUES ('secret')")
        plain.commit()
        rows = plain.execute("SELECT at, chance FROM note").fetchall()
        plain.close()
        return rows

    first, again = Simulation(seed=3), Simulation(seed=3)
    rows = first.run(main())
    path.unlink()
    assert again.run(main()) == rows
    assert rows[0][0] == "2023-11-14 22:14:20"
    assert _stored(first) == _stored(again)
    assert "secret" not in "\n".join(first.trace.lines)
    assert [line.split()[1] for line in _stored(first)] == [
        "open",
        "write",
        "other",
        "write",
        "commit",
        "read",
    ]


def test_plain_sqlite_does_not_wait_for_a_lock_since_nobody_could_give_it_back(path: Path) -> None:
    async def program(one: aiosqlite.Connection, other: aiosqlite.Connection) -> None:
        await one.execute("BEGIN IMMEDIATE")
        plain = sqlite3.connect(path, timeout=60)
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            plain.execute("INSERT INTO note VALUES ('late')")
        plain.close()

    Simulation().run(_with_two(path, program))


# What is replaced, and put back --------------------------------------------------------------------------


def _replaceable() -> list[object]:
    core = aiosqlite.core
    return [core.Thread, core.SimpleQueue, sqlite3.connect, sqlite3.dbapi2.connect]


@pytest.mark.parametrize("ends", ["well", "with an error"])
def test_everything_is_put_back(ends: str) -> None:
    before = _replaceable()

    async def main() -> None:
        assert all(now is not then for now, then in zip(_replaceable(), before, strict=True))
        if ends != "well":
            raise KeyError(ends)

    try:
        Simulation().run(main())
    except KeyError:
        assert ends == "with an error"
    assert all(now is then for now, then in zip(_replaceable(), before, strict=True))
    assert before[:2] == [threading.Thread, queue.SimpleQueue]


def test_a_connection_after_a_simulation_has_its_thread_and_the_real_time() -> None:
    async def main() -> None:
        before = threading.enumerate()
        async with aiosqlite.connect(":memory:") as db:
            assert len([thread for thread in threading.enumerate() if thread not in before]) == 1
            assert list(await db.execute_fetchall("SELECT date('now') > '2024'")) == [(1,)]

    Simulation().run(_nothing())
    asyncio.run(main())


async def _nothing() -> None:
    pass


@pytest.mark.parametrize(
    ("name", "stand_in", "missing"),
    [
        ("_tx", None, r"Connection._tx made by SimpleQueue\(\)"),
        ("_thread", None, r"Connection._thread made by Thread\(\)"),
        ("_connector", print, r"name `database` in connect\(\)"),
    ],
)
def test_an_aiosqlite_of_another_shape_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, stand_in: object, missing: str
) -> None:
    initialise = aiosqlite.core.Connection.__init__

    def otherwise(self: aiosqlite.Connection, *arguments: Any) -> None:
        initialise(self, *arguments)
        setattr(self, name, stand_in)

    monkeypatch.setattr(aiosqlite.core.Connection, "__init__", otherwise)
    program = _nothing()
    with pytest.raises(NotInThisVersion, match=rf"aiosqlite 0\.\S+ has no {missing}, which .* relies on"):
        Simulation().run(program)
    program.close()


def test_an_aiosqlite_that_stops_in_another_way_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiosqlite.core.Connection, "stop", lambda self: None)
    program = _nothing()
    with pytest.raises(NotInThisVersion, match=r"no function `close_and_stop` in Connection.stop\(\)"):
        Simulation().run(program)
    program.close()


@pytest.mark.process
def test_importing_the_simulation_does_not_import_aiosqlite() -> None:
    program = "import sys, asyncflow.sim; print('aiosqlite' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("/srv/data/notes.db", "notes.db"),
        (Path("some") / "notes.db", "notes.db"),
        (b"/srv/data/notes.db", "notes.db"),
        (r"C:\me\notes.db", "notes.db"),
        (":memory:", ":memory:"),
        ("", ":temporary:"),
        ("file:///srv/data/notes.db?mode=ro", "notes.db"),
        ("file:notes?mode=memory&cache=shared", "notes"),
        ("file:notes.db#part", "notes.db"),
    ],
)
def test_a_database_is_told_by_its_name_alone(given: object, name: str) -> None:
    assert database_name(given) == name
