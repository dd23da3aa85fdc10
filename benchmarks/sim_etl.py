"""What does a rehearsal cost? A three-task HTTP ETL in both worlds, fault-free and with faults in the way."""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from asyncflow import ambient
from asyncflow.ambient import World
from asyncflow.engine import RunOptions, to_its_end
from asyncflow.examples.complaints import DATABASE, complaints_etl
from asyncflow.faults import FaultPlan, TaskFault
from asyncflow.net.redirect import Redirect
from asyncflow.net.replica import Replica
from asyncflow.sim import Simulation
from asyncflow.store import MemoryStore
from asyncflow.wire.plan import WireFault, WirePlan
from benchmarks.measure import Cost, Effort
from benchmarks.resident import resident_bytes
from benchmarks.rows import Note, Quantity, Row, ratios, row
from benchmarks.sim_cost import cost_of

HOST = "www.consumerfinance.gov"
RATIO = 1 / 1.5
PER_SCHEDULE = 5.0  # ms: two hundred schedules a second
KEPT = 0.1  # kB

Fault = TaskFault | WireFault

SCHEDULES: tuple[tuple[Fault, ...], ...] = (
    (TaskFault(id="1", task="parse_complaints", do="raise", error=ValueError, attempts=(1,)),),
    (TaskFault(id="2", task="get_complaints", do="raise", error=TimeoutError, attempts=(1, 2)),),
    (WireFault(id="3", host=HOST, do="reset", connections=(1, 2), byte=400),),
    (WireFault(id="4", host=HOST, do="eof", connections=(1,), byte=2_000),),
    (WireFault(id="5", host=HOST, do="refuse", connections=(1, 2)),),
    (WireFault(id="6", host=HOST, do="servfail", lookups=(1,)),),
    (WireFault(id="7", host=HOST, do="stall", connections=(1,), byte=1_000, seconds=60.0),),
    (WireFault(id="8", host=HOST, do="corrupt", connections=(1,), byte=1_200, count=8),),
)
"""What goes wrong, one schedule after the other."""


def rows(effort: Effort) -> Iterator[Row | Note]:
    """Measure the fault-free ETL in both worlds, schedules of faults, and what thousands of them leave."""
    repetitions = effort.repetitions(60)
    with _empty_folder():
        stock: list[Cost] = []
        simulated: list[Cost] = []
        for repetition in range(repetitions + 1):
            both = [(_stock, stock), (_simulated, simulated)]
            for play, found in both if repetition % 2 else reversed(both):
                cost = cost_of(play)
                if repetition:
                    found.append(cost)
        beside = {
            "stock": Quantity(median(cost.cpu for cost in stock) * 1e3, "ms"),
            "simulated": Quantity(median(cost.cpu for cost in simulated) * 1e3, "ms"),
        }
        yield row("sim", "three-task HTTP ETL", ratios(simulated, stock), "x", target=RATIO, beside=beside)
        each = [cost_of(_round).cpu / len(SCHEDULES) * 1e3 for _ in range(effort.repetitions(20))]
        rate = {"schedules a second": Quantity(1e3 / median(each), "")}
        yield row("sim", "a schedule of faults", each, "ms", target=PER_SCHEDULE, beside=rate)
        yield _kept(effort.tasks(10_000))


def _kept(schedules: int) -> Row | Note:
    """Return the kB by which the process grows per schedule, from the first tenth of many to the last one."""
    if resident_bytes() is None:
        return Note("sim", "this platform does not tell a process its memory, so that row is left out")
    for play in _plays(schedules // 10):
        play()
    gc.collect()
    before = resident_bytes() or 0
    for play in _plays(schedules - schedules // 10):
        play()
    gc.collect()
    grown = ((resident_bytes() or 0) - before) / schedules / 1000
    return row("sim", f"kept per schedule, {schedules:,} in one process", [grown], "kB", target=KEPT)


def _round() -> None:
    for play in _plays(len(SCHEDULES)):
        play()


def _plays(number: int) -> Iterator[Callable[[], None]]:
    for seed, faults in zip(range(number), cycle(SCHEDULES), strict=False):
        yield lambda seed=seed, faults=faults: _simulated(faults, seed)  # type: ignore[misc]


def _simulated(faults: tuple[Fault, ...] = (), seed: int = 7) -> None:
    simulation = Simulation(seed)
    if wire := [fault for fault in faults if isinstance(fault, WireFault)]:
        simulation.network.plan = WirePlan(wire, simulation.world.stream("wire"))
    _clear()
    simulation.run(_etl(simulation.network.publish, faults))


def _stock() -> None:
    redirect = Redirect()
    _clear()
    with ambient.entered(World(seed=7)), asyncio.Runner(loop_factory=redirect.new_loop) as runner:
        runner.run(_etl(redirect.map, ()))


async def _etl(publish: Callable[[str, int], Any], faults: tuple[Fault, ...]) -> None:
    plan = FaultPlan(fault for fault in faults if isinstance(fault, TaskFault))
    async with Replica("cfpb", count=10) as replica:
        publish(HOST, replica.port)
        run = await to_its_end(
            complaints_etl, {"size": 10}, store=MemoryStore(), options=RunOptions(faults=plan)
        )
    assert run.is_success() or plan.faults, run.state


def _clear() -> None:
    for left in Path().glob(f"{DATABASE}*"):
        left.unlink()


@contextmanager
def _empty_folder() -> Iterator[None]:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
