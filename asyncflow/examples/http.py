"""What the examples need of HTTP: one GET, its JSON, and errors that a retry policy can tell apart."""

from __future__ import annotations

from typing import Any

import aiohttp


async def get_json(url: str, parameters: dict[str, Any] | None = None) -> Any:
    """Return the JSON that a URL answers with.

    The client's own time limit is switched off: how long an attempt may take is the task's policy.

    Args:
        url: where to.
        parameters: the query.

    Raises:
        aiohttp.ClientResponseError: for a status of 400 and above; its headers carry Retry-After.
        aiohttp.ClientError: when the connection failed or broke off.
        ValueError: when the body is not JSON.
    """
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        session.get(url, params=parameters, raise_for_status=True) as response,
    ):
        return await response.json()
