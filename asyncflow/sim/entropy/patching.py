"""Leads every source of time and chance in the process to the simulated world, and back afterwards.

Simulated, for the loop's thread and for bodies: the clocks and calendars of `time`, `time.sleep`,
`datetime.now` and its kin, `os.urandom` and what draws through it (`secrets`, `uuid4`, `SystemRandom`), the
functions of `random`, generators made without a seed, `uuid1` and `getnode`, names of temporary files.
Modules that imported one of these functions by its name follow, as `aiohttp.connector` with its `monotonic`.

Not simulated, and to be kept out of what has to be repeatable:

- hashes of text (set PYTHONHASHSEED) and `id()`, and with them the order of sets;
- clocks and generators inside C extensions, such as numpy's global generator, and OpenSSL's;
- references out of reach: default arguments, attributes of classes and objects, closures, `partial`s, and
  bound class methods such as `now = datetime.now` at the top of a module;
- times of files, numbers of processes, the machine's time zone, and how long a lock is waited for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType

from asyncflow.ambient import World
from asyncflow.sim.clock import Clock
from asyncflow.sim.entropy import chance, clocks, dates, inside
from asyncflow.sim.entropy.swaps import Holders, swapped
from asyncflow.sim.threads import Threads

# One set for all simulations of the process: a stand-in that somebody kept serves the next one too.
_STAND_INS = [*clocks.stand_ins(), *chance.stand_ins()]
_HOLDERS = Holders(
    (stand_in.__wrapped__, stand_in) for owner, _, stand_in in _STAND_INS if isinstance(owner, ModuleType)
)


@contextmanager
def patched(clock: Clock, world: World, threads: Threads) -> Iterator[None]:
    """Take time and chance from the simulated world inside the `with` block.

    That goes for the calling thread and for bodies; other threads keep the real ones. Afterwards every
    attribute is what it was found to be, whatever happened.

    Args:
        clock: the world's clock.
        world: its streams of chance; each use draws from one of its own.
        threads: takes `time.sleep`.

    Raises:
        UsageError: when a simulated world is going on already.
    """
    # The streams are made before anything is replaced: without a seed they draw one from the real system.
    octets, seeds = world.stream("entropy.octets"), world.stream("entropy.seeds")
    node, shared = seeds.getrandbits(48), seeds.getrandbits(64)
    with ExitStack() as undoing:
        undoing.enter_context(inside.going(inside.Inside(clock, threads.sleep, octets, seeds)))
        undoing.enter_context(swapped([*_STAND_INS, *clocks.values(clock), *chance.values(node)]))
        undoing.enter_context(_HOLDERS.following())
        undoing.enter_context(dates.following())
        undoing.enter_context(chance.reseeded(shared))
        yield
