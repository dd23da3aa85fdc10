"""Backoff and jitter under contention: who waits how, and what does it cost in calls and in time?

N clients each change the same row once. Each reads its version, and writes if it is unchanged; of those who
read the same version one wins, and the others wait and try again. M. Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015, counted the writes and the time until the last client was done, with a
network whose every hop takes about 10 ms, and waits of 5 ms that double up to 2 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from statistics import fmean

from asyncflow import Policy, Retry, exponential, sim
from benchmarks.measure import FULL, Effort
from benchmarks.published.claims import Claim, Finding

NAME = "aws_backoff"
QUESTION = "what do five ways to wait cost when N clients change one row?"

HOP, SPREAD = 0.010, 0.002
BASE, CAP = 0.005, 2.0

FULL_CLIENTS = tuple(range(10, 200, 10))
FULL_RUNS = 10
QUICK_CLIENTS = (100,)
QUICK_RUNS = 6

SOURCE = "AWS Architecture Blog 2015"
TABLE = "the article's own simulator, 100 runs"


class Conflict(Exception):
    """Somebody else has written since the row was read."""


# The article counts attempts from 1, so that its first wait is bounded by twice the base.
_DOUBLING = exponential(2 * BASE, cap=CAP)

WAYS = {
    "none": Retry(1_000_000, on=Conflict),
    "exponential": Retry(1_000_000, _DOUBLING, on=Conflict),
    "equal": Retry(1_000_000, _DOUBLING, jitter="equal", on=Conflict),
    "full": Retry(1_000_000, _DOUBLING, jitter="full", on=Conflict),
    "decorrelated": Retry(1_000_000, exponential(BASE, cap=CAP), jitter="decorrelated", on=Conflict),
}
"""The five ways to wait, by their names in the article."""


@dataclass(frozen=True)
class Cost:
    """What it took until all clients were done, as the mean of some runs.

    Attributes:
        time: seconds.
        calls: writes, those that failed included.
    """

    time: float
    calls: float


@dataclass
class Row:
    """What all clients want to change.

    Attributes:
        version: grows with every write that succeeds.
        calls: writes, those that failed included.
    """

    version: int = 0
    calls: int = 0

    def write(self, version: int) -> None:
        """Change the row if it is still at the version that was read.

        Raises:
            Conflict: when it is not; it may be read again.
        """
        self.calls += 1
        if version != self.version:
            raise Conflict
        self.version += 1


def measure(way: str, clients: int, *, runs: int, seed: int = 1) -> Cost:
    """Run the contest some times, each with a seed of its own, and return the means.

    Args:
        way: one of `WAYS`.
        clients: how many change the row.
        runs: how often it is repeated.
        seed: fixes all chance.
    """
    found = [sim.run(_contest(WAYS[way], clients, seed + run), seed=seed + run) for run in range(runs)]
    return Cost(fmean(cost.time for cost in found), fmean(cost.calls for cost in found))


async def _contest(retry: Retry, clients: int, seed: int) -> Cost:
    row, random, policy = Row(), Random(seed), Policy(retry=retry)

    def hops(count: int) -> float:
        return sum(abs(random.gauss(HOP, SPREAD)) for _ in range(count))

    async def change() -> None:
        await asyncio.sleep(hops(1))
        version = row.version
        await asyncio.sleep(hops(2))  # the answer, and the write
        try:
            row.write(version)
        finally:
            await asyncio.sleep(hops(1))

    began = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(policy.call(change))
    return Cost(asyncio.get_running_loop().time() - began, row.calls)


def at_hundred(costs: dict[str, Cost]) -> Iterator[Finding]:
    """Yield what was published for 100 clients, with what the five ways cost them.

    Args:
        costs: by the names of `WAYS`.
    """
    calls = {way: cost.calls for way, cost in costs.items()}
    time = {way: cost.time for way, cost in costs.items()}

    def ratio(what: str, published: float, low: float, high: float, source: str, measured: float) -> Finding:
        return Finding(Claim(f"100 clients: {what}", published, low, high, source), measured)

    # The article has these two in words: fewer than half of the calls, and far less time.
    share = calls["full"] / calls["exponential"]
    yield ratio("calls, full jitter over none", 0.427, 0.41, 0.45, SOURCE, share)
    slower = time["exponential"] / time["full"]
    yield ratio("time, no jitter over full", 12.9, 11.0, 15.0, SOURCE, slower)
    yield ratio("calls, full over equal", 0.98, 0.94, 1.02, SOURCE, calls["full"] / calls["equal"])
    yield ratio("time, equal over full", 1.34, 1.2, 1.5, SOURCE, time["equal"] / time["full"])
    more = calls["decorrelated"] / calls["full"]
    yield ratio("calls, decorrelated over full", 1.26, 1.15, 1.37, SOURCE, more)


PUBLISHED: dict[int, dict[str, tuple[float, float]]] = {
    10: {
        "none": (0.382, 50.6),
        "exponential": (3.590, 51.0),
        "equal": (0.733, 42.4),
        "full": (0.465, 38.6),
        "decorrelated": (0.435, 37.9),
    },
    50: {
        "none": (1.146, 690),
        "exponential": (35.972, 620),
        "equal": (4.215, 346),
        "full": (2.842, 333),
        "decorrelated": (2.277, 376),
    },
    100: {
        "none": (2.026, 2422),
        "exponential": (63.572, 1861),
        "equal": (6.620, 813),
        "full": (4.925, 795),
        "decorrelated": (4.576, 1000),
    },
    190: {
        "none": (3.531, 7997),
        "exponential": (101.500, 5164),
        "equal": (9.373, 1759),
        "full": (7.389, 1771),
        "decorrelated": (7.663, 2437),
    },
}
"""Seconds and calls by number of clients and way, as the article's simulator has them."""


def cell(way: str, clients: int, cost: Cost) -> Iterator[Finding]:
    """Yield what was published of one cell of the table, with what it came to here."""
    seconds, calls = PUBLISHED[clients][way]
    where = f"{clients} clients, {way}"
    yield Finding(Claim(f"{where}: seconds", seconds, 0.85 * seconds, 1.15 * seconds, TABLE), cost.time)
    yield Finding(Claim(f"{where}: calls", calls, 0.94 * calls, 1.06 * calls, TABLE), cost.calls)


def findings(effort: Effort) -> Iterator[Finding]:
    """Run the contest of every size; a small run has the one of 100 clients."""
    sizes, runs = (FULL_CLIENTS, FULL_RUNS) if effort is FULL else (QUICK_CLIENTS, QUICK_RUNS)
    for clients in sizes:
        costs = {way: measure(way, clients, runs=runs) for way in WAYS}
        if clients == 100:
            yield from at_hundred(costs)
        if clients in PUBLISHED:
            for way, cost in costs.items():
                yield from cell(way, clients, cost)
