"""The simulated world: virtual time, a network in memory, an inline store, one seed, one trace.

`run(main(), seed=7)` runs any asyncio program in it.
"""

from asyncflow.sim.simulation import Simulation, run

__all__ = ["Simulation", "run"]
