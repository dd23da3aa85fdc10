"""The store's file as a connection: brought up to the present schema, spoken to, and always let go of."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from asyncflow.errors import StoreError
from asyncflow.store import schema
from asyncflow.store.rows import PREPARE
from asyncflow.store.trouble import ELSEWHERE, explain, is_busy

_PAUSE = 0.02
_LEEWAY = 1.0
_PATIENCE = 30.0  # for a statement that waits for nobody: only a disk that has stopped takes longer


class Database:
    """One connection to a store's file.

    aiosqlite runs it on a thread that is no daemon, so whoever opened it must `close` or `abandon` it. Where
    something else stands in for that thread, it may be the caller's own.

    Args:
        path: the file.
        wait: seconds to wait for another process that writes to it.
    """

    def __init__(self, path: Path, *, wait: float) -> None:
        import aiosqlite  # here, since importing it takes longer than the rest of asyncflow.store

        self._path = path
        self._wait = wait
        self._is_connecting = False
        self._thread: threading.Thread | None = None
        self._inner: sqlite3.Connection | None = None
        # SQLite is asked by one thread at a time, but not always by the one that connected.
        self._connection = aiosqlite.connect(
            path, isolation_level=None, timeout=wait, factory=self._make, check_same_thread=False
        )

    async def open(self) -> None:
        """Connect, bring the file up to the present schema, and see that it can be written.

        Raises:
            StoreError: when that is not possible; the file is left as it was.
        """
        try:
            await self._connect()
            await self._bring_up_patiently()
        except BaseException as error:
            self.abandon()
            if isinstance(error, sqlite3.Error | TimeoutError):
                raise explain(self._path, "opened", error) from error
            raise

    async def fetch(self, statement: str, fields: Iterable[Any] = ()) -> list[Any]:
        """Run one statement in one hop to the thread and return its rows.

        Raises:
            sqlite3.Error: whatever SQLite says to it.
            TimeoutError: when the disk gives no answer; whether it took effect is unknown then.
        """
        limit = self._wait + _PATIENCE
        try:
            async with asyncio.timeout(limit):
                return list(await self._connection.execute_fetchall(statement, fields))
        except TimeoutError:
            raise TimeoutError(f"the disk gave no answer for {limit:g} s") from None

    async def close(self) -> None:
        """Finish what is under way and let go of the file and the thread."""
        try:
            await self._connection.close()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of the file and the thread without an event loop; doing it again is harmless.

        It waits for the thread, with the statement that it is at: the thread reports to an event loop, which
        may be closed a moment from now.
        """
        if sys.is_finalizing():
            return  # called by the garbage collector at the very end: no thread starts or ends any more
        if self._thread is None and not self._is_connecting:
            return  # nothing was begun, or aiosqlite has stopped it by itself
        if self._thread is threading.current_thread():
            self._connection.stop()  # there is no thread to wait for: whoever connects does the rest as well
            return
        # Where no event loop can be found, stop() makes no future of one: hence a thread of its own.
        stopping = threading.Thread(target=self._connection.stop, name="asyncflow-store-stop")
        stopping.start()
        stopping.join()
        if self._thread is None:
            return
        self._thread.join(self._wait + _LEEWAY)
        if self._inner is not None and not self._thread.is_alive():
            self._inner.close()  # still to be done when connecting was cancelled

    async def _connect(self) -> None:
        connecting = asyncio.get_running_loop().create_task(
            self._until_connected(), name="asyncflow-store-open"
        )
        try:
            await asyncio.shield(connecting)
        finally:
            await asyncio.wait([connecting])  # a moment; abandon() could not wait for a thread it has not met

    async def _until_connected(self) -> None:
        self._is_connecting = True
        try:
            await self._connection
        finally:
            self._is_connecting = False

    def _make(self, *args: Any, **settings: Any) -> sqlite3.Connection:
        self._thread = threading.current_thread()
        self._inner = sqlite3.Connection(*args, **settings)
        return self._inner

    async def _bring_up_patiently(self) -> None:
        # SQLite does not wait for two processes that turn the same new file to WAL.
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait
        while True:
            try:
                return await self._bring_up()
            except sqlite3.OperationalError as error:
                if not is_busy(error) or loop.time() >= until:
                    raise
            await asyncio.sleep(_PAUSE)

    async def _bring_up(self) -> None:
        version = await self._version()
        await self.fetch("PRAGMA synchronous = NORMAL")
        if version < len(schema.MIGRATIONS):
            await self._migrate()
        else:
            await self._see_that_it_is_writable(version)
        await self.fetch("PRAGMA journal_mode = WAL")  # not before: it changes a file that may be refused
        for statement in PREPARE:
            await self.fetch(statement)

    async def _version(self) -> int:
        (application, version), *_ = await self.fetch(schema.IDENTIFY)
        if (application, version) != (0, 0) and application != schema.APPLICATION_ID:
            raise StoreError(
                f"the store {self._path} can't be opened: it is a database of another program "
                f"(application_id {application}, user_version {version}). It was left as it is; {ELSEWHERE}"
            )
        if version > len(schema.MIGRATIONS):
            raise StoreError(
                f"the store {self._path} can't be opened: a newer asyncflow wrote it (schema {version}, and "
                f"this one knows {len(schema.MIGRATIONS)}). Upgrade asyncflow, or {ELSEWHERE}"
            )
        return int(version)

    async def _migrate(self) -> None:
        # A failure in here closes the connection, and with it the transaction.
        await self.fetch("BEGIN IMMEDIATE")
        version = await self._version()  # again: another process may have been quicker
        for statements in schema.MIGRATIONS[version:]:
            for statement in statements:
                await self.fetch(statement)
        await self.fetch(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        await self.fetch(f"PRAGMA user_version = {len(schema.MIGRATIONS)}")
        await self.fetch("COMMIT")

    async def _see_that_it_is_writable(self, version: int) -> None:
        await self.fetch("PRAGMA busy_timeout = 0")
        try:
            await self.fetch("BEGIN IMMEDIATE")
            await self.fetch(f"PRAGMA user_version = {version}")  # a read-only file refuses only a write
            await self.fetch("ROLLBACK")
        except sqlite3.OperationalError as error:
            if not is_busy(error):  # whoever holds it can write to it
                raise
        await self.fetch(f"PRAGMA busy_timeout = {int(self._wait * 1000)}")
