"""A run and its place in a store: chosen, opened, committed before the run is final, closed."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from asyncflow import flow, task
from asyncflow.engine import run as run_flow
from asyncflow.errors import StoreError
from asyncflow.store import MemoryStore, SQLiteStore
from tests.clock import run_virtual


@task
async def give(value=1):
    return value


@flow
async def f():
    return give()


class Slow(MemoryStore):
    """A store whose journal takes its time to commit, or can't, and which says when it was closed."""

    def __init__(self, error=None):
        super().__init__()
        self.error = error
        self.opened = self.closed = 0

    async def open(self):
        self.opened += 1

    async def close(self):
        self.closed += 1

    def journal(self, header):
        journal, error = super().journal(header), self.error

        class Committing:
            events, append = journal.events, journal.append

            async def commit(self):
                await asyncio.sleep(10)
                if error is not None:
                    raise error

        return Committing()


def test_a_run_is_final_only_when_its_record_is_kept():
    async def story():
        run = await f.with_options(store=Slow()).start()
        await asyncio.sleep(5)
        assert not run.is_final()
        assert run.events[-1].kind == "run_ended"
        await run.wait()
        assert run.is_final()

    run_virtual(story())


def test_a_record_that_can_not_be_kept_is_a_warning_and_no_failure(caplog):
    async def story():
        run = await f.with_options(store=Slow(StoreError("disk full"))).start()
        return await run.wait()

    run = run_virtual(story())
    assert run.result() == 1
    assert [record.message for record in caplog.records] == [
        f"flow run {run.name} goes unrecorded: disk full"
    ]


@pytest.mark.parametrize("how", ["cancel", "teardown"])
def test_once_the_end_is_being_recorded_nothing_changes_it(how):
    async def story():
        run = await f.with_options(store=Slow()).start()
        await asyncio.sleep(5)
        if how == "cancel":
            run.cancel("too late")
            await run.wait()
            assert asyncio.get_running_loop().time() == 10, "the record was waited for"
        return run

    run = run_virtual(story())
    assert run.result() == 1


def test_a_store_that_was_given_is_opened_and_left_open():
    store = Slow()

    async def story():
        await f.with_options(store=store)()

    run_virtual(story())
    assert (store.opened, store.closed) == (1, 0)


def test_an_open_store_may_be_handed_in_by_who_starts_the_run():
    memory = MemoryStore()
    run = run_flow(f, {}, store=memory)
    assert run.store == "memory"
    assert len(asyncio.run(memory.runs())) == 1


def test_a_path_names_a_file_that_outlives_the_run(tmp_path):
    path = tmp_path / "runs.db"
    run = f.with_options(store=path).run()
    assert str(path) in run.store
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0
    connection.close()

    async def read():
        store = SQLiteStore(path)
        await store.open()
        try:
            return await store.find(run.id), await store.events(run.id)
        finally:
            await store.close()

    summary, events = asyncio.run(read())
    assert (summary.state, summary.tasks, summary.attempts) == ("Success", 1, 1)
    assert [event.kind for event in events] == [event.kind for event in run.events]


def test_where_the_file_can_not_be_had_the_run_goes_on_in_memory_with_one_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    run = f.with_options(store=tmp_path / "file" / "runs.db").run()
    assert run.result() == 1
    assert run.store == "memory"
    assert len(caplog.records) == 1
    assert "This run goes on in memory" in caplog.records[0].message
