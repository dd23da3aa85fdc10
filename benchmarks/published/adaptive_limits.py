"""Adaptive limits: do they find what a server can do, whatever it is offered?

A server with ten workers needs 10 ms for each request, so it can do 1,000 a second, and is offered 0.9, 2 and
5 times as many for a minute; the second half counts. Requests that find no place are refused. The rules and
their figures are those of Netflix's concurrency-limits ("Performance Under Load", Netflix Technology Blog,
2018): Vegas keeps 3 to 6 requests waiting, Gradient2 lets times grow by half, AIMD is told what is slow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapreplace
from math import inf
from random import Random

from asyncflow.ambient import World
from asyncflow.errors import BulkheadFull
from asyncflow.policies import AIMD, Bulkhead, Gradient2, Vegas
from asyncflow.policy.bulkhead import Place, Places
from benchmarks.measure import FULL, Effort
from benchmarks.published.claims import Claim, Finding

NAME = "adaptive_limits"
QUESTION = "do adaptive limits find what a server can do, whatever it is offered?"

SOURCE = "the rules of concurrency-limits, simulated without this library"

WORKERS = 10
SERVICE = 0.01
CAPACITY = WORKERS / SERVICE
SECONDS = 60.0
COUNTED_FROM = SECONDS / 2
PATIENCE = 1.0
"""An answer that takes longer, in seconds, is no good to anybody."""
START = 20

WAYS = {
    "no limit": Bulkhead(10**6),
    "fixed": Bulkhead(START),
    "Vegas": Bulkhead(START, adaptive=Vegas()),
    "Gradient2": Bulkhead(START, adaptive=Gradient2()),
    "AIMD": Bulkhead(START, adaptive=AIMD(slow_after=0.1)),
}
LOADS = (0.9, 2.0, 5.0)
QUICK_LOADS = (0.9, 2.0)
"""Those of a small run."""


@dataclass(frozen=True)
class Answers:
    """What came of the requests of the second half.

    Attributes:
        good: answers in a second that came in time.
        typical: the median time of an answer, in seconds.
        slowest: the time that 99 in 100 answers did not exceed.
        refused: the share of requests that were refused.
        lowest: the lowest limit.
        highest: the highest limit.
    """

    good: float
    typical: float
    slowest: float
    refused: float
    lowest: int
    highest: int


class Server:
    """Ten workers, a queue, and the bulkhead before them."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.times: list[float] = []
        self.limits: list[int] = []
        self._free_at = [0.0] * WORKERS  # a heap
        # By the time of the answer, which is their order.
        self._under_way: deque[tuple[float, Place]] = deque()

    def offer(self, now: float) -> bool:
        """Take a request, and return whether it was not refused."""
        place = self.places.enter(now)
        if isinstance(place, BulkheadFull):
            return False
        answered_at = max(now, self._free_at[0]) + SERVICE
        heapreplace(self._free_at, answered_at)
        self._under_way.append((answered_at, place))
        return True

    def answer(self, until: float) -> None:
        """Give the answers that are due."""
        while self._under_way and self._under_way[0][0] <= until:
            now, place = self._under_way.popleft()
            if now >= COUNTED_FROM:
                self.times.append(now - place.since)
                self.limits.append(self.places.limit)
            self.places.leave(place, now)


def measure(way: str, load: float, *, seed: int = 1) -> Answers:
    """Offer requests at random to the server.

    Args:
        way: which bulkhead is before it.
        load: how many are offered, in shares of the capacity.
        seed: decides when requests arrive.
    """
    random = Random(seed)
    server = Server(WAYS[way].places(World(seed=seed)))
    offered = refused = 0
    now = 0.0
    while (now := now + random.expovariate(load * CAPACITY)) < SECONDS:
        server.answer(now)
        is_refused = not server.offer(now)
        if now >= COUNTED_FROM:
            offered += 1
            refused += is_refused
    server.answer(inf)
    times = sorted(server.times)
    return Answers(
        good=sum(time <= PATIENCE for time in times) / (SECONDS - COUNTED_FROM),
        typical=times[len(times) // 2],
        slowest=times[len(times) * 99 // 100],
        refused=refused / offered,
        lowest=min(server.limits),
        highest=max(server.limits),
    )


PUBLISHED: dict[tuple[str, float], dict[str, float]] = {
    ("no limit", 0.9): {"good": 891, "slowest": 0.027},
    ("no limit", 2.0): {"good": 0, "typical": 37},
    ("no limit", 5.0): {"good": 0, "typical": 132},
    ("fixed", 0.9): {"slowest": 0.020, "refused": 0.011},
    ("fixed", 2.0): {"good": 1000, "slowest": 0.022},
    ("fixed", 5.0): {"slowest": 0.023, "refused": 0.80},
    ("Vegas", 0.9): {"slowest": 0.020, "refused": 0.011, "lowest": 20, "highest": 20},
    ("Vegas", 2.0): {"good": 1000, "slowest": 0.019, "refused": 0.50, "lowest": 16, "highest": 16},
    ("Vegas", 5.0): {"slowest": 0.020, "refused": 0.80, "lowest": 16, "highest": 16},
    ("Gradient2", 0.9): {"slowest": 0.028, "lowest": 43, "highest": 56},
    ("Gradient2", 2.0): {"good": 1001, "slowest": 0.042, "lowest": 38, "highest": 40},
    ("Gradient2", 5.0): {"slowest": 0.043, "lowest": 38, "highest": 40},
    ("AIMD", 0.9): {"slowest": 0.028, "lowest": 48, "highest": 59},
    ("AIMD", 2.0): {"slowest": 0.081, "lowest": 50, "highest": 81},
    ("AIMD", 5.0): {"slowest": 0.081, "lowest": 50, "highest": 81},
}
"""What the same rules came to elsewhere, by bulkhead and load."""

OFF = {
    "good": (0.02, 2.0),
    "typical": (0.10, 0.0),
    "slowest": (0.15, 0.001),
    "refused": (0.02, 0.006),
    "lowest": (0.0, 3.0),
    "highest": (0.0, 3.0),
}
"""How far off a figure may be: a share of it, and as much again in its own unit."""

WORDS = {
    "good": "answers in a second that came in time",
    "typical": "median seconds",
    "slowest": "seconds that 99 in 100 answers don't exceed",
    "refused": "share of requests refused",
    "lowest": "lowest limit",
    "highest": "highest limit",
}


def claims(way: str, load: float) -> dict[str, Claim]:
    """Return what was published of one bulkhead under one load, by the attribute of `Answers` it is about."""
    told = {}
    for what, published in PUBLISHED[way, load].items():
        share, more = OFF[what]
        off = share * published + more
        text = f"{load:g} times the capacity, {way}: {WORDS[what]}"
        told[what] = Claim(text, published, max(0.0, published - off), published + off, SOURCE)
    return told


def findings(effort: Effort) -> Iterator[Finding]:
    """Run every bulkhead under every load; a small run leaves out the highest load."""
    for load in LOADS if effort is FULL else QUICK_LOADS:
        for way in WAYS:
            found = measure(way, load)
            for what, claim in claims(way, load).items():
                yield Finding(claim, getattr(found, what))
