"""What happened in a simulated world, as canonical text: same seed, same code, same Python, same bytes."""

from __future__ import annotations

import hashlib

from asyncflow.sim.clock import Clock


class Trace:
    """The lines of one simulated world, in order.

    Args:
        clock: the clock that dates them.

    Attributes:
        lines: what was emitted so far.
    """

    def __init__(self, clock: Clock) -> None:
        self.lines: list[str] = []
        self._clock = clock

    def emit(self, kind: str, *fields: object) -> None:
        """Add a line: the time, what happened in one dotted word, and what belongs to it.

        Args:
            kind: such as `net.connect`; the words are listed in the documentation.
            fields: texts, numbers and None; never an address in memory, a path of this machine, or a name
                that another run of the same seed would not give.
        """
        self.lines.append(" ".join([f"{self._clock.now:.6f}", kind, *map(str, fields)]))

    def digest(self) -> str:
        """Return the SHA-256 of the whole text, in hex."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()
