"""Plays a scenario in the real world: replicas, a fresh world, store and folder, then the verdict."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asyncflow import ambient, parameters
from asyncflow.ambient import World
from asyncflow.engine import FlowRun, RunOptions, TaskRun, start
from asyncflow.errors import NotInThisVersion
from asyncflow.faults import FaultPlan, TaskFault
from asyncflow.flow import Flow
from asyncflow.handles import scope
from asyncflow.history import RunHistory, fold
from asyncflow.net.http_faults import HttpFault
from asyncflow.net.redirect import Redirect
from asyncflow.net.replica import Replica
from asyncflow.ports import Listener
from asyncflow.scenario.always import Watch
from asyncflow.scenario.expectations import Check, Facts, check_all
from asyncflow.scenario.format import Expect, Scenario, Service
from asyncflow.scenario.policies import adapter
from asyncflow.scenario.resolve import http_fault_ids, http_faults, policy_options, task_faults
from asyncflow.scenario.support import unsupported
from asyncflow.scenario.tasks import check_tasks
from asyncflow.scenario.values import said
from asyncflow.scenario.verdict import FaultCount, Report
from asyncflow.store import SQLiteStore
from asyncflow.targets import load_flow

STORE = "asyncflow.db"
"""The file of a rehearsal's own store, in its folder."""


@dataclass(frozen=True)
class Rehearsal:
    """A scenario that was checked and can be played.

    Attributes:
        name: the scenario's name.
        scenario: what its file says.
        variant: the variant's name, or None for the scenario itself.
        seed: the seed of all chance.
        flow: the flow.
        parameters: its parameters, converted.
    """

    name: str
    scenario: Scenario
    variant: str | None
    seed: int | None
    flow: Flow[..., Any]
    parameters: dict[str, Any]

    @property
    def expect(self) -> Expect:
        """What is expected; a variant's expectations stand in the place of the scenario's."""
        chosen = self.scenario.variants[self.variant].expect if self.variant is not None else None
        return chosen or self.scenario.expect


def prepare(
    name: str, scenario: Scenario, *, variant: str | None = None, seed: int | None = None
) -> Rehearsal:
    """Check everything that can be checked before a scenario is played.

    Args:
        name: the scenario's name.
        scenario: what its file says.
        variant: which variant of it to play.
        seed: stands in for the scenario's seed.

    Raises:
        NotInThisVersion: when the scenario says what this version can't carry out.
        ScenarioInvalid: when it names tasks or classes that there are not.
        ParameterError: when its parameters do not fit the flow.
        UsageError: when the flow can't be imported.
        NotFound: when there is no such flow, or no such variant.
    """
    missing = unsupported(scenario)
    if missing:
        raise NotInThisVersion("\n".join(missing))
    flow = load_flow(scenario.flow)
    task_faults(scenario)
    policy_options(scenario, variant)
    names, complete = flow.task_names()
    if complete:
        check_tasks(scenario, names)
    given = parameters.convert(flow.name, flow.parameters, scenario.parameters)
    return Rehearsal(name, scenario, variant, scenario.seed if seed is None else seed, flow, given)


def play(rehearsal: Rehearsal, folder: Path, listeners: Sequence[Listener] = ()) -> Report:
    """Play a scenario on an event loop of its own and return what it came to.

    Args:
        rehearsal: what `prepare` made.
        folder: where the rehearsal's own folder is made; it is kept.
        listeners: views that see every event.

    Raises:
        KeyboardInterrupt: after Ctrl-C; the run is cancelled and recorded.
    """
    wall = ambient.world().monotonic
    began = wall()
    before = rehearsal.expect.before
    baseline: list[Check] = []
    if before is not None:
        calm = _Stage(rehearsal, folder, (), with_faults=False)
        baseline = [
            Check(f"before any fault, {check.what}", check.held, check.detail)
            for check in check_all(before, calm.run())
        ]
    stage = _Stage(rehearsal, folder, listeners, with_faults=True)
    facts = stage.run()
    _check_names(rehearsal, facts.history)
    return Report(
        scenario=rehearsal.name,
        variant=rehearsal.variant,
        world="real",
        seed=rehearsal.seed,
        history=facts.history,
        faults=stage.fault_counts(),
        checks=(*baseline, *stage.watch.checks(), *check_all(rehearsal.expect, facts)),
        wall_s=wall() - began,
        home=facts.home,
    )


def _check_names(rehearsal: Rehearsal, history: RunHistory) -> None:
    """Check task names once more when the flow's tasks could not be told before the run."""
    names, complete = rehearsal.flow.task_names()
    if not complete:
        check_tasks(rehearsal.scenario, dict.fromkeys([*names, *(task.name for task in history.tasks)]))


