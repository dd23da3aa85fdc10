"""Simulated worlds for tests of their parts, with fences and a watchdog, and a loop that says how far it is."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from asyncflow import ambient
from asyncflow.sim import Simulation
from asyncflow.sim.entropy import patched
from asyncflow.sim.border import guarded
from asyncflow.sim.loop import SimLoop


class CountingLoop(SimLoop):
    turns = 0

    def _run_once(self):
        self.turns += 1
        super()._run_once()


def play(main, *, seed=7, patience=10.0, simulation=None):
    """Run a coroutine function in a world of its own, or in this one, with no real second too many."""
    simulation = simulation or Simulation(seed)
    simulation.threads.bound = patience
    loops = []

    def new_loop():
        loops.append(CountingLoop(simulation.clock, simulation.trace, simulation.network, simulation.threads))
        return loops[-1]

    def progress():
        return loops and loops[0].turns

    with ExitStack() as world:
        world.enter_context(ambient.entered(simulation.world))
        world.enter_context(patched(simulation.clock, simulation.world, simulation.threads))
        world.enter_context(guarded(simulation.escapes, simulation.threads, progress, bound=patience))
        runner = world.enter_context(asyncio.Runner(loop_factory=new_loop))
        return runner.run(main())
