"""A simulated world for tests of its parts."""

from __future__ import annotations

from asyncflow.sim import Simulation


def play(main, *, seed=7, bound=10.0, simulation=None):
    """Run a coroutine function in a world of its own, or in this one.

    `bound` is how many real seconds something may block.
    """
    simulation = simulation or Simulation(seed)
    simulation.threads.bound = bound
    return simulation.run(main())
