"""Follows schedules in virtual time and notes what is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from asyncflow import ambient
from asyncflow.engine import FlowRun
from asyncflow.flow import Flow
from asyncflow.serving import Teller, Timekeeper
from tests.clock import run_virtual


class Notes(Teller):
    """Writes down what is told: one line each, with times of day."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.runs: list[FlowRun] = []

    def waiting(self, flow: str, at: datetime) -> None:
        self.lines.append(f"wait {at:%H:%M:%S}")

    def left_out(self, flow: str, count: int, until: datetime, why: str) -> None:
        self.lines.append(f"left out {count} until {until:%H:%M:%S}: {why}")

    def exhausted(self, flow: str) -> None:
        self.lines.append("exhausted")

    def ended(self, run: FlowRun, at: datetime) -> None:
        self.lines.append(f"{run.state.name} of {at:%H:%M:%S}")
        self.runs.append(run)

    @property
    def news(self) -> list[str]:
        """All but the waiting."""
        return [line for line in self.lines if not line.startswith("wait")]


def clock() -> str:
    """Return the time of day of the world."""
    return f"{datetime.fromtimestamp(ambient.world().wall(), UTC):%H:%M:%S}"


def follow(
    flow: Flow[..., Any], meanwhile: Callable[[Timekeeper], Any] | None = None, **given: Any
) -> tuple[Timekeeper, Notes]:
    """Follow a flow's schedule to its end in virtual time, from 22:13:20 on.

    Args:
        flow: the flow.
        meanwhile: a coroutine function that goes on beside it.
        **given: the flow's parameters.
    """
    notes = Notes()

    async def story() -> Timekeeper:
        keeper = Timekeeper(flow, given, teller=notes)
        async with asyncio.TaskGroup() as group:
            if meanwhile is not None:
                group.create_task(meanwhile(keeper))
            await keeper.follow()
        return keeper

    return run_virtual(story()), notes
