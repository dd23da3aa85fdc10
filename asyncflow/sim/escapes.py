"""What a simulated world can't simulate: refused where it is asked for, and remembered for the verdict."""

from __future__ import annotations

from typing import NoReturn

from asyncflow.errors import Escaped
from asyncflow.sim.trace import Trace


class Escapes:
    """Everything real that was touched in one simulated world.

    Args:
        trace: told of each.

    Attributes:
        found: in order. A body may swallow the exception; the simulation looks here when it has ended.
    """

    def __init__(self, trace: Trace) -> None:
        self.found: list[Escaped] = []
        self._trace = trace

    def refuse(self, what: str, way_out: str) -> NoReturn:
        """Complain about something real, with the place in the user's code that asked for it.

        Args:
            what: what was touched, such as `subprocess`.
            way_out: what to do instead.

        Raises:
            Escaped: always.
        """
        error = Escaped(f"{what} is not simulated; {way_out}")
        self.found.append(error)
        self._trace.emit("escape", what)
        raise error
