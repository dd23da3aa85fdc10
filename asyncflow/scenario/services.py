"""Replicas that stand in for a scenario's services, and whom each of their faults struck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

from asyncflow.engine import FlowRun, TaskRun
from asyncflow.handles import innermost
from asyncflow.net.http_faults import HttpFault
from asyncflow.net.replica import Replica
from asyncflow.scenario.format import Scenario, Service
from asyncflow.scenario.resolve import http_fault_ids, http_faults
from asyncflow.scenario.wire import Wire
from asyncflow.scenario.wire_faults import wire_faults
from asyncflow.wire.plan import WireFault


class Services:
    """The replicas of one run.

    Args:
        scenario: the scenario.
        seed: decides the records of a service that has neither a seed nor a file of its own.
        with_faults: whether they misbehave.

    Attributes:
        strikes: how often each fault struck, by its id.
    """

    def __init__(self, scenario: Scenario, seed: int, *, with_faults: bool) -> None:
        self.strikes: Counter[str] = Counter()
        self._scenario = scenario
        self._folder = Path(scenario.source.file).resolve().parent
        self._seed = seed
        self._with_faults = with_faults
        self._callers: dict[int, object] = {}

    async def start(self, stack: AsyncExitStack, publish: Callable[[str, int], None]) -> None:
        """Start the replicas, until the stack is closed, and lead the services' names to them.

        Args:
            stack: stops them.
            publish: leads a host name to a port of this machine.

        Raises:
            UsageError: when a service's file can't be used, or its name can't be redirected.
        """
        for host, service in self._scenario.services.items():
            replica = await stack.enter_async_context(self._replica(host, service))
            publish(host, replica.port)

    def wire(self, chance: Random, start: float = 0.0) -> Wire:
        """Return what goes wrong between the flow and the replicas, for a network that can carry it out.

        Args:
            chance: draws jitter, and which places a fault with a probability strikes.
            start: when the run starts, in seconds of the network's clock.
        """
        return Wire(wire_faults(self._scenario, start) if self._with_faults else (), chance, self._struck)

    def _struck(self, fault: WireFault, where: dict[str, Any], caller: object) -> None:
        self._record(fault.id, where, fault.do, caller)

    def _replica(self, host: str, service: Service) -> Replica:
        faults = [HttpFault(**keywords) for keywords in http_faults(self._scenario, host)]
        ids = http_fault_ids(self._scenario, host)
        # By identity: a file may say the same fault twice.
        names = {id(fault): name for fault, name in zip(faults, ids, strict=True)}

        def struck(fault: HttpFault, request: int, port: int) -> None:
            at = {"service": host, "request": request}
            self._record(names[id(fault)], at, fault.do, self._callers.get(port))

        return Replica(
            service.replica,
            records=self._folder / service.file if service.file else None,
            seed=self._seed if service.seed is None else service.seed,
            count=service.records,
            faults=faults if self._with_faults else (),
            on_fault=struck,
            framing=service.framing or "length",
            shape=service.shape or "json",
        )

    def connected(self, port: int) -> None:
        """Remember whose code opened the connection from a local port."""
        self._callers[port] = innermost()

    def _record(self, name: str, at: dict[str, Any], do: str, caller: object) -> None:
        """Count a strike, and note it at the attempt of the run that its connection belongs to.

        A client may keep a connection and use it for another task later: once the task run that opened it
        has ended, a strike is noted with the flow run.
        """
        self.strikes[name] += 1
        detail = {"id": name, "at": at, "do": do}
        if isinstance(caller, TaskRun) and not caller.is_final():
            caller.note("fault_injected", detail)
            return
        flow_run = caller.run if isinstance(caller, TaskRun) else caller
        if isinstance(flow_run, FlowRun):
            flow_run.emit("fault_injected", 0, 0, detail)
