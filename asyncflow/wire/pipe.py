"""The byte engine: what a pipe's rules make of the bytes of one direction of one connection, and when.

No clock, no loop and no socket are known here. Whoever carries the bytes asks the pipe with the time and
executes the steps that it answers, whether by a virtual clock or on a real wire.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from math import inf
from random import Random
from typing import Literal, NamedTuple, TypeVar, assert_never

from asyncflow.errors import UsageError
from asyncflow.wire.rules import (
    Bandwidth,
    Corrupt,
    Cut,
    Flap,
    Latency,
    Outage,
    Rule,
    Slice,
    Stall,
    lifted,
)

S = TypeVar("S", Latency, Bandwidth, Slice, Stall, Corrupt, Cut)

_TICK = 0.1
"""Seconds between the pieces of a stream whose bandwidth is limited: a slow stream is not a silent one."""


class Step(NamedTuple):
    """One thing that happens at the receiving end.

    Attributes:
        when: seconds of the clock that the pipe was asked with; from step to step it never decreases.
        kind: `data` arrives; `half-close`: the sender's direction ends; `eof`: both directions end in good
            order; `reset`: the connection is reset in both directions.
        data: what arrives; empty unless `kind` is `data`.
    """

    when: float
    kind: Literal["data", "eof", "half-close", "reset"]
    data: bytes = b""


class Pipe:
    """One direction of one connection: bytes go in with the time, and come out as steps.

    Every byte arrives once and in order; only a cut, or a wait without end, keeps back the rest. Into what
    pieces the sender divides its bytes changes neither what arrives nor which bytes are struck. A rule that
    does not apply changes nothing.

    Args:
        rules: what happens to the bytes.
        chance: draws jitter.
        on_strike: called with each rule once, when it first has an effect; `offset` tells on which byte.

    Attributes:
        plain: whether bytes only pass, all of them equally late: one step for each `push`, data unchanged.
        offset: how many bytes were sent so far; after a cut, how many of them came before it.
        dead: why nothing comes out any more: the way of the cut, `never` when what is sent waits without
            end, `end` when the sender has ended its direction; None while the pipe works.

    Raises:
        UsageError: when there is jitter and no chance to draw it from.
    """

    __slots__ = (
        "_bandwidths",
        "_chance",
        "_corrupts",
        "_cuts",
        "_delay",
        "_last",
        "_latencies",
        "_on_strike",
        "_outages",
        "_slices",
        "_stalls",
        "_unstruck",
        "dead",
        "offset",
        "plain",
    )

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        chance: Random | None = None,
        on_strike: Callable[[Rule], None] | None = None,
    ) -> None:
        self.plain = True
        self.offset = 0
        self.dead: str | None = None
        self._chance = chance
        self._on_strike = on_strike
        self._delay = 0.0
        self._last = 0.0
        self._latencies: tuple[Latency, ...] = ()
        self._bandwidths: tuple[Bandwidth, ...] = ()
        self._slices: tuple[Slice, ...] = ()
        self._stalls: tuple[Stall, ...] = ()
        self._corrupts: tuple[Corrupt, ...] = ()
        self._cuts: tuple[Cut, ...] = ()
        self._outages: tuple[Outage | Flap, ...] = ()
        self._unstruck: dict[int, Rule] = {}  # by identity: two faults may have equal rules
        for rule in rules:
            self.add(rule)

    def add(self, rule: Rule) -> None:
        """Let a rule act on what is sent from now on.

        Raises:
            UsageError: when the rule has jitter and there is no chance to draw it from.
        """
        match rule:
            case Latency():
                if rule.jitter and self._chance is None:
                    raise UsageError(f"{rule} has jitter, which must be drawn; give the pipe a `chance`")
                self._latencies += (rule,)
            case Bandwidth():
                self._bandwidths += (rule,)
            case Slice():
                self._slices += (rule,)
            case Stall():
                self._stalls += (rule,)
            case Corrupt():
                self._corrupts += (rule,)
            case Cut():
                self._cuts += (rule,)
            case Outage() | Flap():
                self._outages += (rule,)
            case _:
                assert_never(rule)
        self._unstruck[id(rule)] = rule
        self._settle()

    def push(self, now: float, data: bytes) -> list[Step]:
        """Take bytes that are sent now, and return what will arrive of them, and when.

        Args:
            now: seconds of the clock.
            data: any number of bytes.
        """
        if data.__class__ is not bytes:
            data = bytes(data)  # the sender may use its buffer again
        if not data:
            return []
        if self.plain:
            when = now + self._delay
            if when < self._last:
                when = self._last
            else:
                self._last = when
            self.offset += len(data)
            return [Step(when, "data", data)]
        return [] if self.dead is not None else self._passed(now, data)

    def end(self, now: float) -> list[Step]:
        """Take note that the sender ends its direction in good order now, and return what arrives of that."""
        if self.dead is not None:
            return []
        return self._closed(now, self._drawn(now, self.offset), self._first_cut(now, self.offset))

    def die(self, why: str) -> None:
        """Let nothing come out any more.

        Args:
            why: what `dead` says from now on.
        """
        self.dead = why
        self.plain = False

    # ------------------------------------------------------------------ the way of the bytes

    def _passed(self, now: float, data: bytes) -> list[Step]:
        """Return the steps of `data`, piece by piece, so that rules strike in the order of the bytes."""
        start, end = self.offset, self.offset + len(data)
        cut = self._first_cut(now, end - 1)
        stop = end if cut is None else cut.at
        drawn = self._drawn(now, end - 1 if cut is None else stop)
        edges = self._edges(now, start, stop)
        steps: list[Step] = []
        for low, high in pairwise(edges):
            self.offset = low
            when = self._arrival(now, high - low, drawn)
            if when == inf:
                self.die("never")
                return steps
            steps.append(Step(when, "data", self._corrupted(now, low, data[low - start : high - start])))
        self.offset = stop
        if cut is not None:
            return steps + self._closed(now, drawn, cut)
        self._settle()
        return steps

    def _closed(self, now: float, drawn: Mapping[int, float], cut: Cut | None) -> list[Step]:
        """Return what arrives in the place of the next byte: a cut, or the end of the direction."""
        when = self._arrival(now, 0, drawn)
        if when == inf:
            self.die("never")
            return []
        if cut is None:
            self.die("end")
            return [Step(when, "half-close")]
        self._strike(cut)
        self.die(cut.how)
        return [] if cut.how == "blackhole" else [Step(when, cut.how)]

    def _arrival(self, now: float, size: int, drawn: Mapping[int, float]) -> float:
        """Return when the next `size` bytes have arrived, or what stands in the place of the next byte."""
        at, last = self.offset, self._last
        when = max(last, now + self._lateness(now, at, drawn))
        for slice_ in _acting(self._slices, now):
            if size and at > 0 and slice_.begins(at):
                self._strike(slice_)
                when = max(when, last + slice_.gap) if at > slice_.at else when
        for stall in _acting(self._stalls, now):
            if stall.at == at:
                self._strike(stall)
                when += stall.seconds
        slowest = min(_acting(self._bandwidths, now, at), key=_rate, default=None) if size else None
        if slowest is not None:
            self._strike(slowest)
            when += size / slowest.rate
        self._last, held = lifted(self._outages, when)
        for outage in held:
            self._strike(outage)
        return self._last

    def _lateness(self, now: float, at: int, drawn: Mapping[int, float]) -> float:
        lateness = 0.0
        for latency in _acting(self._latencies, now, at):
            if latency.seconds or latency.jitter:
                self._strike(latency)
                lateness += latency.seconds + drawn.get(id(latency), 0.0)
        return max(0.0, lateness)

    def _corrupted(self, now: float, low: int, piece: bytes) -> bytes:
        high = low + len(piece)
        striking = [rule for rule in _acting(self._corrupts, now, high - 1) if low < rule.at + rule.count]
        if not striking:
            return piece
        flipped = bytearray(piece)
        for rule in sorted(striking, key=_at):
            self.offset = max(rule.at, low)
            self._strike(rule)
            for position in range(self.offset, min(rule.at + rule.count, high)):
                flipped[position - low] ^= rule.mask
        return bytes(flipped)

    # ------------------------------------------------------------------ what acts on them

    def _edges(self, now: float, start: int, stop: int) -> list[int]:
        """Return where pieces begin, and the end of the last: each piece is treated alike throughout."""
        edges = {start, stop}
        edges.update(latency.at for latency in _acting(self._latencies, now))
        edges.update(stall.at for stall in _acting(self._stalls, now))
        for bandwidth in _acting(self._bandwidths, now):
            edges.update(_grid(bandwidth.at, max(1, int(bandwidth.rate * _TICK)), start, stop))
        for slice_ in _acting(self._slices, now):
            edges.update(_grid(slice_.at, slice_.size, start, stop))
        return sorted(edge for edge in edges if start <= edge <= stop)

    def _drawn(self, now: float, top: int) -> dict[int, float]:
        """Draw the jitter of one sending whose last byte is `top`, once for each rule that acts on it."""
        return {
            id(latency): self._chance.uniform(-latency.jitter, latency.jitter)
            for latency in _acting(self._latencies, now, top)
            if latency.jitter and self._chance is not None
        }

    def _first_cut(self, now: float, top: int) -> Cut | None:
        """Return the cut that comes first among the next bytes up to `top`."""
        ahead = (cut for cut in _acting(self._cuts, now, top) if cut.at >= self.offset)
        return min(ahead, key=_at, default=None)

    def _strike(self, rule: Rule) -> None:
        if self._unstruck.pop(id(rule), None) is not None and self._on_strike is not None:
            self._on_strike(rule)

    def _settle(self) -> None:
        """Let go of the rules that nothing can meet any more, and see whether bytes only pass from now on."""
        self._corrupts = tuple(rule for rule in self._corrupts if rule.at + rule.count > self.offset)
        self._stalls = tuple(rule for rule in self._stalls if rule.at >= self.offset)
        self._cuts = tuple(rule for rule in self._cuts if rule.at >= self.offset)
        striking = (self._corrupts, self._stalls, self._cuts, self._slices, self._bandwidths, self._outages)
        self.plain = self.dead is None and not any(striking) and all(map(self._is_constant, self._latencies))
        self._delay = sum(latency.seconds for latency in self._latencies)

    def _is_constant(self, latency: Latency) -> bool:
        """Return whether a latency is the same for all bytes to come, and nobody waits for its strike."""
        is_silent = self._on_strike is None or id(latency) not in self._unstruck or not latency.seconds
        is_endless = latency.start == 0 and latency.end == inf
        return is_silent and is_endless and not latency.jitter and latency.at <= self.offset


def _grid(at: int, size: int, start: int, stop: int) -> range:
    """Return the places `at`, `at + size`, ... that lie from `start` to before `stop`."""
    first = at if at >= start else start + (at - start) % size
    return range(first, stop, size)


def _acting(rules: tuple[S, ...], now: float, top: float = inf) -> list[S]:
    """Return the rules that act now and begin at byte `top` or before."""
    return [rule for rule in rules if rule.at <= top and rule.acts(now)]


def _at(rule: Corrupt | Cut) -> int:
    return rule.at


def _rate(rule: Bandwidth) -> float:
    return rule.rate
