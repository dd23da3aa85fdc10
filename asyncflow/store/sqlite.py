"""The store that keeps runs in a SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from asyncflow.errors import StoreError, UsageError
from asyncflow.events import Event, RunHeader, RunSummary
from asyncflow.store import rows
from asyncflow.store.cache_rows import SQLiteCache
from asyncflow.store.codec import decode_events, readable, revive_events
from asyncflow.store.database import Database
from asyncflow.store.journal import SQLiteJournal
from asyncflow.store.trouble import explain, not_open, not_paused
from asyncflow.store.writer import Writer

PROJECT_FOLDER = ".asyncflow"
"""The folder that a project's store lies in; it is kept out of version control."""


class SQLiteStore:
    """Keeps journals in one SQLite file, which several processes may use at the same time.

    Making one touches nothing; `open` makes the file. What is committed survives the death of the process;
    the last moments before a power failure may be lost, the file stays sound (WAL, synchronous=NORMAL).

    Args:
        path: the file.
        wait: seconds to wait for another process that writes to it.
    """

    def __init__(self, path: str | PathLike[str], *, wait: float = 5.0) -> None:
        if str(path) == ":memory:":
            raise UsageError("SQLiteStore keeps a file; use MemoryStore() instead of the path ':memory:'")
        # The working directory may change before the file is opened.
        self._path = Path(path).expanduser().absolute()
        self._wait = wait
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gate = asyncio.Lock()
        self._database: Database | None = None
        self._ready = False
        self._writer = Writer(self._path, self._write)

    def __repr__(self) -> str:
        return f"<SQLiteStore {self._path}, {'open' if self._ready else 'closed'}>"

    @property
    def label(self) -> str:
        """The file's path."""
        return str(self._path)

    async def open(self) -> None:
        """Make the file and its folder where they are missing, and be ready to write to it.

        Raises:
            StoreError: when that is not possible; a file that can't be used is left as it is.
        """
        self._enter_loop()
        async with self._gate:
            if self._ready:
                return
            self._make_folder()
            # Known before it is open, so that abandon() finds its thread at whatever moment it is called.
            self._database = Database(self._path, wait=self._wait)
            await self._database.open()
            self._ready = True
            self._writer.start(asyncio.get_running_loop())

    async def close(self) -> None:
        """Write what is waiting, let go of the file and stop its thread.

        What can't be written stays in memory, as `commit` says, and waits for the next `open`.
        """
        self._enter_loop()
        async with self._gate:
            if not self._ready or self._database is None:
                return
            try:
                await self._writer.stop()
            finally:
                self._ready = False
                await self._database.close()

    def abandon(self) -> None:
        """Let go of the file and stop its thread without an event loop, when there is no time to close.

        What is not written stays in memory and waits for the next `open`. This blocks until the thread is
        done with the statement that it is at.
        """
        self._writer.abandon()
        self._ready = False
        if self._database is not None:
            self._database.abandon()
            self._database = None

    def journal(self, header: RunHeader) -> SQLiteJournal:
        """Return a new journal for a run that starts now."""
        journal = SQLiteJournal(header, self._writer.wake, self._writer.reach)
        self._writer.wake(journal)
        return journal

    @property
    def cache(self) -> SQLiteCache:
        """Where results are kept for other runs, and other processes: the same file."""
        return SQLiteCache(self._ask)

    async def runs(self, *, limit: int = 50, flow: str | None = None) -> list[RunSummary]:
        """Return the newest runs first; child runs are left out.

        Raises:
            StoreError: when the file can't be read.
        """
        most = max(limit, 0)
        if flow is None:
            found = await self._read(rows.LIST, (most,))
        else:
            found = await self._read(rows.LIST_OF_FLOW, (readable(flow), most))
        return [rows.summary_from(row) for row in found]

    async def find(self, reference: str) -> RunSummary | None:
        """Return the run with that id, that name (the newest of it), or that beginning of only one id.

        Raises:
            StoreError: when the file can't be read.
        """
        return rows.found(await self._read(rows.FIND, rows.find_fields(reference))) if reference else None

    async def events(self, run_id: str) -> list[Event]:
        """Return a run's events in order, in their JSON form; none for a run whose events lie elsewhere.

        Raises:
            StoreError: when the file can't be read.
        """
        return decode_events(text for (text,) in await self._read(rows.EVENTS, (readable(run_id),)))

    async def revive(self, run_id: str) -> list[Event]:
        """Return a run's events in order, with states that carry their results.

        Raises:
            StoreError: when the file can't be read.
        """
        return revive_events(text for (text,) in await self._read(rows.EVENTS, (readable(run_id),)))

    async def reopen(self, header: RunHeader, events: Sequence[Event]) -> SQLiteJournal:
        """Return the journal of a paused run, which goes on; nobody else may resume it from now on.

        Raises:
            StoreError: when it is not paused, or the file can't be written.
        """
        if not await self._ask("written", rows.RESUME, (readable(header.id),)):
            raise not_paused(header)
        return SQLiteJournal(header, self._writer.wake, self._writer.reach, events)

    async def keep(self, summary: RunSummary) -> None:
        """Keep the summary of a run whose events lie elsewhere, in `summary.home`, in place of an older one.

        Raises:
            StoreError: when it can't be kept.
        """
        await self._ask("written", rows.KEEP, rows.keep_fields(summary))

    async def _write(self, batch: list[tuple[Any, ...]]) -> None:
        await self._ask("written", *rows.write(batch))

    async def _read(self, statement: str, fields: Iterable[Any]) -> list[Any]:
        await self._writer.settle()
        return await self._ask("read", statement, fields)

    async def _ask(self, cannot: str, statement: str, fields: Iterable[Any]) -> list[Any]:
        if not self._ready or self._database is None:
            raise not_open(self._path)
        try:
            return await self._database.fetch(statement, fields)
        except (sqlite3.Error, TimeoutError) as error:
            raise explain(self._path, cannot, error) from error

    def _make_folder(self) -> None:
        folder = self._path.parent
        try:
            new = not folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
            if new and folder.name == PROJECT_FOLDER:
                (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise explain(self._path, "opened", error) from error

    def _enter_loop(self) -> None:
        """Note the running loop, and let go of what belonged to one that is gone."""
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        if self._ready and self._loop is not None and self._loop.is_running():
            raise StoreError(
                f"the store {self._path} is open in another event loop; give each loop a store of its own"
            )
        self.abandon()
        self._loop = loop
        self._gate = asyncio.Lock()
