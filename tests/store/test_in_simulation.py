"""The product's own store in a simulated world: the same file, the same promises, and no thread."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import asyncflow.sim
from asyncflow import flow, task
from asyncflow.engine import RunOptions, to_its_end
from asyncflow.errors import StoreError
from asyncflow.sim import Simulation
from asyncflow.store import SQLiteStore

from .runs import a_kept_run, append_all, as_read, events_of_a_run, header, litter


@pytest.fixture(autouse=True)
def no_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """See that no thread is started."""
    started: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", started.append)
    yield
    assert started == []


@task
async def double(number: int) -> int:
    await asyncio.sleep(60)
    return 2 * number


@flow
async def doubled(number: int) -> int:
    return await double(await double(number))


async def _run_and_keep(path: Path) -> int:
    store = SQLiteStore(path)
    await store.open()
    run = await to_its_end(doubled, {"number": 3}, store=store, options=RunOptions())
    await store.close()
    result: int = run.state.result
    return result


def test_a_flow_runs_and_its_file_is_read_with_plain_sqlite(path: Path) -> None:
    assert asyncflow.sim.run(_run_and_keep(path), seed=4) == 12
    plain = sqlite3.connect(path)
    assert plain.execute("SELECT flow, started, state, ended - started FROM run").fetchall() == [
        ("doubled", pytest.approx(1_700_000_000, abs=1), "Success", pytest.approx(120, abs=0.1))
    ]
    kinds = [kind for (kind,) in plain.execute("SELECT kind FROM event ORDER BY seq")]
    assert (kinds[0], kinds[-1]) == ("run_started", "run_ended")
    assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    plain.close()
    assert litter(path) == ["asyncflow.db"]


def test_one_seed_keeps_the_same_rows_and_gives_the_same_trace(tmp_path: Path) -> None:
    digests, rows = set(), set()
    for number in range(20):
        simulation = Simulation(seed=4)
        path = tmp_path / f"{number}" / "asyncflow.db"
        simulation.run(_run_and_keep(path))
        digests.add(simulation.trace.digest())
        plain = sqlite3.connect(path)
        rows.add(repr(plain.execute("SELECT * FROM run, chunk").fetchall()))
        plain.close()
    assert len(digests) == len(rows) == 1


def test_two_stores_write_to_one_file(path: Path) -> None:
    async def main() -> None:
        first, second = SQLiteStore(path), SQLiteStore(path)
        async with asyncio.TaskGroup() as group:  # both find a new file
            group.create_task(first.open())
            group.create_task(second.open())
        async with asyncio.TaskGroup() as group:
            for number in range(10):
                owner = (first, second)[number % 2]
                group.create_task(a_kept_run(owner, run_id=f"run{number:02}", tasks=5))
        assert len(await first.runs()) == len(await second.runs()) == 10
        assert await first.events("run01") == as_read(events_of_a_run(5))
        await first.close()
        await second.close()

    Simulation().run(main())
    assert litter(path) == ["asyncflow.db"]


@pytest.mark.parametrize("turns", range(14))
def test_opening_that_is_cancelled_leaves_nothing_and_can_be_done_again(path: Path, turns: int) -> None:
    async def main() -> None:
        store = SQLiteStore(path)
        opening = asyncio.ensure_future(store.open())
        for _ in range(turns):
            await asyncio.sleep(0.0004)
        opening.cancel()
        await asyncio.wait([opening])
        await store.open()
        await a_kept_run(store)
        await store.close()

    Simulation().run(main())
    assert litter(path) == ["asyncflow.db"]


@pytest.mark.parametrize("turns", range(8))
def test_a_store_that_the_end_of_the_world_found_open_has_let_go(path: Path, turns: int) -> None:
    store = SQLiteStore(path)

    async def main() -> None:
        opening = asyncio.ensure_future(store.open())
        await asyncio.sleep(turns * 0.004)
        assert opening.done() or turns < 4

    async def abandoned() -> None:
        await main()
        store.abandon()

    Simulation().run(abandoned())
    assert litter(path) in ([], ["asyncflow.db"])


def test_abandoning_keeps_what_was_committed_and_tells_whoever_waits(path: Path) -> None:
    async def main() -> None:
        store = SQLiteStore(path)
        await store.open()
        journal = store.journal(header())
        journal.append(events_of_a_run()[0])
        await journal.commit()
        append_all(journal, events_of_a_run()[1:])
        committing = asyncio.ensure_future(journal.commit())
        await asyncio.sleep(0)
        store.abandon()
        store.abandon()
        with pytest.raises(StoreError, match="closed before everything was written"):
            await committing
        await store.open()
        assert await store.events(header().id) == as_read(events_of_a_run())
        await store.close()

    Simulation().run(main())
    assert litter(path) == ["asyncflow.db"]


def test_abandoning_works_where_the_event_loop_is_gone(path: Path) -> None:
    store = SQLiteStore(path)

    async def torn_down() -> None:
        await store.open()
        journal = store.journal(header())
        append_all(journal, events_of_a_run())
        await journal.commit()

    Simulation().run(torn_down())
    asyncio.set_event_loop(None)  # as `asyncio.run` leaves it
    store.abandon()
    assert litter(path) == ["asyncflow.db"]


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("times", [1, 3])
def test_closing_lets_go_however_often_it_is_cancelled(path: Path, turns: int, times: int) -> None:
    async def main() -> None:
        store = SQLiteStore(path)
        await store.open()
        append_all(store.journal(header()), events_of_a_run())
        closing = asyncio.ensure_future(store.close())
        for _ in range(times):
            await asyncio.sleep(turns * 0.0003)
            closing.cancel()
        await asyncio.wait([closing])
        await store.open()
        assert await store.events(header().id) in ([], as_read(events_of_a_run()))
        await store.close()

    Simulation().run(main())
    assert litter(path) == ["asyncflow.db"]


def test_a_store_works_in_one_world_after_another(path: Path) -> None:
    store = SQLiteStore(path)

    async def one_run(run_id: str) -> int:
        await store.open()
        await a_kept_run(store, run_id=run_id)
        found = len(await store.runs())
        await store.close()
        return found

    assert [Simulation().run(one_run("a")), Simulation().run(one_run("b"))] == [1, 2]


def _another_program(path: Path) -> None:
    plain = sqlite3.connect(path)
    plain.execute("PRAGMA application_id = 7")
    plain.close()


def _no_database(path: Path) -> None:
    path.write_bytes(b"something else entirely, and long enough to be looked at" * 20)


@pytest.mark.parametrize(
    ("litter_there", "reason"),
    [(_another_program, "another program"), (_no_database, "not a SQLite database")],
)
def test_a_file_that_is_no_store_is_refused_for_the_same_reason(
    path: Path, litter_there: Callable[[Path], None], reason: str
) -> None:
    litter_there(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=reason):
        Simulation().run(SQLiteStore(path).open())
    assert path.read_bytes() == before


def test_a_file_that_somebody_holds_is_waited_for_in_virtual_time(path: Path) -> None:
    async def main() -> None:
        simulation_time = asyncio.get_running_loop().time
        first, second = SQLiteStore(path), SQLiteStore(path, wait=30)
        await first.open()
        await second.open()
        assert first._database is not None
        await first._database.fetch("BEGIN IMMEDIATE")
        begun = simulation_time()
        writing = asyncio.ensure_future(a_kept_run(second))
        await asyncio.sleep(20)
        assert not writing.done()
        await first._database.fetch("ROLLBACK")
        await writing
        assert 20 < simulation_time() - begun < 21
        await first.close()
        await second.close()

    Simulation().run(main())
