"""Leads every source of time and chance in the process to the simulated world, and back afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from asyncflow.ambient import World
from asyncflow.sim.clock import Clock
from asyncflow.sim.threads import Threads


@contextmanager
def patched(clock: Clock, world: World, threads: Threads) -> Iterator[None]:
    """Take clocks, sleep, random, uuid and secrets from the simulated world inside the `with` block.

    Args:
        clock: the world's clock.
        world: its streams of chance.
        threads: takes `time.sleep`.
    """
    yield
