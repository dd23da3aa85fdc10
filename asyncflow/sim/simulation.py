"""One simulated world, put together, and how a program is run in it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from asyncflow import ambient
from asyncflow.ambient import World
from asyncflow.sim.clock import Clock
from asyncflow.sim.disk import Disk
from asyncflow.sim.entropy import patched
from asyncflow.sim.escapes import Escapes
from asyncflow.sim.loop import SimLoop
from asyncflow.sim.network import Network
from asyncflow.sim.threads import Threads
from asyncflow.sim.trace import Trace

T = TypeVar("T")


class Simulation:
    """A world of its own: a clock, chance, a network, a disk, threads, and a trace of what happened.

    Args:
        seed: decides everything that is drawn.

    Attributes:
        clock: virtual time.
        world: what asyncflow takes time, chance and identity from.
        trace: what happened.
        escapes: what was touched that is not simulated.
        network: names, listeners and connections.
        disk: where aiosqlite's statements go.
    """

    def __init__(self, seed: int = 0) -> None:
        self.clock = Clock()
        self.world = World(
            seed=seed, seeded_identity=True, monotonic=self.clock.monotonic, wall=self.clock.wall
        )
        self.trace = Trace(self.clock)
        self.escapes = Escapes(self.trace)
        self.threads = Threads(self.clock, self.trace, self.escapes)
        self.world.threads = self.threads
        self.network = Network(self.clock, self.trace, self.world.stream("network"), self.escapes)
        self.disk = Disk(self.clock, self.trace)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end in this world and return its value.

        Raises:
            Stuck: when nothing can run any more, or time stands still.
            Escaped: when something was touched that is not simulated.
        """
        with (
            ambient.entered(self.world),
            _no_collection(),
            patched(self.clock, self.world, self.threads),
            self.disk.inline(),
            asyncio.Runner(loop_factory=self._new_loop) as runner,
        ):
            try:
                return runner.run(main)
            finally:
                self.trace.close()  # what the runner cancels and closes now is no part of the story

    def _new_loop(self) -> SimLoop:
        return SimLoop(self.clock, self.trace, self.network, self.threads)


def run(main: Coroutine[Any, Any, T], *, seed: int = 0) -> T:
    """Run an asyncio program in a simulated world of its own, as `asyncio.run` does in the real one.

    Args:
        main: the program.
        seed: decides everything that is drawn.

    Raises:
        Stuck: when nothing can run any more, or time stands still.
        Escaped: when something was touched that is not simulated.
    """
    return Simulation(seed).run(main)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector out: it would run finalizers at points that no seed decides."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
