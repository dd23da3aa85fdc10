"""The two worlds that a run can be played in: what differs between them, behind one face."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from asyncflow import ambient
from asyncflow.ambient import World
from asyncflow.errors import Escaped
from asyncflow.net.redirect import Redirect
from asyncflow.scenario.homes import Homes
from asyncflow.sim.simulation import Simulation
from asyncflow.sim.trace.events import EventLines
from asyncflow.sim.trace.trace import Trace
from asyncflow.wire.plan import WirePlan

if TYPE_CHECKING:
    from asyncflow.scenario.play import Rehearsal

T = TypeVar("T")


def world_for(rehearsal: Rehearsal, part: str = "") -> RealWorld | SimulatedWorld:
    """Return a new world for one run of a rehearsal.

    Args:
        rehearsal: what is played.
        part: tells runs of one rehearsal apart that are not repeats of each other.
    """
    if rehearsal.world == "real":
        return RealWorld(rehearsal.seed)
    return SimulatedWorld(rehearsal.seed, f"{rehearsal.identity}{part}")


class PlayedWorld(Protocol):
    """What one run is played in; it serves once.

    Attributes:
        ambient: what asyncflow takes time, chance and identity from.
    """

    ambient: World

    @property
    def trace(self) -> Trace | None:
        """What happened, where that is repeatable."""

    @property
    def escapes(self) -> Sequence[Escaped]:
        """What was touched that is not simulated, in order."""

    def home(self, homes: Homes) -> tuple[str, Path]:
        """Return the run's id and its empty folder."""

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end in this world.

        Raises:
            Stuck: when it can't go on; simulated only.
            Escaped: when something was touched that is not simulated.
        """

    def publish(self, host: str, port: int) -> None:
        """Lead a host name to a server on this machine."""

    def when_connected(self, told: Callable[[int], None]) -> None:
        """Call this in the client's context with the local port of each connection to such a server."""

    def obstruct(self, plan: WirePlan) -> None:
        """Let this go wrong on the way to such servers; simulated only."""


class RealWorld:
    """The stock event loop, real sockets and the wall clock; names are redirected on the loop.

    Args:
        seed: fixes chance, but not identity: ten rehearsals of one seed are ten runs to tell apart.
    """

    trace: None = None
    escapes: Sequence[Escaped] = ()

    def __init__(self, seed: int) -> None:
        self.ambient = World(seed=seed)
        self._redirect = Redirect()

    def home(self, homes: Homes) -> tuple[str, Path]:
        """Return the run's id and its empty folder."""
        run_id = self.ambient.new_id()
        return run_id, homes.fresh(run_id)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end in this world."""
        with (
            ambient.entered(self.ambient),
            asyncio.Runner(loop_factory=self._redirect.new_loop) as runner,
        ):
            return runner.run(main)

    def publish(self, host: str, port: int) -> None:
        """Lead a host name to a server on this machine."""
        self._redirect.map(host, port)

    def when_connected(self, told: Callable[[int], None]) -> None:
        """Call this in the client's context with the local port of each connection to such a server."""
        self._redirect.on_connect = told

    def obstruct(self, plan: WirePlan) -> None:
        """Do nothing: a scenario with faults on the wire is refused before it comes to this."""


class SimulatedWorld:
    """Virtual time and a network in memory; the folder lies on the real disk.

    Args:
        seed: fixes chance and identity.
        identity: what the run's id and name are drawn from, beside the seed: the same rehearsal played again
            has the same ones, and another rehearsal of that seed has others.
    """

    def __init__(self, seed: int, identity: str) -> None:
        self._simulation = Simulation(seed)
        self.ambient = self._simulation.world
        self.trace = self._simulation.trace
        for stream in ("ids", "names"):
            self.ambient.stream(stream).seed(f"{seed}/{stream}/{identity}")

    def home(self, homes: Homes) -> tuple[str, Path]:
        """Return the run's id and its empty folder."""
        run_id = self.ambient.new_id()
        home = homes.again(run_id)
        self._simulation.trace.hide(home, "HOME")
        return run_id, home

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end in this world.

        Raises:
            Stuck: when nothing can run any more, or time stands still.
            Escaped: when something was touched that is not simulated.
        """
        self.ambient.listeners.insert(0, EventLines(self._simulation.trace).hear)
        return self._simulation.run(main)

    def publish(self, host: str, port: int) -> None:
        """Lead a host name to a server on this machine."""
        self._simulation.network.publish(host, port)

    def when_connected(self, told: Callable[[int], None]) -> None:
        """Call this in the client's context with the local port of each connection to such a server."""
        self._simulation.network.on_connect = told

    def obstruct(self, plan: WirePlan) -> None:
        """Let this go wrong on the way to such servers."""
        self._simulation.network.plan = plan

    @property
    def escapes(self) -> Sequence[Escaped]:
        """What was touched that is not simulated, in order."""
        return self._simulation.escapes.found
