"""A retry storm: a service loses half of its workers for ten seconds, and the retries keep it down for good.

    python -m asyncflow scenario retry_storm

The clients' policies alone decide whether it comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from asyncflow import Retry, flow, task, unmapped
from asyncflow.examples.service import Service

WORKERS = 4
SECONDS = 0.1
"""How long a request takes: four workers answer 40 of them in a second."""

RATE = 25
"""How many clients come in a second."""

LATE = 10
"""How many seconds there are in the end in which the service should be well again."""


async def clients(seconds: int) -> AsyncIterator[int]:
    """Give a client's number whenever one comes, however the ones before fare."""
    for number in range(seconds * RATE):
        await asyncio.sleep(1 / RATE)
        yield number


@task(timeout=1.0, retry=Retry(3))
async def ask(client: int, service: Service) -> int:
    """Ask the service once, and return the client's number."""
    await service.ask()
    return client


@task
async def begin_backup(service: Service) -> None:
    """Wait until it is time for the backup, which takes half of the workers."""
    await asyncio.sleep(10.0)
    service.employ(WORKERS // 2)


@task
async def back_up() -> None:
    """Copy what has changed; that is little, and takes a moment."""
    await asyncio.sleep(0.1)


@task
async def end_backup(service: Service) -> None:
    """Give the workers back."""
    service.employ(WORKERS)


@task
async def check_service(answered: list[int], seconds: int) -> str:
    """Say how many of the last clients were answered; fails when they are less than 85 %."""
    first = (seconds - LATE) * RATE
    share = sum(client >= first for client in answered) / (LATE * RATE)
    said = f"{share:.0%} of the clients of the last {LATE} seconds were answered"
    if share < 0.85:
        raise RuntimeError(said)
    return said


@flow(name="retry storm")
async def retry_storm(seconds: int = 40) -> Any:
    """Let clients come while a backup is made, and see how the service is afterwards."""
    service = Service(WORKERS, SECONDS)
    begun = begin_backup(service)
    copied = back_up.after(begun)()
    end_backup.after(copied)(service)
    answered = ask.map(clients(seconds), unmapped(service), max_running=seconds * RATE, tolerate=1.0)
    return check_service(answered.later, seconds)
