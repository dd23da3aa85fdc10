"""The simulated world: virtual time, a network in memory, an inline store, one seed, one trace.

`run(main(), seed=7)` runs any asyncio program in it. `Simulation` is the same world with its parts in reach.
"""

from asyncflow.errors import Crashed, Escaped, Stuck
from asyncflow.sim.simulation import Simulation, run
from asyncflow.sim.trace.trace import Trace

__all__ = ["Crashed", "Escaped", "Simulation", "Stuck", "Trace", "run"]
