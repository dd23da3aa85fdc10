"""When garbage is collected: at points that a count decides, since finalizers are code that runs, too."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

_FULLY_EVERY = 10
"""Every so many collections look at old objects too."""

_WORLDS_BETWEEN = 50
"""So many worlds may leave behind what was still held when they ended: some hundred objects each."""

_worlds = count(1)

_PUT_ASIDE_BY_PYTHON = gc.get_freeze_count()
"""Objects that the interpreter itself has frozen; a program that froze others is left alone."""


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
        other people's garbage stay out of the world. Setting aside makes everything old, and the interpreter
        looks at old objects when there are many new ones, which there never are: hence now and then a look.
        """
        gc.collect(1 if next(_worlds) % _WORLDS_BETWEEN else 2)
        was_on, put_aside = gc.isenabled(), gc.get_freeze_count() <= _PUT_ASIDE_BY_PYTHON
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
