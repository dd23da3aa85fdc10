"""Group commit: events are appended at once and written a moment later, those of all runs together.

The first event after a quiet time arms one timer; when it fires, whatever waits goes out in batches, one
after the other. Somebody who waits for a commit brings that forward. Nothing ticks while nothing waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from asyncflow.errors import StoreError
from asyncflow.store.journal import Part, SQLiteJournal
from asyncflow.store.trouble import explain, not_open

LINGER = 0.010
"""Seconds between the first event after a quiet time and its writing."""

EVENTS_PER_BATCH = 1000
"""Enough to share the price of a commit; few enough to keep the loop from its work for well under 1 ms."""

RUNS_PER_BATCH = 32
"""Keeps the parameters of a statement below 999, the most that an older SQLite takes."""

Targets = list[tuple[SQLiteJournal, int]]


class _Waiter(NamedTuple):
    targets: Targets
    done: asyncio.Future[None]

    def is_served(self) -> bool:
        return all(journal.kept >= target for journal, target in self.targets)


class Writer:
    """Writes what waits in journals, on the event loop that it was started on.

    After a failure it writes nothing by itself, until somebody who waits for a commit makes it try again.

    Args:
        path: the store's file, for messages.
        write: writes the rows of one batch in one transaction, or raises StoreError.
    """

    def __init__(self, path: Path, write: Callable[[list[tuple[Any, ...]]], Awaitable[None]]) -> None:
        self._path = path
        self._write = write
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiting: dict[SQLiteJournal, None] = {}
        self._waiters: list[_Waiter] = []
        self._failed = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write on this loop from now on, what was left waiting first."""
        self._loop = loop
        self._failed = False
        self._linger()

    def wake(self, journal: SQLiteJournal) -> None:
        """Hear that a journal has something to write."""
        journal.waiting = True
        self._waiting[journal] = None
        self._linger()

    async def reach(self, targets: Targets) -> None:
        """Return when each journal is kept up to its target; after a failure, try once more.

        Raises:
            StoreError: when that fails, or when the writer is not started.
        """
        if self._loop is not asyncio.get_running_loop():
            raise not_open(self._path)
        waiter = _Waiter(targets, self._loop.create_future())
        self._waiters.append(waiter)
        self._begin()
        await waiter.done

    async def settle(self) -> None:
        """Return when what waits now is written, or can't be: whoever commits will hear of that."""
        if self._waiting and not self._failed:
            with suppress(StoreError):
                await self.reach(self._everything())

    async def stop(self) -> None:
        """Write what waits, after a failure too, and stop; what can't be written goes on waiting."""
        try:
            with suppress(StoreError):
                if self._waiting:
                    await self.reach(self._everything())
                if self._task is not None:
                    await self._task
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Stop at once; what is not written goes on waiting for the next start."""
        loop, timer, task = self._loop, self._timer, self._task
        self._loop = self._timer = self._task = None
        if loop is None or loop.is_closed():
            self._waiters.clear()
            return
        if timer is not None:
            timer.cancel()
        if task is not None:
            task.cancel()
        self._answer(self._closed())

    def _everything(self) -> Targets:
        return [(journal, len(journal.events)) for journal in self._waiting]

    def _linger(self) -> None:
        quiet = self._timer is None and self._task is None
        if quiet and self._waiting and not self._failed and self._loop and not self._loop.is_closed():
            self._timer = self._loop.call_later(LINGER, self._begin)

    def _begin(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # One that is done but still here ended a moment ago, or a KeyboardInterrupt ate its callback.
        if (self._task is None or self._task.done()) and self._loop is not None:
            self._task = self._loop.create_task(self._drain(), name="asyncflow-store-writer")
            self._task.add_done_callback(self._drained)

    async def _drain(self) -> None:
        full = True
        while self._waiting and full:
            parts, full = self._take()
            await self._write([part.row for part in parts])
            self._written(parts)

    def _drained(self, task: asyncio.Task[None]) -> None:
        error = self._closed() if task.cancelled() else self._told(task.exception())
        if task is not self._task:
            return
        self._task = None
        self._failed = error is not None
        self._answer(error)
        # What came while the last batch was on its way waits for more to come, unless somebody waits for it.
        if self._waiters:
            self._begin()
        else:
            self._linger()

    def _closed(self) -> StoreError:
        return StoreError(f"the store {self._path} was closed before everything was written; open it again")

    def _told(self, error: BaseException | None) -> StoreError | None:
        return (
            error if error is None or isinstance(error, StoreError) else explain(self._path, "written", error)
        )

    def _take(self) -> tuple[list[Part], bool]:
        """Return the next batch, and whether it is full."""
        parts: list[Part] = []
        room = EVENTS_PER_BATCH
        for journal in self._waiting:
            parts.append(journal.part(room))
            room -= parts[-1].size
            if room <= 0 or len(parts) == RUNS_PER_BATCH:
                return parts, True
        return parts, False

    def _written(self, parts: list[Part]) -> None:
        for journal, _, kept, _ in parts:
            journal.kept = kept
            del self._waiting[journal]
            journal.waiting = kept < len(journal.events)
            if journal.waiting:
                self._waiting[journal] = None  # at the end: a long run must not keep the short ones waiting
        self._answer(None)

    def _answer(self, error: StoreError | None) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.done.done():
                continue
            if waiter.is_served():
                waiter.done.set_result(None)
            elif error is None:
                self._waiters.append(waiter)
            else:
                waiter.done.set_exception(StoreError(*error.args))
                waiter.done.exception()  # whoever waited may have been cancelled and never look
