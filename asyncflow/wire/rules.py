"""The rules of a pipe: what happens to the bytes of one direction of one connection, and at which of them.

Bytes are counted from 0, in the direction, from the beginning of the connection. Times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Latency:
    """Everything arrives `seconds` later, give or take `jitter`."""

    seconds: float
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """At most `rate` bytes a second pass."""

    rate: float


@dataclass(frozen=True, slots=True)
class Slice:
    """Data arrives in pieces of `size` bytes, `gap` seconds apart, from byte `at` on."""

    size: int
    gap: float = 0.0
    at: int = 0


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing passes byte `at` for `seconds`."""

    at: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Bits of `count` bytes from byte `at` on are flipped where `mask` has ones."""

    at: int
    count: int = 1
    mask: int = 0x20


@dataclass(frozen=True, slots=True)
class Cut:
    """The bytes before byte `at` arrive, and then:

    `reset`: the connection is reset, in both directions. `eof`: it ends in good order, in both directions.
    `half-close`: this direction ends, the other stays open. `blackhole`: nothing of this direction arrives
    any more, and nobody is told.
    """

    at: int
    how: Literal["reset", "eof", "half-close", "blackhole"] = "reset"


@dataclass(frozen=True, slots=True)
class Outage:
    """Nothing passes from time `start` on; what was sent meanwhile arrives when the outage is over.

    Attributes:
        start: in seconds of the clock that the pipe is asked with.
        end: when it is over; infinity for never.
    """

    start: float
    end: float


Rule = Latency | Bandwidth | Slice | Stall | Corrupt | Cut | Outage
