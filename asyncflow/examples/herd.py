"""A thundering herd: many clients lose their connections at once, and come back in step.

    python -m asyncflow scenario thundering_herd

The service has room for some of them at a time. It depends on the clients whether they ever spread.
"""

from __future__ import annotations

import asyncio
from typing import Any

from asyncflow import Retry, exponential, flow, task, unmapped
from asyncflow.examples.service import Service


@task
async def read_pause() -> float:
    """Return how many seconds to wait between two clients, from the settings."""
    return 0.05


@task
async def disconnect(client: int, pause: float) -> int:
    """Disconnect a client when it is its turn."""
    await asyncio.sleep(client * pause)
    return client


@task(retry=Retry(4, delay=exponential(4.0), on=ConnectionError))
async def reconnect(client: int, service: Service) -> int:
    """Connect again; refused while the service has no room."""
    await service.ask()
    return client


@task
async def count(connected: list[int]) -> int:
    """Return how many clients are connected again."""
    return len(connected)


@flow(name="thundering herd")
async def thundering_herd(clients: int = 300) -> Any:
    """Ask all clients to leave, one after the other, for a service that takes 50 in a second."""
    service = Service(workers=5, seconds=0.1, room=50)
    left = disconnect.map(range(clients), unmapped(read_pause().later))
    return count(reconnect.map(left, unmapped(service)).later)
