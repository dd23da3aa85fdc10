"""The rules of a pipe: what happens to the bytes of one direction of one connection, and at which of them.

Bytes are counted from 0, in the direction, from the beginning of the connection. The end of the stream counts
as one more byte behind the last: it can be delayed and cut off like one. Times are seconds.

A rule with `start` and `end` acts only on what is sent at `start` or later, and before `end`, in seconds of
the clock that the pipe is asked with. A byte that has passed before its rule came, or outside of these
times, is never struck by it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, NoReturn, get_args

from asyncflow.errors import UsageError

How = Literal["reset", "eof", "half-close", "blackhole"]
"""The ways in which a stream is cut off."""

_MOST_OUTAGES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """What a rule that is limited in time has in common with the others.

    Attributes:
        start: when it begins to act.
        end: when it no longer acts; infinity for never.
    """

    start: float = 0.0
    end: float = inf

    def acts(self, now: float) -> bool:
        """Return whether the rule acts on what is sent now."""
        return self.start <= now < self.end

    def _check(self) -> None:
        check_times(self, self.start, self.end)


@dataclass(frozen=True, slots=True)
class Latency(Limited):
    """Everything from byte `at` on arrives `seconds` later, give or take `jitter`.

    The jitter is drawn anew whenever something is sent. Nothing overtakes what was sent before it.
    """

    seconds: float
    jitter: float = 0.0
    at: int = 0

    def __post_init__(self) -> None:
        self._check()
        check_whole(self, "at", self.at)
        check_seconds(self, "seconds", self.seconds)
        check_seconds(self, "jitter", self.jitter)


@dataclass(frozen=True, slots=True)
class Bandwidth(Limited):
    """From byte `at` on at most `rate` bytes a second pass. Of several rules the slowest decides."""

    rate: float
    at: int = 0

    def __post_init__(self) -> None:
        self._check()
        check_whole(self, "at", self.at)
        check_seconds(self, "rate", self.rate, zero=False, hint="use a number of bytes a second")


@dataclass(frozen=True, slots=True)
class Slice(Limited):
    """From byte `at` on data arrives in pieces of `size` bytes, the next one `gap` seconds after the last.

    The pieces lie at `at`, `at + size`, ..., wherever the sender's own pieces begin and end.
    """

    size: int
    gap: float = 0.0
    at: int = 0

    def __post_init__(self) -> None:
        self._check()
        check_whole(self, "at", self.at)
        check_whole(self, "size", self.size, least=1)
        check_seconds(self, "gap", self.gap)

    def begins(self, at: int) -> bool:
        """Return whether a piece begins with byte `at`."""
        return at >= self.at and (at - self.at) % self.size == 0


@dataclass(frozen=True, slots=True)
class Stall(Limited):
    """Nothing passes byte `at` for `seconds`; infinity for ever."""

    at: int
    seconds: float

    def __post_init__(self) -> None:
        self._check()
        check_whole(self, "at", self.at)
        check_seconds(self, "seconds", self.seconds, endless=True)


@dataclass(frozen=True, slots=True)
class Corrupt(Limited):
    """Bits of `count` bytes from byte `at` on are flipped where `mask` has ones."""

    at: int
    count: int = 1
    mask: int = 0x20

    def __post_init__(self) -> None:
        self._check()
        check_whole(self, "at", self.at)
        check_whole(self, "count", self.count, least=1)
        check_whole(self, "mask", self.mask, least=1)
        if self.mask > 255:
            _refuse(self, "mask", self.mask, "1 to 255", "use 0x20 to turn a letter into its other case")


@dataclass(frozen=True, slots=True)
class Cut(Limited):
    """The bytes before byte `at` arrive. What comes in the place of byte `at`, when it is sent, is `how`.

    `reset`: the connection is reset, in both directions. `eof`: it ends in good order, in both directions.
    `half-close`: this direction ends, the other stays open. `blackhole`: nothing of this direction arrives
    any more, and nobody is told.

    The end of the stream is a byte here as elsewhere. A cut behind the last byte of a stream therefore comes
    in the place of its end: a body that ends with the stream arrives whole, and then a reset instead of the
    end. While the sender neither sends more nor ends, such a cut has not happened.
    """

    at: int
    how: How = "reset"

    def __post_init__(self) -> None:
        self._check()
        check_whole(self, "at", self.at)
        if self.how not in get_args(How):
            _refuse(self, "how", self.how, "a way to cut a stream", f"use one of {', '.join(get_args(How))}")


@dataclass(frozen=True, slots=True)
class Outage:
    """Nothing passes from time `start` on; what would arrive meanwhile arrives when the outage is over.

    Attributes:
        start: in seconds of the clock that the pipe is asked with.
        end: when it is over; infinity for never.
    """

    start: float
    end: float

    def __post_init__(self) -> None:
        check_times(self, self.start, self.end)

    def lifts(self, when: float) -> float:
        """Return when what would arrive at `when` arrives."""
        return self.end if self.start <= when < self.end else when


@dataclass(frozen=True, slots=True)
class Flap:
    """The link is up and down in turn, from `start` on; what would arrive while it is down waits.

    Attributes:
        up: how long it is up at a time, beginning at `start`.
        down: how long it is down at a time.
        start: in seconds of the clock that the pipe is asked with.
        end: when the link stays up for good; infinity for never.
    """

    up: float
    down: float
    start: float = 0.0
    end: float = inf

    def __post_init__(self) -> None:
        check_seconds(self, "up", self.up, zero=False)
        check_seconds(self, "down", self.down, zero=False)
        check_times(self, self.start, self.end)

    def lifts(self, when: float) -> float:
        """Return when what would arrive at `when` arrives."""
        if not self.start <= when < self.end:
            return when
        turn, within = divmod(when - self.start, self.up + self.down)
        if within < self.up:
            return when
        # Rounding must not lead back into the past.
        return max(when, min(self.end, self.start + (turn + 1) * (self.up + self.down)))


def lifted(outages: Collection[Outage | Flap], when: float) -> tuple[float, list[Outage | Flap]]:
    """Return when what would arrive at `when` arrives, and what held it back, in order.

    Outages of which one begins when the other ends are one outage; a long row of them never ends.
    """
    held: list[Outage | Flap] = []
    while len(held) < _MOST_OUTAGES:
        holding = next((outage for outage in outages if outage.lifts(when) > when), None)
        if holding is None:
            return when, held
        held.append(holding)
        when = holding.lifts(when)
    return inf, held


Rule = Latency | Bandwidth | Slice | Stall | Corrupt | Cut | Outage | Flap


def check_whole(rule: object, name: str, value: object, *, least: int = 0) -> None:
    """Refuse what is not a whole number of at least `least`.

    Raises:
        UsageError: when the value is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        _refuse(rule, name, value, f"a whole number of {least} or more", "count bytes from 0")


