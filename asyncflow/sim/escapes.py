"""What a simulated world can't simulate: refused where it is asked for, and remembered for the verdict."""

from __future__ import annotations

import sys
from types import FrameType
from typing import NoReturn

from asyncflow.errors import Escaped
from asyncflow.sim.places import place_of
from asyncflow.sim.trace import Trace

_MOST = 100
"""How many are kept; a body that is retried for virtual years may touch the same thing each time."""


class Escapes:
    """Everything real that was touched in one simulated world.

    Args:
        trace: told of each.

    Attributes:
        found: the first hundred, in order. A body may swallow the exception; the simulation looks here when
            it has ended.
    """

    def __init__(self, trace: Trace) -> None:
        self.found: list[Escaped] = []
        self._trace = trace

    def refuse(self, what: str, way_out: str) -> NoReturn:
        """Complain about something real, with the place in the user's code that asked for it.

        Args:
            what: what was touched, such as `subprocess`; the same in each run of one seed.
            way_out: what to do instead.

        Raises:
            Escaped: always.
        """
        raise self.recorded(what, way_out, sys._getframe(1))

    def recorded(self, what: str, way_out: str, frame: FrameType | None) -> Escaped:
        """Remember something real and return the error that tells of it.

        Args:
            what: what was touched; the same in each run of one seed.
            way_out: what to do instead.
            frame: the innermost frame of what touched it.
        """
        error = Escaped(f"{what} is not simulated ({place_of(frame)}); {way_out}")
        if len(self.found) < _MOST:
            self.found.append(error)
            self._trace.emit("escape", what)
        return error
