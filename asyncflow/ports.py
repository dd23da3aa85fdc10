"""What one floor asks of another that it may not import.

`Flow.run` needs an engine, or what follows its schedule, the engine a store unless it is given one, and
`visualize` a drawer. None may be imported from where it is needed: each has one slot here, filled on first
use. Everything else is a protocol that assembly code passes in.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, Protocol, TypeVar

from asyncflow.entries import CacheEntry, CacheKey, Shelf
from asyncflow.events import Event, RunHeader, RunSummary
from asyncflow.outcomes import Decision, Outcome
from asyncflow.states import State

T_co = TypeVar("T_co", covariant=True)

Listener = Callable[[RunHeader, int, Event], None]
"""A view: called with the run, the event's sequence number and the event, on the loop, in order."""


class Slot:
    """A module above that is imported when it is first needed.

    Args:
        module: the module's import path.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._found: Any = None

    def __call__(self) -> Any:
        """Return the module."""
        if self._found is None:
            self._found = importlib.import_module(self._module)
        return self._found


engine = Slot("asyncflow.engine")
stores = Slot("asyncflow.store")
drawer = Slot("asyncflow.draw")
serving = Slot("asyncflow.serving")


class Run(Protocol[T_co]):
    """A flow run, as users see it."""

    @property
    def id(self) -> str:
        """Unique, sorts by time."""

    @property
    def name(self) -> str:
        """The friendly name, such as `quiet-heron`."""

    @property
    def state(self) -> State:
        """Where the run is now."""

    @property
    def tasks(self) -> Any:
        """The task runs in the order of their calls; index by name, number or handle."""

    def result(self) -> T_co:
        """Return the flow's value, or raise what made it fail."""

    async def wait(self) -> Run[T_co]:
        """Return the run when it is final; cancelling the waiter leaves the run going."""

    def cancel(self, reason: str = "") -> None:
        """Cancel the run and all its task runs; it is final when they are."""

    def is_success(self) -> bool:
        """Whether the run's state counts as success."""

    def is_failed(self) -> bool:
        """Whether the run's state counts as failure."""

    def is_final(self) -> bool:
        """Whether the run has ended."""

    def is_paused(self) -> bool:
        """Whether the run waits to be resumed."""

    def __await__(self) -> Generator[Any, None, T_co]:
        """Wait for the flow's value; cancelling the waiter cancels the run."""


class AttemptObserver(Protocol):
    """Who follows the attempts that a guard makes; the engine's task run is one.

    The first two methods may return an awaitable, which the guard awaits; they return plain values when
    there is nothing to wait for, so that the common case costs no suspension.
    """

    def attempt_started(self, attempt: int) -> Awaitable[Decision | None] | Decision | None:
        """Hear that attempt number `attempt` begins; a decision returned here stands in for the body."""

    def attempt_ended(
        self, attempt: int, outcome: Outcome, decision: Decision
    ) -> Awaitable[Decision] | Decision:
        """Hear what the attempt came to and what the policy decided; return the decision that holds."""

    @property
    def subject(self) -> object:
        """What is called, for policies that remember results; None when the function itself says it."""

    def note(self, kind: str, detail: dict[str, Any]) -> None:
        """Hear of something that is not an attempt, such as `breaker_changed`."""

    def hedged(self, number: int) -> HedgeObserver | None:
        """Return who follows hedge number `number` of the call; None when there is no room for one now."""


class HedgeObserver(AttemptObserver, Protocol):
    """Who follows the attempts of a hedge; `attempt_started` is called in the hedge's own context."""

    def left(self) -> None:
        """Hear that the hedge has ended, also of one that never began."""


class FaultSource(Protocol):
    """Where the engine asks whether a fault strikes; a scenario's plan is one."""

    def strike(self, task: str, call: int, attempt: int, *, index: int | None = None) -> Sequence[Any]:
        """Return the faults that strike this attempt, in order.

        Args:
            task: the task's name.
            call: which call of that name in the flow run, from 1.
            attempt: the attempt's number, from 1.
            index: which element of a mapped task, from 0; None for a task that is not mapped.
        """

    def missed(self, fault: Any) -> None:
        """Hear that a fault could not be carried out, since the attempt ended before its turn."""


class Journal(Protocol):
    """One run's place in a store."""

    @property
    def events(self) -> Sequence[Any]:
        """The events so far, in order, in the shape of `Event`."""

    @property
    def append(self) -> Callable[[tuple[Any, ...]], None]:
        """Take one event; never waits and never raises."""

    async def commit(self) -> None:
        """Return when everything appended so far is kept.

        Raises:
            StoreError: when it can't be kept; the run goes on without a record.
        """


class Cache(Protocol):
    """Keeps results of tasks, for other runs."""

    async def find(self, key: CacheKey) -> Shelf:
        """Return what it has for a key.

        Raises:
            StoreError: when it can't be read.
        """

    async def keep(self, key: CacheKey, entry: CacheEntry) -> None:
        """Keep an entry in the place of an older one, as data, and drop those whose time is over.

        Raises:
            NotStorable: when its value would not come back as what it is.
            StoreError: when it can't be written.
        """


class Store(Protocol):
    """Keeps the journals of runs."""

    @property
    def label(self) -> str:
        """Where it keeps them, for people: `memory` or a file's path."""

    async def open(self) -> None:
        """Make the store ready; opening it again is harmless.

        Raises:
            StoreError: when it can't be opened.
        """

    async def close(self) -> None:
        """Write what is waiting and let go of all resources; closing it again is harmless."""

    def abandon(self) -> None:
        """Let go of all resources at once and without an event loop; what is not written yet is lost."""

    def journal(self, header: RunHeader) -> Journal:
        """Return a new journal for a run that starts now."""

    async def runs(self, *, limit: int = 50, flow: str | None = None) -> list[RunSummary]:
        """Return the newest runs first; child runs are left out."""

    async def find(self, reference: str) -> RunSummary | None:
        """Return the run with that id, that beginning of an id, or that name (the newest of it)."""

    async def events(self, run_id: str) -> list[Event]:
        """Return a run's events in order; states come back in their JSON form."""

    @property
    def cache(self) -> Cache:
        """Where results are kept for other runs."""

    async def revive(self, run_id: str) -> list[Event]:
        """Return a run's events in order, with states that carry their results."""

    async def reopen(self, header: RunHeader, events: Sequence[Event]) -> Journal:
        """Return the journal of a paused run, to which a resume appends; of several at a time one gets it.

        Args:
            header: the run.
            events: what `revive` gave.

        Raises:
            StoreError: when it is not paused.
        """

    async def keep(self, summary: RunSummary) -> None:
        """Keep the summary of a run whose events lie elsewhere, in `summary.home`."""
