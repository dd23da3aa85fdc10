"""Two bodies that asyncio can't help: one blocks the event loop, one does not let itself be cancelled."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from asyncflow import flow, task


@task
async def fetch_rows(count: int) -> list[int]:
    """Stand for a quick call of a service."""
    await asyncio.sleep(0.01)
    return list(range(1, count + 1))


@task
async def summarise(rows: list[int]) -> int:
    """Compute for a while, on the event loop; as `def` it would keep nobody waiting."""
    time.sleep(1.6)  # noqa: ASYNC251 - stands for code that computes, or for a client that blocks
    return sum(rows)


@flow(name="blocked loop")
async def blocked_loop(count: int = 4) -> Any:
    """Fetch rows and add them up."""
    return summarise(fetch_rows(count).later)


@task(timeout=0.2)
async def poll(seconds: float) -> str:
    """Ask again and again, and take the cancellation of the timeout for one more error."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        try:
            await asyncio.sleep(until - loop.time())
        except BaseException:  # noqa: BLE001 - the mistake that this example is about
            continue
    return "done"


@flow(name="swallowed cancel")
async def swallowed_cancel(seconds: float = 5.3) -> Any:
    """Poll for longer than the timeout allows."""
    return poll(seconds)
