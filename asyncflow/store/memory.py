"""The store that keeps runs in memory, for scripts and tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from asyncflow.events import Event, RunHeader, RunSummary
from asyncflow.states import Paused, Running
from asyncflow.store.codec import decode_events, encode_events
from asyncflow.store.memory_cache import MemoryCache, cache_in_memory
from asyncflow.store.summary import Standing
from asyncflow.store.trouble import not_paused


class MemoryJournal:
    """One run's events, in a list.

    Args:
        header: what is known of the run at its start.

    Attributes:
        events: the events so far.
        append: takes one event; it is the list's own method, so it costs nothing more.
    """

    __slots__ = ("_read", "_standing", "append", "events", "header")

    def __init__(self, header: RunHeader) -> None:
        self.header = header
        self.events: list[Any] = []
        self.append: Callable[[tuple[Any, ...]], None] = self.events.append
        self._standing = Standing()
        self._read = 0

    async def commit(self) -> None:
        """Return at once: what memory can keep is kept."""

    def summary(self) -> RunSummary:
        """Return the run's line in the list of runs."""
        self._standing.read(self.events[self._read :], self.header.started)
        self._read = len(self.events)
        return self._standing.summary(self.header)

    def resume(self) -> bool:
        """Take the run as running again; return whether it was paused."""
        was_paused = self.summary().state == Paused.__name__
        if was_paused:
            self._standing.state = Running.__name__
        return was_paused

    def is_over(self) -> bool:
        """Whether the run has ended."""
        return bool(self.events) and self.events[-1][1] == "run_ended"


class MemoryStore:
    """Keeps journals in memory: every run that goes on, and the newest of those that are over.

    Args:
        finished: how many runs that are over it remembers; older ones are forgotten.
    """

    label = "memory"

    def __init__(self, *, finished: int = 100) -> None:
        self._finished = finished
        self._journals: dict[str, MemoryJournal] = {}
        self._kept: dict[str, RunSummary] = {}
        self._tidy_at = 2 * finished

    def __repr__(self) -> str:
        return f"<MemoryStore, {len(self._journals)} runs>"

    async def open(self) -> None:
        """Do nothing: memory is always open."""

    async def close(self) -> None:
        """Do nothing: what was kept stays readable."""

    def abandon(self) -> None:
        """Do nothing: memory holds on to nothing that would keep the process alive."""

    def journal(self, header: RunHeader) -> MemoryJournal:
        """Return a new journal for a run that starts now."""
        journal = self._journals[header.id] = MemoryJournal(header)
        # Looking for what to forget only now and then keeps a run's start cheap however many are remembered.
        if len(self._journals) > self._tidy_at:
            self._tidy()
            self._tidy_at = len(self._journals) + self._finished
        return journal

    @property
    def cache(self) -> MemoryCache:
        """Where results are kept for other runs: one place for all memory stores of the world."""
        return cache_in_memory()

    async def runs(self, *, limit: int = 50, flow: str | None = None) -> list[RunSummary]:
        """Return the newest runs first; child runs are left out."""
        wanted = [
            summary
            for summary in self._newest_first()
            if summary.header.parent is None and flow in (None, summary.header.flow)
        ]
        return wanted[: max(limit, 0)]

    async def find(self, reference: str) -> RunSummary | None:
        """Return the run with that id, that name (the newest of it), or that beginning of only one id."""
        known = self._newest_first()
        for summary in known:
            if summary.header.id == reference:
                return summary
        for summary in known:
            if summary.header.name == reference:
                return summary
        near = [summary for summary in known if reference and summary.header.id.startswith(reference)]
        return near[0] if len(near) == 1 else None

    async def events(self, run_id: str) -> list[Event]:
        """Return a run's events in order, in their JSON form; none for a run whose events lie elsewhere."""
        journal = self._journals.get(run_id)
        return decode_events([encode_events(journal.events)]) if journal else []

    async def revive(self, run_id: str) -> list[Event]:
        """Return a run's events in order, with states that carry their results."""
        journal = self._journals.get(run_id)
        return [Event._make(event) for event in journal.events] if journal else []

    async def reopen(self, header: RunHeader, events: Sequence[Event]) -> MemoryJournal:
        """Return the journal of a paused run, which goes on; nobody else may resume it from now on.

        Raises:
            StoreError: when it is not paused.
        """
        journal = self._journals.get(header.id)
        if journal is None or len(journal.events) != len(events) or not journal.resume():
            raise not_paused(header)
        return journal

    async def keep(self, summary: RunSummary) -> None:
        """Keep the summary of a run whose events lie elsewhere, in `summary.home`."""
        self._kept.pop(summary.header.id, None)
        self._kept[summary.header.id] = summary
        while len(self._kept) > self._finished:
            del self._kept[next(iter(self._kept))]

    def _newest_first(self) -> list[RunSummary]:
        self._tidy()
        found = {run_id: journal.summary() for run_id, journal in self._journals.items()} | self._kept
        return sorted(found.values(), key=lambda one: (one.header.started, one.header.id), reverse=True)

    def _tidy(self) -> None:
        over = [run_id for run_id, journal in self._journals.items() if journal.is_over()]
        for run_id in over[: max(len(over) - self._finished, 0)]:
            del self._journals[run_id]
