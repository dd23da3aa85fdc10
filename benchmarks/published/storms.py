"""The retry storm that outlives its cause: which policies end it, and which keep it going?

A server that can answer 300 requests a second is offered 280, or 200. For ten seconds it is down, or has half
of its capacity. Clients wait a second for an answer. What happens after the ten seconds is decided by the
policies alone. N. Bronson, A. Aghayev, A. Charapko and T. Zhu, "Metastable Failures in Distributed Systems",
HotOS 2021, describe the state that keeps itself up; L. Huang and others, "Metastable Failures in the Wild",
OSDI 2022, found it in 22 incidents, more than half of them kept up by retries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf, isinf

from asyncflow import Breaker, Policy, Retry, exponential
from asyncflow.policies import TokenBudget
from benchmarks.measure import FULL, Effort
from benchmarks.published.claims import Claim, Finding
from benchmarks.published.crowd import Counted, Serving, Trigger, crowd

NAME = "storms"
QUESTION = "which policies end a retry storm, and how soon?"

OUTAGE = Trigger("total outage", 0.0)
HALVED = Trigger("capacity halved", 0.5)
COLUMNS = ((280, OUTAGE), (200, OUTAGE), (280, HALVED), (200, HALVED))
"""What is offered in a second, and what goes wrong."""
QUICK_COLUMN, QUICK_SECONDS = 3, 50
"""The column that is decided soon, whatever the policy, and after how long."""
FULL_SECONDS = 120

HOTOS = "Bronson and others, HotOS 2021"
SIMULATED = "the example of HotOS 2021, simulated without this library"

TIMEOUT = 1.0
WAITS = exponential(0.1, cap=5.0)
BUDGET = TokenBudget("server", per_success=0.1, capacity=100)
BREAKER = Breaker("server", window_for=2.0, failure_rate=0.5, min_calls=20, open_for=2.0, probes=5)

_ONCE = Policy(timeout=TIMEOUT)
_AT_ONCE = Policy(timeout=TIMEOUT, retry=Retry(3))
_JITTER = Policy(timeout=TIMEOUT, retry=Retry(3, WAITS, jitter="full"))
_WITH_BUDGET = Policy(timeout=TIMEOUT, retry=Retry(3, WAITS, jitter="full", budget=BUDGET))


@dataclass(frozen=True)
class Way:
    """A way to live through it: what the clients do, what the server does, and what was published of it.

    Attributes:
        name: in a few words.
        policy: the clients'.
        published: for each column, the calls that succeed in a second long after, and the seconds until the
            system has recovered.
        serving: the server's.
        sent: requests in a second, long after, in the first column, and who published that, if anybody did.
    """

    name: str
    policy: Policy
    published: tuple[tuple[float, float], ...]
    serving: Serving = field(default_factory=Serving)
    sent: tuple[float, str] | None = None


_NEVER = inf
_COLLAPSE = ((0.0, _NEVER),) * 4

WAYS = (
    Way("no retry", _ONCE, ((0, _NEVER), (201, 18), (275, 50), (201, 3))),
    Way("2 attempts at once", Policy(timeout=TIMEOUT, retry=Retry(2)), _COLLAPSE, sent=(560, HOTOS)),
    Way(
        "3 attempts, exponential",
        Policy(timeout=TIMEOUT, retry=Retry(3, WAITS)),
        _COLLAPSE,
        sent=(825, SIMULATED),
    ),
    Way("3 attempts, full jitter", _JITTER, _COLLAPSE),
    Way(
        "the same and a budget of 10 %",
        _WITH_BUDGET,
        ((0, _NEVER), (201, 19), (277, 58), (201, 4)),
        sent=(275, SIMULATED),
    ),
    Way(
        "3 attempts, full jitter and a breaker",
        _JITTER.replace(breaker=BREAKER),
        ((275, 3), (201, 3), (275, 4), (201, 0)),
    ),
    Way(
        "3 attempts at once, queue of 150",
        _AT_ONCE,
        ((275, 1), (201, 1), (275, 0), (201, 0)),
        Serving(bound=150),
    ),
    Way(
        "3 attempts at once, newest first",
        _AT_ONCE,
        ((275, 0), (201, 0), (275, 0), (201, 0)),
        Serving(newest_first=True),
    ),
    Way("3 attempts at once, expired are dropped", _AT_ONCE, _COLLAPSE, Serving(drops_expired=True)),
    Way(
        "budget of 10 %, expired are dropped",
        _WITH_BUDGET,
        ((275, 5), (201, 0), (275, 1), (201, 0)),
        Serving(drops_expired=True),
    ),
)


@dataclass(frozen=True)
class Aftermath:
    """What came of it.

    Attributes:
        goodput: calls that succeed in a second, in the last quarter of the run.
        sent: requests in a second, in the same time.
        recovery: seconds from the end of the trigger until 85 % of what arrives succeeds for five seconds on
            end; infinity for never.
    """

    goodput: float
    sent: float
    recovery: float


def measure(way: Way, trigger: Trigger, *, rate: float, seconds: int, seed: int = 1) -> Aftermath:
    """Run one cell of the table."""
    counted = crowd(way.policy, way.serving, trigger, rate=rate, seconds=seconds, seed=seed)
    late = seconds * 3 // 4, seconds - 2
    return Aftermath(
        counted.a_second(counted.succeeded, *late),
        counted.a_second(counted.sent, *late),
        _recovery(counted, int(trigger.end), seconds),
    )


def _recovery(counted: Counted, start: int, end: int) -> float:
    for second in range(start, end - 5):
        span = range(second, second + 5)
        if all(counted.succeeded[one] >= 0.85 * counted.arrived[one] for one in span):
            return second - start
    return _NEVER


def claims(way: Way, column: int) -> dict[str, Claim]:
    """Return what was published of a cell, by the attribute of `Aftermath` that it is about."""
    rate, trigger = COLUMNS[column]
    where = f"{rate} calls a second, {trigger.name}, {way.name}"
    goodput, recovery = way.published[column]
    told = {
        "goodput": _claim(f"{where}: calls that succeed in a second", goodput, 0.06 * goodput or 5.0),
        "recovery": _claim(f"{where}: seconds to recover", recovery, max(5.0, 0.4 * recovery)),
    }
    if way.sent is not None and column == 0:
        sent, source = way.sent
        told["sent"] = _claim(f"{where}: requests in a second", sent, 0.06 * sent, source)
    return told


def _claim(what: str, published: float, off: float, source: str = SIMULATED) -> Claim:
    low = published if isinf(published) else max(0.0, published - off)
    return Claim(what, published, low, published + off, source)


def findings(effort: Effort) -> Iterator[Finding]:
    """Run the table; a small run has one column of it."""
    seconds = FULL_SECONDS if effort is FULL else QUICK_SECONDS
    for column, (rate, trigger) in enumerate(COLUMNS):
        if effort is FULL or column == QUICK_COLUMN:
            for way in WAYS:
                found = measure(way, trigger, rate=rate, seconds=seconds)
                for what, claim in claims(way, column).items():
                    yield Finding(claim, getattr(found, what))
