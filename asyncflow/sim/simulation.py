"""One simulated world, put together, and how a program is run in it."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from asyncflow import ambient
from asyncflow.ambient import World
from asyncflow.errors import Crashed, Escaped, Stuck, UsageError
from asyncflow.sim.border.escapes import Escapes
from asyncflow.sim.border.guarding import guarded
from asyncflow.sim.clock import Clock
from asyncflow.sim.crash import bury
from asyncflow.sim.disk import Disk
from asyncflow.sim.ending import wind_down
from asyncflow.sim.entropy import inside
from asyncflow.sim.entropy.patching import patched
from asyncflow.sim.limits import MOST_STEPS, YEAR, Limits
from asyncflow.sim.loop import SimLoop
from asyncflow.sim.net.network import Network
from asyncflow.sim.processes import Processes
from asyncflow.sim.threads import Threads
from asyncflow.sim.trace.trace import Trace

T = TypeVar("T")

_in_use = threading.Lock()
"""Held while a world runs: clocks and chance are the whole process's, so there is one world at a time."""


class Simulation:
    """A world of its own: a clock, chance, a network, a disk, threads, and a trace of what happened.

    It serves for one program. `asyncflow.sim.run` is the short way when nothing of the world is looked at.

    Args:
        seed: decides everything that is drawn.
        limit: virtual seconds after which the program counts as stuck.
        steps: callbacks of the loop after which it counts as stuck.

    Attributes:
        clock: virtual time.
        world: what asyncflow takes time, chance and identity from.
        trace: what happened.
        escapes: what was touched that is not simulated.
        threads: what runs `def` bodies and the executor's functions.
        network: names, listeners and connections.
        disk: where aiosqlite's statements go.

    Raises:
        UsageError: when a limit is not above zero.
    """

    def __init__(self, seed: int = 0, *, limit: float = YEAR, steps: int = MOST_STEPS) -> None:
        self.clock = Clock()
        self.world = World(
            seed=seed, seeded_identity=True, monotonic=self.clock.monotonic, wall=self.clock.wall
        )
        self.trace = Trace(self.clock)
        self.escapes = Escapes(self.trace)
        self.threads = Threads(self.clock, self.trace, self.escapes)
        self.world.threads = self.threads
        self.world.watchdog = self.threads.watchdog
        self.world.processes = Processes(self.threads)
        self.network = Network(self.clock, self.trace, self.world.stream("network"), self.escapes)
        self.disk = Disk(self.clock, self.trace)
        self._limits = Limits(seconds=limit, steps=steps)
        self._loop: SimLoop | None = None

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a program to its end in this world and return its value.

        What it leaves behind is cancelled, as by `asyncio.run`, but has no more than an hour of virtual time
        for its clean-up.

        Args:
            main: a coroutine: `main()`, not `main`.

        Raises:
            Stuck: when nothing can run any more, time stands still, a limit is reached, or something does not
                end when it is cancelled.
            Escaped: when something was touched that is not simulated, whatever became of the program.
            Crashed: when the program was killed with `crash`.
            UsageError: when `main` is no coroutine, this simulation was used before, or another one or any
                event loop is running.
        """
        with (
            self._alone(main),
            ambient.entered(self.world),
            patched(self.clock, self.world, self.threads),
            self.disk.inline(),
            self.network.own_sockets.bindable(),
        ):
            loop = self._loop = SimLoop(
                self.clock,
                self.trace,
                self.network,
                self.threads,
                escapes=self.escapes,
                limits=self._limits,
            )
            with loop.collector.in_charge(), guarded(self.escapes, self.threads, loop.progress):
                return self._play(main, loop)

    def crash(self, why: str) -> None:
        """Kill the program between two steps; see `SimLoop.crash`.

        Args:
            why: what killed it, in a few words.

        Raises:
            UsageError: when nothing is running.
        """
        if self._loop is None:
            raise UsageError("a simulation that is not running can't crash; call crash from inside of it")
        self._loop.crash(why)

    def _play(self, main: Coroutine[Any, Any, T], loop: SimLoop) -> T:
        try:
            value = asyncio.Runner(loop_factory=lambda: loop).run(main)
            if loop.crashed is not None:
                raise Crashed(loop.crashed)
        except BaseException as error:
            if loop.crashed is None:
                self._close_after(error, loop)
            else:
                self.trace.emit("process.crash", loop.crashed)
                bury((self, main), loop.unfinished(), error.__traceback__)
                if isinstance(error, SystemExit):
                    raise Crashed(loop.crashed) from None  # a wish that came too late
            raise
        report = wind_down(loop)
        if self.escapes.found:
            raise self.escapes.found[0]
        if report is not None:
            raise report
        return value

    def _close_after(self, error: BaseException, loop: SimLoop) -> None:
        """Close a world that failed; what goes wrong meanwhile adds to the error and does not replace it."""
        if isinstance(error, Stuck):
            self.trace.emit("process.stuck", error.kind)
        self.trace.close()  # what is cancelled and closed from here on is no part of the story
        report = None
        with suppress(SystemExit):
            report = wind_down(loop)
        if report is not None:
            error.add_note(str(report))
        if self.escapes.found and isinstance(error, Exception) and not isinstance(error, Escaped):
            raise self.escapes.found[0] from error

    @contextmanager
    def _alone(self, main: object) -> Iterator[None]:
        """Hold the one place for a running world, or say why this one can't have it."""
        problem = _what_is_wrong_with(main)
        if problem is None and self._loop is not None:
            problem = "a simulation serves for one program; make a new Simulation for the next"
        if problem is None and asyncio._get_running_loop() is not None:
            problem = "a simulated world has its own event loop; run it from code that is in none"
        if problem is None and not _in_use.acquire(blocking=False):
            problem = (
                "another simulated world is running in this process; run them one after the other, or each "
                "in a process of its own"
            )
        if problem is not None:
            if asyncio.iscoroutine(main):
                main.close()
            raise UsageError(problem)
        try:
            yield
        finally:
            _in_use.release()


def run(main: Coroutine[Any, Any, T], *, seed: int = 0, limit: float = YEAR) -> T:
    """Run an asyncio program in a simulated world of its own, as `asyncio.run` does in the real one.

    Time is virtual, connections stay in memory, and everything that is drawn follows from the seed.

    Args:
        main: the program, a coroutine: `main()`, not `main`.
        seed: decides everything that is drawn.
        limit: virtual seconds after which the program counts as stuck.

    Returns:
        what the coroutine returns.

    Raises:
        Stuck: when nothing can run any more, time stands still, the limit is reached, or something does not
            end when it is cancelled.
        Escaped: when something was touched that is not simulated, whatever became of the program.
        UsageError: when `main` is no coroutine, or another simulated world or any event loop is running.
    """
    if problem := _what_is_wrong_with(main):
        raise UsageError(problem)
    return Simulation(seed, limit=limit).run(main)


def _what_is_wrong_with(main: object) -> str | None:
    if asyncio.iscoroutine(main):
        return None
    if inspect.iscoroutinefunction(main):
        return f"pass a coroutine, not the function that makes it: {main.__name__}(), not {main.__name__}"
    return f"{main!r} is no coroutine; pass what an `async def` function returns when it is called"


def _forked() -> None:
    global _in_use
    if inside.here() is None:
        _in_use = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
