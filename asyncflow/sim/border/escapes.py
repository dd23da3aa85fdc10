"""What a simulated world can't simulate: refused where it is asked for, and remembered for the verdict."""

from __future__ import annotations

import sys
from types import FrameType
from typing import NoReturn

from asyncflow.errors import Escaped
from asyncflow.sim.border.places import users_place
from asyncflow.sim.trace.trace import Trace

_LOOP = "_run_once"
"""The loop's frame: what is outside of it started the simulation, and did nothing in it."""

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
        place = users_place(reversed(_frames(frame))) or "an unknown place"
        error = Escaped(f"{what} is not simulated ({place}); {way_out}")
        if len(self.found) < _MOST:
            self.found.append(error)
            self._trace.emit("escape", what)
        return error


def _frames(frame: FrameType | None) -> list[FrameType]:
    """Return the frames inside the loop's, from the innermost."""
    found: list[FrameType] = []
    while frame is not None and frame.f_code.co_name != _LOOP:
        found.append(frame)
        frame = frame.f_back
    return found
