"""Flows whose tasks get their policies from a scenario."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from asyncflow import Breaker, Retry, flow, task
from asyncflow.policies import Budget


@task
async def ask(number: int) -> int:
    await asyncio.sleep(0.1)
    return number


@task(timeout=5.0)
async def timed() -> str:
    return "in time"


@flow
async def once() -> Any:
    return ask(1)


@flow
async def at_once(count: int = 3) -> Any:
    """So many calls beside each other."""
    return [ask(number) for number in range(count)]


@flow
async def in_turn(count: int = 5) -> None:
    """So many calls, one after the other; what they come to is left to the scenario."""
    for number in range(count):
        with suppress(Exception):
            await ask(number)


@flow
async def timed_once() -> Any:
    return timed()


@task(breaker=Breaker("shop", failures=2), retry=Retry(2, budget=Budget("shop")))
async def buy() -> None: ...


@flow
async def ask_and_buy() -> None:
    ask(1)
    buy()


def instead(error: BaseException) -> str:
    """Stand in for an answer."""
    return f"instead of {type(error).__name__}"
