"""One run of a scenario's flow and all that is around it: world, folder, store, replicas and faults."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from asyncflow import ambient
from asyncflow.ambient import World
from asyncflow.engine import FlowRun, RunOptions, to_its_end
from asyncflow.faults import FaultPlan
from asyncflow.history import fold
from asyncflow.ports import Listener
from asyncflow.scenario.expectations import Facts
from asyncflow.scenario.format import Fault
from asyncflow.scenario.policies import adapter
from asyncflow.scenario.resolve import fault_id, task_faults
from asyncflow.scenario.services import Services
from asyncflow.scenario.values import said
from asyncflow.scenario.verdict import FaultCount
from asyncflow.store import SQLiteStore

if TYPE_CHECKING:
    from asyncflow.scenario.play import Rehearsal

STORE = "asyncflow.db"
"""The file of a rehearsal's own store, in its folder."""


class Stage:
    """What one run is played on; it serves once.

    Args:
        rehearsal: what is played.
        folder: where the run's own folder is made, under its id; it is kept.
        listeners: views that see every event.
        with_faults: whether the scenario's faults strike.
    """

    def __init__(
        self, rehearsal: Rehearsal, folder: Path, listeners: Sequence[Listener] = (), *, with_faults: bool
    ) -> None:
        scenario = rehearsal.scenario
        self._rehearsal = rehearsal
        self._world = World(seed=rehearsal.seed)
        self._world.listeners.extend(listeners)
        self._id = self._world.new_id()
        self._home = folder.resolve() / self._id
        self._plan = FaultPlan(task_faults(scenario) if with_faults else ())
        self._services = Services(scenario, rehearsal.seed, with_faults=with_faults)

    def run(self) -> Facts:
        """Run the flow to its end, on an event loop and in a folder of its own.

        Raises:
            KeyboardInterrupt: after Ctrl-C; the run is cancelled and recorded.
            UsageError: when a service can't be started.
            StoreError: when the folder can't be written.
        """
        self._home.mkdir(parents=True)
        with (
            ambient.entered(self._world),
            _working_in(self._home),
            asyncio.Runner(loop_factory=self._services.redirect.new_loop) as runner,
        ):
            flow_run = runner.run(self._to_its_end())
        events = flow_run.events
        return Facts(
            history=fold(flow_run.header, events),
            result=flow_run.state.result if flow_run.is_success() else None,
            home=self._home,
            events=events,
            breakers=_breakers_of(flow_run),
        )

    async def _to_its_end(self) -> FlowRun:
        rehearsal = self._rehearsal
        async with AsyncExitStack() as stack:
            store = SQLiteStore(self._home / STORE)
            stack.push_async_callback(store.close)
            await store.open()
            await self._services.start(stack)
            arguments = rehearsal.flow.arguments(rehearsal.parameters)
            return await to_its_end(rehearsal.flow, arguments, store=store, options=self._options())

    def _options(self) -> RunOptions:
        rehearsal = self._rehearsal
        return RunOptions(
            run_id=self._id,
            scenario=rehearsal.name,
            faults=self._plan,
            adapt=adapter(rehearsal.scenario, rehearsal.variant),
        )

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


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
