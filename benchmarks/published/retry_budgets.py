"""Retry budgets: what do retries add to the load of a service that fails, and what do they save?

Every layer that makes up to four attempts multiplies the load of a service that is down by four. The SRE book
(B. Beyer and others, 2016, chapter 21) therefore allows retries a tenth of a client's requests; M. Brooker,
"Fixing retries with token buckets and circuit breakers", 2022, lets a tenth of a token come with each success
and a whole one go with each retry. Both hold the load below 1.1 times what was asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from random import Random

from asyncflow import Policy, Retry, sim
from asyncflow.policies import Budget, TokenBudget
from benchmarks.measure import FULL, Effort
from benchmarks.published.claims import Claim, Finding

NAME = "retry_budgets"
QUESTION = "how much load do retries add to a service that fails, with a budget and without?"

FULL_CALLS = 100_000
QUICK_CALLS = 10_000

ATTEMPTS = 4
BUCKET = TokenBudget("service", per_success=0.1, per_retry=1.0, capacity=100)

WAYS = {
    "no retry": Retry(1),
    "3 retries": Retry(ATTEMPTS),
    "3 retries, token bucket": Retry(ATTEMPTS, budget=BUCKET),
}
"""The three ways of the table."""

BROOKER = "M. Brooker 2022"
TABLE = "M. Brooker's model, simulated without this library"
SRE = "SRE book, chapter 21"
ENVOY = "Envoy's retry budget"

PUBLISHED = {
    0.05: ((1.00, 0.950), (1.052, 1.000), (1.052, 1.000)),
    0.10: ((1.00, 0.901), (1.111, 0.9999), (1.099, 0.990)),
    0.20: ((1.00, 0.800), (1.250, 0.998), (1.087, 0.869)),
    0.50: ((1.00, 0.500), (1.873, 0.938), (1.053, 0.527)),
    1.00: ((1.00, 0.000), (4.000, 0.000), (1.000, 0.000)),
}
"""Load and share of calls that succeed, for each of the three ways, by the share of attempts that fail."""

IN_FLIGHT_CALLS = 100


@dataclass(frozen=True)
class Service:
    """What a service that fails went through.

    Attributes:
        load: attempts that reached it, for each call.
        success: the share of calls that succeeded in the end.
    """

    load: float
    success: float


def measure(way: str, failing: float, *, calls: int, seed: int = 1) -> Service:
    """Make calls one after the other of a service that fails by chance.

    Args:
        way: one of `WAYS`.
        failing: the share of the attempts that fail.
        calls: how many calls there are.
        seed: fixes all chance.
    """
    return sim.run(_one_after_the_other(Policy(retry=WAYS[way]), failing, calls, seed), seed=seed)


async def _one_after_the_other(policy: Policy, failing: float, calls: int, seed: int) -> Service:
    random, made, succeeded = Random(seed), 0, 0

    async def attempt() -> None:
        nonlocal made
        made += 1
        if random.random() < failing:
            raise ConnectionError

    for _ in range(calls):
        succeeded += await _succeeds(policy.call(attempt))
    return Service(made / calls, succeeded / calls)


async def _succeeds(call: Awaitable[None]) -> bool:
    try:
        await call
    except ConnectionError:
        return False
    return True


def layered(depth: int, attempts: int, budgets: Callable[[int], TokenBudget] | None = None) -> float:
    """Return how many calls reach a service that is down, for each call of the outermost layer.

    Args:
        depth: how many layers call each other, each with retries of its own.
        attempts: how many attempts a layer makes.
        budgets: the budget of a layer by its number; None for none.
    """
    calls = 1 if budgets is None else 1000
    return sim.run(_layered(depth, attempts, budgets, calls)) / calls


async def _layered(
    depth: int, attempts: int, budgets: Callable[[int], TokenBudget] | None, calls: int
) -> int:
    made = 0

    async def down() -> None:
        nonlocal made
        made += 1
        raise ConnectionError

    layer: Callable[[], Awaitable[None]] = down
    for number in range(depth):
        budget = None if budgets is None else budgets(number)
        layer = Policy(retry=Retry(attempts, budget=budget))(layer)
    for _ in range(calls):
        await _succeeds(layer())
    return made


def in_flight(share: float, *, seconds: int = 20) -> float:
    """Return the attempts for each call when all fail and only a share of the flight may be retried.

    A hundred calls are made in each second, and an attempt takes one.

    Args:
        share: the budget's.
        seconds: how long calls are made.
    """
    budget = Budget("service", share=share, floor=0)
    return sim.run(_crowd(Policy(retry=Retry(ATTEMPTS, budget=budget)), seconds * IN_FLIGHT_CALLS))


async def _crowd(policy: Policy, calls: int) -> float:
    made = 0

    async def attempt() -> None:
        nonlocal made
        made += 1
        await asyncio.sleep(1.0)
        raise ConnectionError

    async with asyncio.TaskGroup() as group:
        for _ in range(calls):
            group.create_task(_succeeds(policy.call(attempt)))
            await asyncio.sleep(1.0 / IN_FLIGHT_CALLS)
    return made / calls


def cell(way: str, failing: float, found: Service) -> Iterator[Finding]:
    """Yield what was published of one cell of the table, with what it came to here."""
    load, success = PUBLISHED[failing][list(WAYS).index(way)]
    where = f"{failing:.0%} of the attempts fail, {way}"
    yield Finding(Claim(f"{where}: load", load, load - 0.03, load + 0.03, TABLE), found.load)
    yield Finding(Claim(f"{where}: success", success, success - 0.02, success + 0.02, TABLE), found.success)


def amplification() -> Iterator[Finding]:
    """Yield how loads multiply from layer to layer, and what holds them down."""
    yield Finding(Claim("3 layers of 4 attempts: load", 64, 64, 64, SRE), layered(3, 4))
    yield Finding(Claim("5 layers of 3 attempts: load", 243, 243, 243, SRE), layered(5, 3))

    def tenth(layer: int) -> TokenBudget:
        return TokenBudget(f"layer {layer}", per_success=0.1, capacity=100)

    held = Claim("5 layers of 3 attempts, token buckets: load", 1.1**5, 1.0, 1.1**5, SRE)
    yield Finding(held, layered(5, 3, tenth))
    for share in (0.1, 0.2):
        most = 1 / (1 - share)
        told = f"{share:.0%} of the flight may be retried, all fail: load"
        yield Finding(Claim(told, most, 1.0, most, ENVOY), in_flight(share))


def findings(effort: Effort) -> Iterator[Finding]:
    """Run the table and the amplification; a small run has fewer calls."""
    calls = FULL_CALLS if effort is FULL else QUICK_CALLS
    worst = 0.0
    for failing in PUBLISHED:
        for way in WAYS:
            found = measure(way, failing, calls=calls)
            worst = max(worst, found.load if "bucket" in way else 0.0)
            yield from cell(way, failing, found)
    yield Finding(Claim("the most load with a budget of a tenth", 1.1, 1.05, 1.111, BROOKER), worst)
    yield from amplification()