def check_seconds(
    rule: object,
    name: str,
    value: Any,
    *,
    zero: bool = True,
    endless: bool = False,
    hint: str = "use a number of seconds",
) -> None:
    """Refuse what is not a number of 0 or more.

    Args:
        rule: what it is a value of.
        name: the value's name.
        value: what is checked.
        zero: whether 0 is allowed.
        endless: whether infinity is allowed.
        hint: the way out.

    Raises:
        UsageError: when the value is none, or one that is not allowed.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= inf or (value == 0 and not zero) or (value == inf and not endless):
        least = "0 or more" if zero else "more than 0"
        _refuse(rule, name, value, least if endless else f"{least} and finite", hint)


def check_times(rule: object, start: Any, end: Any) -> None:
    """Refuse what is not a time that begins before it ends.

    Raises:
        UsageError: when it is none.
    """
    check_seconds(rule, "start", start, hint="use seconds of the clock")
    check_seconds(rule, "end", end, endless=True, hint="use seconds of the clock, or infinity for never")
    if not start < end:
        _refuse(rule, "end", end, f"later than start={start!r}", "leave it out if it never ends")


def _refuse(rule: object, name: str, value: object, must: str, way_out: str) -> NoReturn:
    raise UsageError(f"{type(rule).__name__}: {name}={value!r} must be {must}; {way_out}")
