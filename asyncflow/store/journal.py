"""One run's place in a file: its events, and how many of them the file has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from asyncflow.events import RunHeader
from asyncflow.store.rows import batch_row, header_fields
from asyncflow.store.summary import Standing


class SQLiteJournal:
    """A run's events in a list, from which a writer takes what is not yet in the file.

    Args:
        header: what is known of the run at its start.
        wake: tells the writer that there is something to write.
        reach: has the writer bring the file up to a number of events.
        before: the events that the file has already, when the run is resumed.

    Attributes:
        events: the events so far.
        kept: how many of them are in the file; -1 while the run itself is not.
        waiting: whether the writer knows that there is something to write.
    """

    __slots__ = ("_fields", "_header", "_reach", "_standing", "_wake", "events", "kept", "waiting")

    def __init__(
        self,
        header: RunHeader,
        wake: Callable[[SQLiteJournal], None],
        reach: Callable[[list[tuple[SQLiteJournal, int]]], Awaitable[None]],
        before: Sequence[Any] = (),
    ) -> None:
        self._header = header
        self._fields = header_fields(header)
        self._standing = Standing()
        self._wake = wake
        self._reach = reach
        self.events: list[Any] = list(before)
        self._standing.read(self.events, header.started)
        self.kept = len(self.events) if before else -1
        self.waiting = False

    def append(self, event: tuple[Any, ...]) -> None:
        """Take one event; never waits and never raises."""
        self.events.append(event)
        if not self.waiting:
            self._wake(self)

    async def commit(self) -> None:
        """Return when everything appended so far is in the file, in a committed transaction.

        Raises:
            StoreError: when it can't be kept; it stays in memory, and the next commit tries again.
        """
        if self.kept < len(self.events):
            await self._reach([(self, len(self.events))])

    def part(self, most: int) -> Part:
        """Return the events to write next, `most` of them at the most."""
        first = max(self.kept, 0)
        events = self.events[first : first + most]
        self._standing.read(events, self._header.started)
        row = batch_row(self._fields, self._standing.summary(self._header), first, events)
        return Part(self, len(events), first + len(events), row)


class Part(NamedTuple):
    """A journal's share of a batch.

    Attributes:
        journal: whose share it is.
        size: how many events it has.
        kept: how many of the run's events are in the file once it is written.
        row: what to write.
    """

    journal: SQLiteJournal
    size: int
    kept: int
    row: tuple[Any, ...]
