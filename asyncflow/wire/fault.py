"""A fault that is planned for the wire, and the rule that it makes for a pipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, Literal

from asyncflow.errors import UsageError, did_you_mean
from asyncflow.wire.messages import PartName
from asyncflow.wire.rules import (
    Bandwidth,
    Corrupt,
    Cut,
    Flap,
    How,
    Latency,
    Outage,
    Rule,
    Slice,
    Stall,
    check_times,
    check_whole,
)

Caller = tuple[str, int]
"""Who asks: the name of a task and the number of its attempt."""

LOOKUP_WORDS = ("nxdomain", "servfail", "dns-timeout", "dns-slow", "dns-wrong")
"""What can strike a look-up of a name."""

REFUSAL_WORDS = ("refuse", "unreachable", "hang")
"""What can strike the making of a connection."""

OUTAGE_WORDS = ("partition", "flap")
"""What lets nothing pass for a time, the making of connections included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFault:
    """A fault that is planned for the wire of a service. What it does not say matches everything.

    Attributes:
        id: unique in its plan.
        host: the service's host name, in any case.
        do: a word of the layer network, those about TLS excepted.
        lookups: which look-ups of the name it strikes, from 1, counted among those of `task` and `attempts`.
        connections: which connections to the host it strikes, from 1, counted likewise.
        direction: where bytes are struck; `up` is from the client to the service.
        byte: the first byte that is struck, from 0, in the direction, or in `part`.
        part: count bytes in this part of HTTP/1.1 messages. A cut may lie right behind the last of its bytes.
        request: the numbers of these messages on their connection, from 1; None for the first.
        task: the task that looks up or connects.
        attempts: the attempts in which it does.
        seconds: how long `dns-slow`, `dns-timeout`, `latency`, `stall` and `clog` take, and how far apart the
            pieces of `drip` are.
        jitter: the random part of `latency`, in seconds either way.
        rate: bytes a second of `bandwidth`.
        count: how many bytes `corrupt` strikes, by default 1; the size of the pieces of `slice`, and of
            `drip`, there by default 1.
        mask: the bits that `corrupt` flips.
        address: where `dns-wrong` leads.
        up: how many seconds at a time the link of `flap` is up; it begins so.
        down: how many seconds at a time it is down.
        window: the time in which it strikes, in seconds of the clock: what is looked up, connected or sent
            then. `partition` and `flap` last so long; `reset-all` strikes the connections that are open when
            it begins.
        probability: the share of the matching look-ups or connections that it strikes.
        optional: whether a rehearsal may pass although it never struck.

    Raises:
        UsageError: when the word is unknown, lacks a value that it needs, or a value is out of range.
    """

    id: str
    host: str
    do: str
    lookups: tuple[int, ...] | None = None
    connections: tuple[int, ...] | None = None
    direction: Literal["up", "down", "both"] = "down"
    byte: int = 0
    part: PartName | None = None
    request: tuple[int, ...] | None = None
    task: str | None = None
    attempts: tuple[int, ...] | None = None
    seconds: float | None = None
    jitter: float = 0.0
    rate: float | None = None
    count: int | None = None
    mask: int = 0x20
    address: str | None = None
    up: float | None = None
    down: float | None = None
    window: tuple[float, float] = (0.0, inf)
    probability: float = 1.0
    optional: bool = False

    def __post_init__(self) -> None:
        known = (*LOOKUP_WORDS, *REFUSAL_WORDS, *_RULES, "reset-all")
        if self.do not in known:
            way_out = did_you_mean(self.do, known) or f" Use one of {', '.join(known)}"
            raise UsageError(f"{self.id}: do={self.do!r} is no word of the wire.{way_out}")
        for key in _NEEDED.get(self.do, ()):
            if getattr(self, key) is None:
                raise UsageError(f"{self.id}: {self.do!r} needs {key!r}; say what it is")
        self._check_place()
        check_times(self, *self.window)
        if not 0 < self.probability <= 1:
            raise UsageError(f"{self.id}: probability={self.probability!r} must be above 0 and at most 1")
        if self.strikes_bytes:
            self.rule(self.byte)

    def _check_place(self) -> None:
        for name in ("lookups", "connections", "request", "attempts"):
            for number in getattr(self, name) or ():
                check_whole(self, name, number, least=1)
        check_whole(self, "byte", self.byte)
        if (self.byte or self.part) and self.is_timed:
            raise UsageError(f"{self.id}: {self.do!r} strikes by time, at no byte; leave out byte and part")
        if self.request is not None and self.part is None:
            raise UsageError(f"{self.id}: request={self.request!r} needs part='head' or part='body'")
        if self.do == "clog" and self.seconds is None and self.window[1] == inf:
            raise UsageError(f"{self.id}: 'clog' must end some time; give it seconds or a window that ends")
        if self.do == "reset-all" and not self.window[0]:
            raise UsageError(f"{self.id}: 'reset-all' strikes when its window begins; let it begin after 0")

    @property
    def strikes_bytes(self) -> bool:
        """Whether it is a rule for pipes."""
        return self.do in _RULES

    @property
    def is_cut(self) -> bool:
        """Whether it ends a direction, so that it may strike between two bytes."""
        return self.do in ("reset", "eof", "half-close", "blackhole")

    @property
    def is_timed(self) -> bool:
        """Whether a time alone decides what it strikes."""
        return self.do in (*OUTAGE_WORDS, "reset-all") or (self.do == "clog" and self.seconds is None)

    @property
    def directions(self) -> tuple[Literal["up", "down"], ...]:
        """The directions whose bytes it strikes."""
        return ("up", "down") if self.direction == "both" else (self.direction,)

    def covers(self, by: Caller | None) -> bool:
        """Return whether it is meant for what this caller looks up and connects to."""
        if self.task is not None and (by is None or by[0] != self.task):
            return False
        return self.attempts is None or (by is not None and by[1] in self.attempts)

    def may_strike(self, now: float) -> bool:
        """Return whether its window lets it strike what is looked up, or connected, now."""
        opens, closes = self.window
        if self.strikes_bytes:
            return now < closes  # of a connection that is open then, what is sent in the window
        return now < opens if self.do == "reset-all" else opens <= now < closes

    def rule(self, at: int) -> Rule:
        """Return what it does to a pipe in which the byte that it names is byte `at`."""
        return _RULES[self.do](self, at)

    def outage(self) -> Outage | Flap:
        """Return when the link is down because of a `partition` or `flap`."""
        return _outage(self) if self.do == "partition" else _flap(self)


