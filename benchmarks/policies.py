"""What does a policy add to a call? The same body with and without it, one call after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from asyncflow import Breaker, Policy, Retry
from benchmarks.measure import Effort, Go, costs, plain
from benchmarks.rows import Row, row

NAME = "policies"
QUESTION = "CPU time that a policy adds to one call"

Body = Callable[[], Awaitable[None]]

POLICIES = {
    "timeout": Policy(timeout=60.0),
    "retry": Policy(retry=Retry(3)),
    "breaker": Policy(breaker=Breaker("benchmark", failures=5, open_for=30.0)),
    "all three": Policy(
        timeout=60.0, retry=Retry(3), breaker=Breaker("benchmark", failures=5, open_for=30.0)
    ),
}


async def returns() -> None:
    """Return at once."""


async def suspends() -> None:
    """Let the event loop take one turn."""
    await asyncio.sleep(0)


def rows(effort: Effort) -> Iterator[Row]:
    """Measure every policy around both bodies."""
    calls = effort.tasks(20_000)
    for body, says in ((returns, "body returns at once"), (suspends, "body suspends once")):
        works = {"bare": _calls(body, calls)}
        works |= {name: _calls(policy(body), calls) for name, policy in POLICIES.items()}
        found = costs({name: plain(go) for name, go in works.items()}, effort.repetitions(9))
        for name in POLICIES:
            pairs = zip(found[name], found["bare"], strict=True)
            added = [(one.loop_thread - bare.loop_thread) / calls * 1e9 for one, bare in pairs]
            yield row(NAME, f"{name}, {says}", added, "ns")


def _calls(body: Body, calls: int) -> Go:
    async def go() -> None:
        for _ in range(calls):
            await body()

    return go
