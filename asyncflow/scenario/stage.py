"""One run of a scenario's flow and all that is around it: world, folder, store, replicas and faults."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from asyncflow.engine import FlowRun, RunOptions, to_its_end
from asyncflow.errors import Escaped, Stuck
from asyncflow.events import Event, RunHeader
from asyncflow.faults import FaultPlan
from asyncflow.history import fold
from asyncflow.ports import Listener
from asyncflow.scenario.expectations import Facts
from asyncflow.scenario.format import Fault
from asyncflow.scenario.homes import STORE, Homes
from asyncflow.scenario.policies import adapter
from asyncflow.scenario.resolve import fault_id, task_faults
from asyncflow.scenario.services import Services
from asyncflow.scenario.values import said
from asyncflow.scenario.verdict import FaultCount
from asyncflow.scenario.worlds import PlayedWorld
from asyncflow.store import SQLiteStore

if TYPE_CHECKING:
    from asyncflow.scenario.play import Rehearsal


class Stage:
    """What one run is played on; it serves once.

    Args:
        rehearsal: what is played.
        world: what it is played in.
        homes: makes the folder in which the run works.
        listeners: views that see every event.
        with_faults: whether the scenario's faults strike.

    Attributes:
        trouble: what kept a simulated run from its end, or None.
    """

    def __init__(
        self,
        rehearsal: Rehearsal,
        world: PlayedWorld,
        homes: Homes,
        listeners: Sequence[Listener] = (),
        *,
        with_faults: bool,
    ) -> None:
        scenario = rehearsal.scenario
        self.trouble: Stuck | Escaped | None = None
        self._rehearsal = rehearsal
        self._world = world
        world.ambient.listeners.extend([self._heard, *listeners])
        self._plan = FaultPlan(task_faults(scenario) if with_faults else ())
        self._services = Services(scenario, rehearsal.seed, with_faults=with_faults)
        world.when_connected(self._services.connected)
        self._id, self._home = world.home(homes)
        self._begun: list[FlowRun] = []
        self._events = 0

    def run(self) -> Facts:
        """Run the flow to its end, on an event loop and in a folder of its own.

        Raises:
            KeyboardInterrupt: after Ctrl-C; the run is cancelled and recorded.
            UsageError: when a service can't be started.
            StoreError: when the folder can't be written.
        """
        with _working_in(self._home):
            try:
                self._world.run(self._to_its_end())
            except (Stuck, Escaped) as trouble:
                if not self._begun:
                    raise
                self.trouble = trouble
        (flow_run,) = self._begun
        events = flow_run.events[: self._events]
        history = fold(flow_run.header, events)
        if self.trouble is not None and not history.has_stopped:
            asyncio.run(_write_down(history.header, events, self._home / STORE))
        return Facts(
            history=history,
            result=flow_run.state.result if flow_run.is_success() else None,
            home=self._home,
            events=events,
            breakers=_breakers_of(flow_run),
        )

    async def _to_its_end(self) -> None:
        rehearsal = self._rehearsal
        async with AsyncExitStack() as stack:
            store = SQLiteStore(self._home / STORE)
            stack.push_async_callback(store.close)
            await store.open()
            await self._services.start(stack, self._world.publish)
            chance, now = self._world.ambient.stream("wire"), asyncio.get_running_loop().time()
            self._world.obstruct(self._services.wire(chance, now))
            arguments = rehearsal.flow.arguments(rehearsal.parameters)
            options = self._options()
            await to_its_end(
                rehearsal.flow, arguments, store=store, options=options, begun=self._begun.append
            )

    def _heard(self, header: RunHeader, seq: int, _event: Event) -> None:
        """Count the events; when a simulated world ends early, its clearing away is no part of the run."""
        trace = self._world.trace
        if header.id == self._id and not (trace is not None and trace.is_closed):
            self._events = seq + 1

    def _options(self) -> RunOptions:
        rehearsal = self._rehearsal
        return RunOptions(
            run_id=self._id,
            scenario=rehearsal.name,
            variant=rehearsal.variant,
            world=rehearsal.world,
            faults=self._plan,
            adapt=adapter(rehearsal.scenario, rehearsal.variant),
        )

    @property
    def stuck(self) -> str:
        """Where a simulated run got stuck, or nothing."""
        return str(self.trouble) if isinstance(self.trouble, Stuck) else ""

    def fault_counts(self) -> tuple[FaultCount, ...]:
        """Return the scenario's faults in the order of the file, and how often each struck."""
        fired = {**self._services.strikes, **self._plan.fired}
        faults = enumerate(self._rehearsal.scenario.faults)
        return tuple(_counted(fault_id(position), fault, fired) for position, fault in faults)


def _counted(name: str, fault: Fault, fired: dict[str, int]) -> FaultCount:
    which = fault.signal or (str(fault.status) if fault.status is not None else "")
    return FaultCount(name, said(fault.at), fault.do, fired.get(name, 0), fault.optional, which)


def _breakers_of(flow_run: FlowRun) -> tuple[str, ...]:
    """Return the names of the breakers around the run's tasks, each once."""
    breakers = (task_run.declared.policy.breaker for task_run in flow_run.tasks)
    return tuple(dict.fromkeys(breaker.name for breaker in breakers if breaker is not None))


async def _write_down(header: RunHeader, events: Sequence[Event], path: Path) -> None:
    """Keep a run as far as it came, in place of what its store made of the end that it did not have."""
    for left in path.parent.glob(f"{path.name}*"):
        left.unlink()
    store = SQLiteStore(path)
    await store.open()
    try:
        journal = store.journal(header)
        for event in events:
            journal.append(event)
        await journal.commit()
    finally:
        await store.close()


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
