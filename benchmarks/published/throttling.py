"""Throttling at the client: how much is sent to a server that can't do it, and how soon is all of it again?

A server accepts 100 requests a second and refuses the rest; clients that share a throttle offer it less or
more. B. Beyer et al., "Site Reliability Engineering", 2016, chapter 21, have the formula and what follows
from it: with k = 2 the server refuses one request for each that it accepts, with k = 1.1 one for ten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from random import Random

from asyncflow.policies import Throttle
from benchmarks.measure import FULL, Effort
from benchmarks.published.claims import Claim, Finding

NAME = "throttling"
QUESTION = "how much is sent to a server that refuses most of it, and how soon all of it again?"

BOOK = "Site Reliability Engineering, chapter 21"
TABLE = "the formula of chapter 21, simulated without this library"

CAPACITY = 100
"""Requests that the server accepts in a second."""
STEADY = (150, 200)
"""From when until when the window is full of what is steady, in seconds."""
OUTAGE = (200, 260)
"""From when until when the server accepts nothing, in seconds."""
END = 600
TICKS = 10
"""Requests come in equal shares, so many times in a second."""

SENT = {
    (50, 2.0): 50.0,
    (50, 1.1): 50.0,
    (100, 2.0): 100.0,
    (100, 1.1): 100.0,
    (200, 2.0): 200.0,
    (200, 1.1): 100.0,
    (500, 2.0): 199.0,
    (500, 1.1): 97.5,
    (1000, 2.0): 199.0,
    (1000, 1.1): 97.5,
}
"""Requests sent in a second, by those offered and k, as soon as it is steady."""
QUICK_OFFERED = 500
"""The most that a small run offers."""


@dataclass(frozen=True)
class Flow:
    """What was sent and accepted, second by second."""

    sent: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)

    def recovery(self, start: int, needed: float) -> float:
        """Return the seconds from `start` until `needed` are accepted in a second, five seconds on end."""
        for second in range(start, len(self.accepted) - 5):
            if mean(self.accepted, second, second + 5) >= needed:
                return second - start
        return inf


def mean(counts: list[int], start: int, end: int) -> float:
    """Return how many there were in a second, on average from one second to another."""
    return sum(counts[start:end]) / (end - start)


def measure(k: float, *, offered: int, seconds: int, outage: tuple[int, int] = (0, 0), seed: int = 1) -> Flow:
    """Offer requests to the server through a throttle.

    Args:
        k: how many requests it makes for each that is accepted.
        offered: how many it is asked to make in a second.
        seconds: how long.
        outage: from when until when the server accepts nothing, in seconds.
        seed: decides what chance draws.
    """
    random = Random(seed).random
    throttler = Throttle(1.0, k=k, min_calls=1).throttler()
    flow = Flow()
    for second in range(seconds):
        flow.sent.append(0)
        flow.accepted.append(0)
        for tick in range(TICKS):
            now = second + tick / TICKS
            room = 0 if outage[0] <= second < outage[1] else CAPACITY // TICKS
            for _ in range(offered // TICKS):
                if throttler.admit(now, random()) is None:
                    is_accepted = room > 0
                    room -= is_accepted
                    throttler.record(is_accepted, now)
                    flow.sent[-1] += 1
                    flow.accepted[-1] += is_accepted
    return flow


def steady(offered: int, k: float) -> Iterator[Finding]:
    """Yield what is sent, and what is refused of it, under a steady load."""
    flow = measure(k, offered=offered, seconds=STEADY[1])
    sent, accepted = mean(flow.sent, *STEADY), mean(flow.accepted, *STEADY)
    where = f"{offered} offered, {CAPACITY} accepted, k = {k:g}"
    published = SENT[offered, k]
    off = 0.0 if offered <= CAPACITY else 0.06 * published
    what = f"{where}: requests sent in a second"
    yield Finding(Claim(what, published, published - off, published + off, TABLE), sent)
    if offered >= 5 * CAPACITY:
        what = f"{where}: refused for each that is accepted"
        yield Finding(Claim(what, k - 1, 0.85 * (k - 1), 1.15 * (k - 1), BOOK), (sent - accepted) / accepted)


def outage() -> Iterator[Finding]:
    """Yield what an outage of a minute does to the load, and when the load is back after it."""
    flow = measure(2.0, offered=10 * CAPACITY, seconds=OUTAGE[1], outage=OUTAGE)
    what = "outage, ten times the capacity offered, k = 2: requests sent in a second, after half a minute"
    yield Finding(Claim(what, 123.0, 105.0, 140.0, TABLE), mean(flow.sent, OUTAGE[0] + 30, OUTAGE[1]))
    for k, published, high in ((2.0, 0.0, 1.0), (1.1, inf, inf)):
        flow = measure(k, offered=CAPACITY, seconds=END, outage=OUTAGE)
        what = f"outage, just the capacity offered, k = {k:g}: seconds until nine in ten are accepted again"
        recovery = flow.recovery(OUTAGE[1], 0.9 * CAPACITY)
        yield Finding(Claim(what, published, published, high, TABLE), recovery)


def findings(effort: Effort) -> Iterator[Finding]:
    """Run every load and the outages; a small run leaves the highest loads out."""
    for offered, k in SENT:
        if effort is FULL or offered <= QUICK_OFFERED:
            yield from steady(offered, k)
    yield from outage()