class _Stage:
    """One run of the flow with everything around it: world, folder, store, replicas, faults."""

    def __init__(
        self, rehearsal: Rehearsal, folder: Path, listeners: Sequence[Listener], *, with_faults: bool
    ) -> None:
        self._rehearsal = rehearsal
        scenario = rehearsal.scenario
        self._world = World(seed=rehearsal.seed)
        self._id = self._world.new_id()
        self._home = folder.resolve() / self._id
        self._files = Path(scenario.source.file).resolve().parent
        self._faulty = with_faults
        self._plan = FaultPlan(task_faults(scenario) if with_faults else ())
        self._strikes: dict[str, int] = {}
        self._callers: dict[int, TaskRun] = {}
        self._redirect = Redirect(on_connect=self._note_caller)
        self.watch = Watch(rehearsal.expect.always)
        self._world.listeners.extend(listeners)
        if rehearsal.expect.always and with_faults:
            self._world.listeners.append(self.watch.listener)
        self._flow_run: FlowRun | None = None

    def run(self) -> Facts:
        """Run the flow to its end in a folder of its own."""
        self._home.mkdir(parents=True)
        with (
            ambient.entered(self._world),
            _working_in(self._home),
            asyncio.Runner(loop_factory=self._redirect.new_loop) as runner,
        ):
            flow_run = runner.run(self._to_its_end())
        result = flow_run.state.result if flow_run.is_success() else None
        events = flow_run.events
        return Facts(fold(flow_run.header, events), result, self._home, events)

    async def _to_its_end(self) -> FlowRun:
        rehearsal = self._rehearsal
        store = SQLiteStore(self._home / STORE)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(store.close)
            await store.open()
            for host, service in rehearsal.scenario.services.items():
                replica = await stack.enter_async_context(self._replica(host, service))
                self._redirect.map(host, replica.port)
            flow_run = await start(
                rehearsal.flow,
                rehearsal.flow.arguments(rehearsal.parameters),
                store=store,
                options=self._options(),
            )
            self._flow_run = flow_run
            try:
                await flow_run.wait()
            except asyncio.CancelledError:
                flow_run.cancel("Interrupted.")
                await flow_run.wait()
                raise
            return flow_run

    def _options(self) -> RunOptions:
        rehearsal = self._rehearsal
        return RunOptions(
            run_id=self._id,
            scenario=rehearsal.name,
            faults=self._plan,
            adapt=adapter(policy_options(rehearsal.scenario, rehearsal.variant)),
        )

    def _replica(self, host: str, service: Service) -> Replica:
        scenario = self._rehearsal.scenario
        ids = http_fault_ids(scenario, host)
        faults = [HttpFault(**keywords) for keywords in http_faults(scenario, host)]
        seed = service.seed if service.seed is not None else self._rehearsal.seed
        return Replica(
            service.replica,
            records=self._files / service.file if service.file else None,
            seed=7 if seed is None else seed,
            count=service.records,
            faults=faults if self._faulty else (),
            on_fault=self._striker(host, {id(fault): name for fault, name in zip(faults, ids, strict=True)}),
        )

    # ------------------------------------------------------------------ faults that strike at a service

    def _striker(self, host: str, names: dict[int, str]) -> Callable[[HttpFault, int, int], None]:
        def struck(fault: HttpFault, request: int, port: int) -> None:
            """Record a strike, at the attempt whose connection it hit when that is known."""
            name = names[id(fault)]  # by identity: a file may say the same fault twice
            self._strikes[name] = self._strikes.get(name, 0) + 1
            caller = self._callers.get(port)
            detail = {"id": name, "at": {"service": host, "request": request}, "do": fault.do}
            if caller is not None:
                caller.note("fault_injected", detail)
            elif self._flow_run is not None:
                self._flow_run.emit("fault_injected", 0, 0, detail)

        return struck

    def _note_caller(self, port: int) -> None:
        """Remember which task run opened the connection from a local port."""
        caller = scope.get()
        if isinstance(caller, TaskRun):
            self._callers[port] = caller

    def fault_counts(self) -> tuple[FaultCount, ...]:
        """Return the scenario's faults in the order of the file, and how often each struck."""
        return tuple(self._counts())

    def _counts(self) -> Iterator[FaultCount]:
        planned: dict[str, TaskFault] = {fault.id: fault for fault in self._plan.faults}
        for position, fault in enumerate(self._rehearsal.scenario.faults):
            name = f"fault[{position + 1}]"
            fired = self._plan.fired[name] if name in planned else self._strikes.get(name, 0)
            yield FaultCount(name, said(fault.at), fault.do, fired, fault.optional)


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
