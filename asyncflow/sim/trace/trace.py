"""What happened in a simulated world, as canonical text: same seed, same code, same Python, same bytes.

A line is a time, a dotted word and fields, apart by single spaces, in ASCII only:

    0.250000 net.connect api.example 443
    0.250000 event.state_changed etl fetch 1 {"message":"...","state":"Running"}

`trace_text` has how a field is written, and reads a line back.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any

from asyncflow.sim.clock import Clock
from asyncflow.sim.trace.text import Scrubber, line_of


class Trace:
    """The lines of one simulated world, in order.

    Emitting only notes; text is made of it when somebody asks, each line once.

    Args:
        clock: the clock that dates them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._noted: list[tuple[float, str, tuple[Any, ...]]] = []
        self._lines: list[str] = []
        self._scrub = Scrubber()
        self._closed = False

    def emit(self, kind: str, *fields: object) -> None:
        """Add a line: the time, what happened in one dotted word, and what belongs to it.

        Args:
            kind: such as `net.connect`; the words are listed in the documentation.
            fields: texts, numbers, None, and lists and tables of them which nobody changes afterwards; never
                a path of this machine, or a name that another run of the same seed would not give.
        """
        if not self._closed:
            self._noted.append((self._clock.now, kind, fields))

    def hide(self, path: str | os.PathLike[str], name: str) -> None:
        """Write a name instead of a path that another run would not have, wherever it is found in a text.

        Args:
            path: such as the folder of the run.
            name: what stands there instead.
        """
        self._scrub.hide(os.fspath(path), name)

    def close(self) -> None:
        """Take no more lines: what comes now is the world being cleared away."""
        self._closed = True

    @property
    def is_closed(self) -> bool:
        """Whether lines are no longer taken."""
        return self._closed

    def __len__(self) -> int:
        return len(self._noted)

    @property
    def lines(self) -> Sequence[str]:
        """What was emitted so far, as text."""
        for at, kind, fields in self._noted[len(self._lines) :]:
            self._lines.append(line_of(at, kind, fields, self._scrub))
        return self._lines

    def text(self) -> str:
        """Return all lines, each with its end."""
        return "".join(f"{line}\n" for line in self.lines)

    def digest(self) -> str:
        """Return the SHA-256 of the whole text, in hex."""
        return hashlib.sha256(self.text().encode("ascii")).hexdigest()
