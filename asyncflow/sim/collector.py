"""When garbage is collected: at points that a count decides, since finalizers are code that runs, too."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_FULLY_EVERY = 10
"""Every so many collections look at old objects too."""


class Collector:
    """The garbage collector of one simulated world: off, but for what is asked for."""

    def __init__(self) -> None:
        self._done = 0

    def collect(self) -> None:
        """Collect the garbage of the world, as often as memory asks for it."""
        self._done += 1
        gc.collect(1 if self._done % _FULLY_EVERY else 2)

    @contextmanager
    def in_charge(self) -> Iterator[None]:
        """Let nobody else collect inside the `with` block, and leave no garbage of the world behind.

        What was there before is put aside: a collection then costs what the world is worth, and finalizers of
        other people's garbage stay out of the world.
        """
        gc.collect(1)
        was_on, put_aside = gc.isenabled(), not gc.get_freeze_count()
        gc.disable()
        if put_aside:
            gc.freeze()
        try:
            yield
            # The young ones are all there are, unless collections have made some of them old.
            gc.collect(2 if self._done else 0)
        finally:
            if put_aside:
                gc.unfreeze()
            if was_on:
                gc.enable()
