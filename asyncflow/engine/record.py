"""A run's record: what is known of it at the start, every event since, and the views that watch them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asyncflow.ambient import World
from asyncflow.engine.options import RunOptions
from asyncflow.errors import StoreError
from asyncflow.events import Event, Kind, RunHeader, RunStarted, plain_detail
from asyncflow.names import friendly_name
from asyncflow.ports import Store
from asyncflow.signals import Signal

_log = logging.getLogger("asyncflow")

_SAID = ("run_started", "task_called")
"""Events whose detail is an object of the engine's that views don't get."""


class Record:
    """Takes a run's events and hands them to its journal and to the world's views.

    Args:
        flow: the flow's name.
        parameters: the run's parameters.
        store: where its journal is kept.
        options: how the run differs from a plain one.
        world: whose clocks, names and views it uses.
        owned_store: a store that was opened for this run alone, closed at its end.

    Attributes:
        header: what is known of the run at its start.
        emit: appends an event: kind, number of the task run, attempt, detail.
    """

    def __init__(
        self,
        flow: str,
        parameters: Mapping[str, Any],
        store: Store,
        options: RunOptions,
        world: World,
        owned_store: Store | None = None,
    ) -> None:
        self._arguments = parameters
        self._started: RunStarted | None = None
        self._target = options.target
        resumption = options.resumption
        self.header = (
            resumption.header
            if resumption
            else RunHeader(
                id=options.run_id or world.new_id(),
                name=friendly_name(world.stream("names")),
                flow=flow,
                started=world.wall(),
                parent=options.parent,
                scenario=options.scenario,
                seed=world.seed,
                parameters={name: _short(value) for name, value in parameters.items()},
                variant=options.variant,
                world=options.world,
            )
        )
        self.store = store
        self._scheduled = options.scheduled
        self._owned_store = owned_store
        self._journal = resumption.journal if resumption else store.journal(self.header)
        self._listeners = world.listeners
        self._clock = world.monotonic
        # The offsets of a resumed run go on: by the wall clock, as another process has another monotonic one.
        passed = max(resumption.past.last, world.wall() - self.header.started) if resumption else 0.0
        self._began = self._clock() - passed
        self.emit = self._emitter()

    def offset(self) -> float:
        """Return the seconds since the run started."""
        return self._clock() - self._began

    @property
    def owns_store(self) -> bool:
        """Whether the store was opened for this run alone."""
        return self._owned_store is not None

    @property
    def events(self) -> list[Event]:
        """What happened so far, in order."""
        return [_readable(event) for event in self._journal.events]

    def begin(self) -> None:
        """Record the start."""
        header = self.header
        detail = {
            "flow": header.flow,
            "name": header.name,
            "parent": header.parent,
            "scenario": header.scenario,
            "seed": header.seed,
            "target": self._target,
            "parameters": dict(header.parameters),
            "scheduled": self._scheduled,
        }
        self._started = RunStarted(detail, self._arguments)
        self.emit("run_started", 0, 0, self._started)
        self._arguments = {}

    def resume(self, tasks: Sequence[str], given: Any) -> None:
        """Record that the run goes on.

        Args:
            tasks: the keys of the task runs that were paused and go on.
            given: their input.
        """
        self.emit("run_resumed", 0, 0, {"tasks": list(tasks), "input": _short(given)})

    async def end(self, tasks: int, attempts: int) -> None:
        """Record the end and make the record last; a store that fails costs the record, not the run.

        Args:
            tasks: how many task runs there were.
            attempts: how many attempts they made.
        """
        self.emit("run_ended", 0, 0, self._counts(tasks, attempts))
        await self._keep()
        if self._started is not None:
            self._started.arguments = {}  # they may be large, and nobody resumes a run that is over

    async def rest(self, tasks: int, attempts: int) -> None:
        """Record that the run is paused, as `end` records the end."""
        self.emit("run_paused", 0, 0, self._counts(tasks, attempts))
        await self._keep()

    def _counts(self, tasks: int, attempts: int) -> dict[str, int]:
        faults = [event[1] for event in self._journal.events].count("fault_injected")
        return {"tasks": tasks, "attempts": attempts, "faults": faults}

    async def _keep(self) -> None:
        try:
            await self._journal.commit()
        except StoreError as error:
            _log.warning("flow run %s goes unrecorded: %s", self.header.name, error)
        finally:
            if self._owned_store is not None:
                await self._owned_store.close()

    def _emitter(self) -> Callable[[Kind, int, int, Any], None]:
        """Return the function that appends an event; a closure, since it is called thrice per task."""
        append = self._tell_listeners if self._listeners else self._journal.append
        clock, began = self._clock, self._began

        def emit(kind: Kind, task: int, attempt: int, detail: Any) -> None:
            append((clock() - began, kind, task, attempt, detail))

        return emit

    def _tell_listeners(self, event: tuple[Any, ...]) -> None:
        """Append an event and show it to the views; a view that fails is dropped, the run goes on."""
        seq = len(self._journal.events)
        self._journal.append(event)
        seen = _readable(event)
        for listener in list(self._listeners):
            try:
                listener(self.header, seq, seen)
            except (Exception, Signal):  # noqa: BLE001 - a view can't change a run, whatever it raises
                if listener in self._listeners:
                    self._listeners.remove(listener)
                _log.exception("a listener failed and was removed; the run is not affected")


def _readable(event: tuple[Any, ...]) -> Event:
    """Return an event as views get it: a State stays one, other objects become what they say."""
    read = Event._make(event)
    return read._replace(detail=plain_detail(read.detail)) if read.kind in _SAID else read


def _short(value: Any, limit: int = 200) -> str:
    try:
        text = repr(value)
    except Exception as problem:  # noqa: BLE001 - a value that can't be shown is still a value
        text = f"<{type(value).__name__}: repr() raised {type(problem).__name__}>"
    return text if len(text) <= limit else text[: limit - 3] + "..."
