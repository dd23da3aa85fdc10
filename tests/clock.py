"""Virtual time for tests: a loop whose clock jumps to the next timer whenever it has nothing else to do.

`run_virtual(story())` runs a coroutine in a fresh world that lives by that clock: an hour of waiting costs
nothing, and `world().monotonic()`, `world().wall()` and `loop.time()` agree. Real sockets and threads are not
waited for while a timer is pending; without one the loop gives them a moment, and then says that it is stuck.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from asyncflow.ambient import World, entered

T = TypeVar("T")

EPOCH = 1_700_000_000.0
"""The wall-clock time at which every virtual world begins: 2023-11-14 22:13:20 UTC."""

_PATIENCE = 5.0


class Clock:
    """The time of one virtual world, in seconds from 0."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return EPOCH + self.now

    def world(self, seed: int | None = 7) -> World:
        """Return a world that lives by this clock."""
        world = World(seed=seed, monotonic=self.monotonic, wall=self.wall)
        world.watchdog = _NoWatchdog()
        return world


class _NoWatchdog:
    """Real time is of no account here, and a busy machine must not change what happens."""

    def watch(self, *_: Any) -> None: ...

    def unwatch(self) -> None: ...


class _JumpingSelector(selectors.SelectSelector):
    """Never sleeps while a timer is pending: moves the clock instead."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout is not None else _PATIENCE)
        if timeout is None and not ready:
            raise RuntimeError("the loop is stuck: no timer is pending and nothing is ready")
        if timeout is not None and not ready:
            self._clock.now += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """The stock loop on a virtual clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        super().__init__(_JumpingSelector(clock))

    def time(self) -> float:
        return self._clock.now

    async def shutdown_default_executor(self, *limit: float | None) -> None:
        # A limit would be a timer, and the clock would jump to it while the threads still work.
        await super().shutdown_default_executor()


def run_virtual(story: Coroutine[Any, Any, T], *, seed: int | None = 7, clock: Clock | None = None) -> T:
    """Run a coroutine in a fresh world of virtual time and return its value.

    Args:
        story: what to run.
        seed: fixes the world's chance.
        clock: go on with this clock instead of a new one.
    """
    clock = clock or Clock()
    with entered(clock.world(seed)), asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(story)
