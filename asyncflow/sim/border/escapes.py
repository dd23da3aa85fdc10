"""What a simulated world can't simulate: refused where it is asked for, and remembered for the verdict."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, NoReturn

from asyncflow.errors import Escaped
from asyncflow.places import links, users_place
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
        asker: the coroutine that waits for the thread which is running, or None. A thread that was given a
            function of a library has no place of the user's of its own.
    """

    def __init__(self, trace: Trace) -> None:
        self.found: list[Escaped] = []
        self.asker: Any = None
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
        asking = [frame for _, frame in links(self.asker) if frame is not None]
        place = users_place([*asking, *reversed(_frames(frame))]) or "an unknown place"
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
