"""What does a policy add to a call? The same body with and without it, one call after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from statistics import median

from asyncflow.policies import Breaker, Bulkhead, Policy, RateLimit, Retry
from benchmarks import policies_peers, policies_waiting
from benchmarks.measure import Effort, Go, costs, plain
from benchmarks.policies_peers import Peer, Settings
from benchmarks.rows import Note, Quantity, Row, row

NAME = "policies"
QUESTION = "CPU time that a policy adds to one call; --peers: beside other libraries"

Body = Callable[[], Awaitable[None]]

ALL_FOUR = "timeout, retry, breaker, bulkhead"

POLICIES = {
    "retry": Policy(retry=Retry(3)),
    "breaker": Policy(breaker=Breaker("alone")),
    "breaker with a window": Policy(breaker=Breaker("window", window=100)),
    "bulkhead": Policy(bulkhead=Bulkhead(10)),
    "rate limit": Policy(rate_limit=RateLimit(10_000_000, burst=1_000_000)),
    "timeout": Policy(timeout=60.0),
    ALL_FOUR: Policy(timeout=60.0, retry=Retry(3), breaker=Breaker("four"), bulkhead=Bulkhead(10)),
}

_ALONE = 500.0  # ns
TARGETS = {
    "retry": (_ALONE, None),
    "breaker": (_ALONE, None),
    "bulkhead": (_ALONE, None),
    "rate limit": (_ALONE, None),
    "timeout": (1000.0, None),
    ALL_FOUR: (1500.0, 3000.0),
}
"""Nanoseconds that may be added: to a body that returns at once, and to one that suspends."""

LEAST_LEAD = 15.0
"""How many times more the other libraries shall add than all four policies together do."""


async def returns() -> None:
    """Return at once."""


async def suspends() -> None:
    """Let the event loop take one turn."""
    await asyncio.sleep(0)


BODIES = ((returns, "body returns at once"), (suspends, "body suspends once"))


def rows(effort: Effort) -> Iterator[Row | Note]:
    """Measure every policy around both bodies, what waits under timeouts, and other libraries when asked."""
    peers: list[Peer] = []
    if effort.with_peers:
        peers, notes = policies_peers.installed(Settings())
        yield from notes
    for which, (body, says) in enumerate(BODIES):
        added = _added(body, effort, peers)
        for name in POLICIES:
            target = TARGETS.get(name, (None, None))[which]
            yield row(NAME, f"{name}, {says}", added[name], "ns", target=target)
        for peer in peers:
            yield _beside(peer, says, added)
    yield from policies_waiting.rows(NAME, effort)


def _added(body: Body, effort: Effort, peers: list[Peer]) -> dict[str, list[float]]:
    """Return the nanoseconds of CPU time that each contender adds to a call, repetition by repetition."""
    many = effort.tasks(4_000)
    works: dict[str, tuple[Callable[[Body], Body], int]] = {"bare": (_bare, many)}
    works |= {name: (policy, many) for name, policy in POLICIES.items()}
    works |= {peer.name: (peer.protected, max(many // 20, 10)) for peer in peers}
    goes = {name: plain(_calls(protected, body, count)) for name, (protected, count) in works.items()}
    found = costs(goes, effort.repetitions(41))
    per_call = {name: [cost.loop_thread / works[name][1] * 1e9 for cost in found[name]] for name in works}
    return {
        name: [one - bare for one, bare in zip(per_call[name], per_call["bare"], strict=True)]
        for name in works
    }


def _beside(peer: Peer, says: str, added: dict[str, list[float]]) -> Row:
    """Return what asyncflow adds over what a peer adds, for the same four policies."""
    pairs = zip(added[ALL_FOUR], added[peer.name], strict=True)
    beside = {
        "asyncflow": Quantity(median(added[ALL_FOUR]), "ns"),
        "peer": Quantity(median(added[peer.name]), "ns"),
    }
    name = f"all four over {peer.name}, {says}"
    return row(NAME, name, [one / other for one, other in pairs], "x", target=1 / LEAST_LEAD, beside=beside)


def _bare(body: Body) -> Body:
    return body


def _calls(protected: Callable[[Body], Body], body: Body, calls: int) -> Go:
    async def go() -> None:
        call = protected(body)  # here, since a library may want the running loop for it
        for _ in range(calls):
            await call()

    return go
