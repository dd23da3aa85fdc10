"""What the two ends of a simulated connection have in common."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from asyncflow.sim.clock import Clock
from asyncflow.sim.trace.trace import Trace


class Line(NamedTuple):
    """One connection.

    Attributes:
        loop: where protocols are called.
        clock: the world's clock.
        trace: told of what is sent and what arrives.
        label: the connection's name, such as `client>www.example.org#1`.
        number: which connection of the world it is.
        latency: seconds from one end to the other, without a rule.
    """

    loop: asyncio.AbstractEventLoop
    clock: Clock
    trace: Trace
    label: str
    number: int
    latency: float