def _cut(how: How, fault: WireFault, at: int) -> Rule:
    return Cut(at, how, **_times(fault))


def _corrupt(fault: WireFault, at: int) -> Rule:
    return Corrupt(at, 1 if fault.count is None else fault.count, fault.mask, **_times(fault))


def _stall(fault: WireFault, at: int) -> Rule:
    return Stall(at, _given(fault.seconds), **_times(fault))


def _drip(fault: WireFault, at: int) -> Rule:
    return Slice(1 if fault.count is None else fault.count, _given(fault.seconds), at, **_times(fault))


def _slice(fault: WireFault, at: int) -> Rule:
    return Slice(int(_given(fault.count)), 0.0, at, **_times(fault))


def _bandwidth(fault: WireFault, at: int) -> Rule:
    return Bandwidth(_given(fault.rate), at, **_times(fault))


def _latency(fault: WireFault, at: int) -> Rule:
    return Latency(_given(fault.seconds), fault.jitter, at, **_times(fault))


def _outage(fault: WireFault, _: int = 0) -> Outage:
    return Outage(*fault.window)


def _flap(fault: WireFault, _: int = 0) -> Flap:
    return Flap(_given(fault.up), _given(fault.down), *fault.window)


def _clog(fault: WireFault, at: int) -> Rule:
    return _outage(fault) if fault.seconds is None else _stall(fault, at)


def _times(fault: WireFault) -> dict[str, Any]:
    return {"start": fault.window[0], "end": fault.window[1]}


def _given(value: float | None) -> float:
    assert value is not None
    return value


_RULES: Mapping[str, Callable[[WireFault, int], Rule]] = {
    "reset": partial(_cut, "reset"),
    "eof": partial(_cut, "eof"),
    "half-close": partial(_cut, "half-close"),
    "blackhole": partial(_cut, "blackhole"),
    "corrupt": _corrupt,
    "stall": _stall,
    "drip": _drip,
    "slice": _slice,
    "bandwidth": _bandwidth,
    "latency": _latency,
    "partition": _outage,
    "flap": _flap,
    "clog": _clog,
}

_NEEDED = {
    "dns-slow": ("seconds",),
    "stall": ("seconds",),
    "drip": ("seconds",),
    "slice": ("count",),
    "bandwidth": ("rate",),
    "latency": ("seconds",),
    "flap": ("up", "down"),
}
