"""Hedging: what a second request does to the slowest of a hundred answers, and what it costs.

J. Dean and L. A. Barroso, "The Tail at Scale", Communications of the ACM 56 (2), 2013: a read of 1,000 keys
from 100 servers took 1,800 ms in the slowest of 1,000 cases, and 74 ms with a hedge after 10 ms, for 2 % more
requests. The article does not have the distribution of latencies; a mixture that gives its figures is used.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from random import Random

from asyncflow import Policy
from asyncflow.policies import Budget, Hedge
from asyncflow.sim import Simulation
from benchmarks.measure import FULL, Effort
from benchmarks.published.claims import Claim, Finding

NAME = "hedging"
QUESTION = "what does a second request do to the slowest of a hundred answers, and what does it cost?"

ARTICLE = "The Tail at Scale, 2013"
MIXTURE = "the mixture of latencies, simulated without this library"
BUDGET = "a fifth of what is in flight, as in Envoy's retry budget"

WIDTH = 100
"""Servers that a read asks at once."""
AFTER = 0.010
"""Seconds without an answer after which a hedge is sent."""
READS, FEW_READS = 20_000, 4_000
"""Reads of a full run and of a small one."""
WHOLE = 20
"""Reads of which every request is made; of the others only those that a hedge may be due for."""

Draw = Callable[[Random], float]
"""Draws how long a server takes, in seconds."""


def mixture(random: Random) -> float:
    """Draw mostly some 4 ms, and one time in fifty from 10 ms to 1.8 s."""
    lot = random.random()
    if lot < 0.001:
        return random.uniform(0.090, 1.815)
    if lot < 0.020:
        return random.uniform(0.010, 0.080)
    while True:
        quick = random.lognormvariate(1.36, 0.35) / 1000
        if quick < AFTER:
            return quick


def one_in_a_hundred(random: Random) -> float:
    """Draw a second one time in a hundred, and a millisecond else."""
    return 1.0 if random.random() < 0.01 else 0.001


@dataclass(frozen=True)
class Reads:
    """How long reads took, in milliseconds, from the quickest on, and how many requests each answer cost."""

    lengths: list[float]
    cost: float

    def percentile(self, share: float) -> float:
        """Return what that share of the reads did not exceed."""
        return self.lengths[min(len(self.lengths) - 1, int(share * len(self.lengths)))]

    def slower_than(self, length: float) -> float:
        """Return the share of reads that took at least so many milliseconds."""
        return 1 - bisect_left(self.lengths, length) / len(self.lengths)


class Servers:
    """Servers whose latencies chance draws; they count requests."""

    def __init__(self, draw: Draw, seed: int) -> None:
        self._draw = draw
        self._random = Random(seed)
        self.requests = 0

    async def read(self, policy: Policy, *, whole: bool) -> None:
        """Ask every server, and return when the last has answered.

        Args:
            policy: what each request is made under.
            whole: whether requests are made, too, that are answered before a hedge is due: each is just one.
        """
        drawn = [self._draw(self._random) for _ in range(WIDTH)]
        made = drawn if whole else [length for length in drawn if length >= AFTER]
        self.requests += len(drawn) - len(made)
        quick = max((length for length in drawn if length < AFTER), default=0.0)
        await asyncio.gather(asyncio.sleep(quick), *(policy.call(self.request(length)) for length in made))

    def request(self, length: float | None = None) -> Callable[[], Awaitable[None]]:
        """Return a request whose first call takes so many seconds; what others take is drawn."""
        first = [] if length is None else [length]

        async def request() -> None:
            self.requests += 1
            await asyncio.sleep(first.pop() if first else self._draw(self._random))

        return request


def reads(policy: Policy, count: int, draw: Draw = mixture, *, seed: int = 5) -> Reads:
    """Return how long reads take under a policy.

    Args:
        policy: what each request is made under.
        count: how many reads there are.
        draw: how long a server takes.
        seed: decides the latencies.
    """

    async def story() -> Reads:
        servers, loop, lengths = Servers(draw, seed), asyncio.get_running_loop(), []
        for number in range(count):
            began = loop.time()
            await servers.read(policy, whole=number < WHOLE)
            lengths.append(1000 * (loop.time() - began))
        return Reads(sorted(lengths), servers.requests / (WIDTH * count))

    return Simulation(seed).run(story())


def in_turn(policy: Policy, count: int, *, seed: int = 5) -> float:
    """Return how many requests each answer costs when they are asked for one after the other."""

    async def story() -> float:
        servers = Servers(mixture, seed)
        for _ in range(count):
            await policy.call(servers.request())
        return servers.requests / count

    return Simulation(seed).run(story())


def at_once(policy: Policy, count: int) -> float:
    """Return how many requests each answer costs when all are slow, and are asked for at the same time."""

    async def story() -> float:
        servers = Servers(lambda _: 1.0, 5)
        await asyncio.gather(*(policy.call(servers.request()) for _ in range(count)))
        return servers.requests / count

    return Simulation(5).run(story())


NO_HEDGE = ((0.5, 58.0, 4.0, MIXTURE), (0.99, 1636.0, 60.0, MIXTURE), (0.999, 1800.0, 30.0, ARTICLE))
HEDGED = ((0.5, 14.4, 0.8, MIXTURE), (0.99, 50.9, 6.0, MIXTURE), (0.999, 74.0, 12.0, ARTICLE))
"""Share of the reads, the milliseconds that they do not exceed, how far off these may be, and who says so."""


def tail(count: int) -> Iterator[Finding]:
    """Yield how long the slowest reads take without and with a hedge, and what the hedge costs."""
    plain, hedged = reads(Policy(), count), reads(Policy(hedge=AFTER), count)
    for name, found, rows in (("no hedge", plain, NO_HEDGE), ("a hedge after 10 ms", hedged, HEDGED)):
        for share, published, off, source in rows:
            what = f"{name}: milliseconds that {share * 100:g} % of the reads do not exceed"
            yield Finding(
                Claim(what, published, published - off, published + off, source), found.percentile(share)
            )
    what = "a hedge after 10 ms: requests for each answer"
    yield Finding(Claim(what, 1.02, 1.018, 1.022, ARTICLE), hedged.cost)


def fan_out(count: int) -> Iterator[Finding]:
    """Yield how many reads are slow when one answer in a hundred is, without and with a hedge."""
    what = "1 % of the answers take a second, {}: share of the reads that do"
    plain = reads(Policy(), count, one_in_a_hundred)
    yield Finding(Claim(what.format("no hedge"), 0.63, 0.60, 0.66, ARTICLE), plain.slower_than(999.0))
    hedged = reads(Policy(hedge=AFTER), count, one_in_a_hundred)
    claim = Claim(what.format("a hedge after 10 ms"), 0.01, 0.005, 0.015, "1 - (1 - 0.01 ** 2) ** 100")
    yield Finding(claim, hedged.slower_than(999.0))


def cost(count: int) -> Iterator[Finding]:
    """Yield what hedges cost that follow a quantile, and what they cost when every answer is slow."""
    what = "a hedge when 95 % have an answer: requests for each answer"
    yield Finding(Claim(what, 1.05, 1.04, 1.06, ARTICLE), in_turn(Policy(hedge=Hedge(quantile=0.95)), count))
    what = "every answer is slow, {}: requests for each answer"
    yield Finding(
        Claim(what.format("no budget"), 2.0, 2.0, 2.0, "arithmetic"), at_once(Policy(hedge=AFTER), 500)
    )
    policy = Policy(hedge=Hedge(AFTER, budget=Budget("the servers", share=0.2, floor=1)))
    yield Finding(Claim(what.format("a budget of 20 %"), 1.2, 1.19, 1.21, BUDGET), at_once(policy, 500))


def findings(effort: Effort) -> Iterator[Finding]:
    """Run all of it."""
    count = READS if effort is FULL else FEW_READS
    for part in (tail, fan_out, cost):
        yield from part(count)
