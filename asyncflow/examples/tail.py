"""A slow tail: one replica of ten pauses, and whoever asks it waits, although nine others could answer.

    python -m asyncflow scenario hedged_tail

A hedge asks a second replica when the first has not answered for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import cycle
from math import ceil
from typing import Any

from asyncflow import flow, task, unmapped
from asyncflow.examples.service import Service

REPLICAS = 10
WORKERS = 4
SECONDS = 0.015
"""How long a look-up takes at least; each replica is a millisecond slower than the one before."""

RATE = 100
"""How many look-ups there are in a second."""

PATIENCE = 0.1
"""What 99 of 100 look-ups may take, in seconds."""


class Replicas:
    """Services that have the same data; each question goes to the next one."""

    def __init__(self) -> None:
        self.services = [Service(WORKERS, SECONDS + 0.001 * number) for number in range(REPLICAS)]
        self._turns = cycle(self.services)

    async def ask(self) -> None:
        """Wait for the answer of whoever's turn it is."""
        await next(self._turns).ask()


async def questions(count: int) -> AsyncIterator[float]:
    """Give the time whenever a question is asked, however the ones before fare."""
    for _ in range(count):
        await asyncio.sleep(1 / RATE)
        yield asyncio.get_running_loop().time()


@task
async def begin_pause(replicas: Replicas) -> None:
    """Wait until a replica has to tidy up its memory; meanwhile it answers nobody."""
    await asyncio.sleep(0.5)
    replicas.services[0].employ(0)


@task
async def tidy_up() -> None:
    """Tidy up, which takes a moment."""
    await asyncio.sleep(0.01)


@task
async def end_pause(replicas: Replicas) -> None:
    """Let the replica answer again."""
    replicas.services[0].employ(WORKERS)


@task
async def look_up(asked: float, replicas: Replicas) -> float:
    """Ask a replica, and return when that was asked for."""
    await replicas.ask()
    return asked


@task
async def time_taken(asked: float) -> float:
    """Return how long it took from the question to the answer."""
    return asyncio.get_running_loop().time() - asked


@task
async def check_tail(taken: list[float]) -> str:
    """Say what 99 of 100 look-ups took; fails when that is too long."""
    slowest = sorted(taken)[ceil(0.99 * len(taken)) - 1]
    said = f"99% of the look-ups took {slowest * 1000:.0f} ms or less"
    if slowest > PATIENCE:
        raise TimeoutError(said)
    return said


@flow(name="hedged tail")
async def hedged_tail(count: int = 300) -> Any:
    """Look things up while one replica pauses, and see what the slowest took."""
    replicas = Replicas()
    begun = begin_pause(replicas)
    tidied = tidy_up.after(begun)()
    end_pause.after(tidied)(replicas)
    found = look_up.map(questions(count), unmapped(replicas))
    return check_tail(time_taken.map(found).later)
