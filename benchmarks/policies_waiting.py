"""Calls that wait under timeouts, all at once: what each of them holds, and how many timers the loop has.

A fresh process, `python -m benchmarks.policies_waiting`, tells the numbers of one kind of call.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from asyncflow.policies import Policy
from benchmarks.children import python
from benchmarks.measure import Effort
from benchmarks.rows import Quantity, Row, row

Body = Callable[[], Awaitable[Any]]

_TIMEOUT = 600.0
MOST_BYTES = 700.0
"""Bytes that a waiting call may hold beyond what an asyncio task holds that waits for the same."""


def rows(case: str, effort: Effort) -> Iterator[Row]:
    """Measure calls under a policy beside calls under `asyncio.timeout`."""
    calls = effort.tasks(100_000)
    bare, ours, theirs = (_told(kind, calls) for kind in KINDS)
    beside = {
        "asyncio.timeout": Quantity(_more(theirs, bare, calls), "B"),
        "bare asyncio task": Quantity(bare["bytes"] / calls, "B"),
    }
    name = f"{calls:,} calls waiting under timeouts"
    more = _more(ours, bare, calls)
    yield row(case, f"{name}: bytes of each", [more], "B", target=MOST_BYTES, beside=beside)
    timers = {"asyncio.timeout": Quantity(theirs["timers"], "")}
    yield row(case, f"{name}: timers of all", [ours["timers"]], "", target=1.0, beside=timers)


def _more(told: dict[str, int], bare: dict[str, int], calls: int) -> float:
    return (told["bytes"] - bare["bytes"]) / calls


def _told(kind: str, calls: int) -> dict[str, int]:
    found: dict[str, int] = json.loads(python("-m", "benchmarks.policies_waiting", kind, str(calls)).said)
    return found


def _bare(body: Body) -> Body:
    return body


def _by_asyncio(body: Body) -> Body:
    async def timed() -> Any:
        async with asyncio.timeout(_TIMEOUT):
            return await body()

    return timed


KINDS: dict[str, Callable[[Body], Body]] = {
    "bare": _bare,
    "policy": Policy(timeout=_TIMEOUT),
    "asyncio": _by_asyncio,
}


class _Counting(asyncio.SelectorEventLoop):
    """Counts the timers that it is asked for."""

    timers = 0

    def call_at(self, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:  # type: ignore[override]
        self.timers += 1
        return super().call_at(*args, **kwargs)


async def _measure(kind: str, calls: int) -> dict[str, int]:
    """Return the bytes that so many waiting calls hold, and the timers that were asked for."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    assert isinstance(loop, _Counting)
    call = KINDS[kind](ended.wait)
    await KINDS[kind](_nothing)()  # what is made on first use is not a call's
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tasks = [asyncio.create_task(_started(call)) for _ in range(calls)]
    await asyncio.sleep(0)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    timers = loop.timers
    ended.set()
    await asyncio.wait(tasks)
    return {"bytes": after - before, "timers": timers}


async def _nothing() -> None:
    """Return at once."""


async def _started(call: Body) -> None:
    await call()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=_Counting) as runner:
        print(json.dumps(runner.run(_measure(sys.argv[1], int(sys.argv[2])))))
