"""One run of a scenario's flow and all that is around it: world, folder, store, replicas and faults."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from asyncflow.engine import FlowRun, RunOptions, to_its_end
from asyncflow.errors import Escaped, Stuck
from asyncflow.events import Event, RunHeader
from asyncflow.faults import FaultPlan, TaskFault
from asyncflow.history import fold
from asyncflow.ports import Listener
from asyncflow.scenario.expectations import Facts
from asyncflow.scenario.fires import follow
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
        self._with_faults = with_faults
        self._plans: list[FaultPlan] = []
        self._services = Services(scenario, rehearsal.seed, with_faults=with_faults)
        world.when_connected(self._services.connected)
        self._id, self._home = world.home(homes)
        self._begun: list[FlowRun] = []
        self._events: dict[str, int] = {}

    def run(self) -> Facts:
        """Run the flow to its end, on an event loop and in a folder of its own; return its last run.

        Raises:
            InvalidSchedule: when the flow's schedule is to be followed, and has no fire any more.
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
        runs = tuple(map(self._facts, self._begun))
        if self.trouble is not None and not all(run.history.has_stopped for run in runs):
            asyncio.run(_write_down(runs, self._home / STORE))
        return runs[-1] if self._rehearsal.scenario.fires is None else replace(runs[-1], runs=runs)

    def _facts(self, flow_run: FlowRun) -> Facts:
        events = flow_run.events[: self._events.get(flow_run.id, 0)]
        return Facts(
            history=fold(flow_run.header, events),
            result=flow_run.state.result if flow_run.is_success() else None,
            home=self._home,
            events=events,
            breakers=_breakers_of(flow_run),
        )

    async def _to_its_end(self) -> None:
        async with AsyncExitStack() as stack:
            store = SQLiteStore(self._home / STORE)
            stack.push_async_callback(store.close)
            await store.open()
            await self._services.start(stack, self._world.publish)
            chance, now = self._world.ambient.stream("wire"), asyncio.get_running_loop().time()
            self._world.obstruct(self._services.wire(chance, now))
            await self._play(store)

    async def _play(self, store: SQLiteStore) -> None:
        flow, given, fires = self._rehearsal.flow, self._rehearsal.parameters, self._rehearsal.scenario.fires
        if fires is not None:
            await follow(flow, given, fires, store=store, options=self._options, begun=self._begun)
            return
        options = self._options()
        await to_its_end(flow, flow.arguments(given), store=store, options=options, begun=self._begun.append)

    def _heard(self, header: RunHeader, seq: int, _event: Event) -> None:
        """Count the events; when a simulated world ends early, its clearing away is no part of the run."""
        trace = self._world.trace
        if header.parent is None and not (trace is not None and trace.is_closed):
            self._events[header.id] = seq + 1

    def _options(self) -> RunOptions:
        """Return the options of the next run; the first one has the folder's id."""
        rehearsal = self._rehearsal
        self._plans.append(FaultPlan(self._faults(len(self._plans) + 1)))
        return RunOptions(
            run_id=self._id if len(self._plans) == 1 else None,
            scenario=rehearsal.name,
            variant=rehearsal.variant,
            world=rehearsal.world,
            faults=self._plans[-1],
            adapt=adapter(rehearsal.scenario, rehearsal.variant),
        )

    def _faults(self, fire: int) -> tuple[TaskFault, ...]:
        return task_faults(self._rehearsal.scenario, fire) if self._with_faults else ()

    @property
    def stuck(self) -> str:
        """Where a simulated run got stuck, or nothing."""
        return str(self.trouble) if isinstance(self.trouble, Stuck) else ""

    def fault_counts(self) -> tuple[FaultCount, ...]:
        """Return the scenario's faults in the order of the file, and how often each struck."""
        fired = Counter(self._services.strikes)
        for plan in self._plans:
            fired.update(plan.fired)
        faults = enumerate(self._rehearsal.scenario.faults)
        return tuple(_counted(fault_id(position), fault, fired) for position, fault in faults)


def _counted(name: str, fault: Fault, fired: Mapping[str, int]) -> FaultCount:
    which = fault.signal or (str(fault.status) if fault.status is not None else "")
    return FaultCount(name, said(fault.at), fault.do, fired.get(name, 0), fault.optional, which)


def _breakers_of(flow_run: FlowRun) -> tuple[str, ...]:
    """Return the names of the breakers around the run's tasks, each once."""
    breakers = (task_run.declared.policy.breaker for task_run in flow_run.tasks)
    return tuple(dict.fromkeys(breaker.name for breaker in breakers if breaker is not None))


async def _write_down(runs: Sequence[Facts], path: Path) -> None:
    """Keep runs as far as they came, in place of what their store made of the end that they did not have."""
    for left in path.parent.glob(f"{path.name}*"):
        left.unlink()
    store = SQLiteStore(path)
    await store.open()
    try:
        for run in runs:
            journal = store.journal(run.history.header)
            for event in run.events:
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
