"""The disk of a simulated world: aiosqlite runs inline, each statement at its virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from asyncflow.sim.clock import Clock
from asyncflow.sim.trace import Trace


class Disk:
    """Where aiosqlite's statements go while a simulation is running.

    Args:
        clock: the world's clock.
        trace: told of each statement.
    """

    def __init__(self, clock: Clock, trace: Trace) -> None:
        self._clock = clock
        self._trace = trace

    @contextmanager
    def inline(self) -> Iterator[None]:
        """Run the statements of all connections that are made inside the `with` block on the loop."""
        yield
