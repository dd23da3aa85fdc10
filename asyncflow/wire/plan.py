"""The faults that are planned for the wire of one world: which of them strikes which look-up and connection.

The plan counts look-ups and connections, hands out pipes with the rules that strike, and remembers what
struck. It knows nothing of loops and clocks; whoever makes connections asks it with the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from types import MappingProxyType
from typing import Any, Literal

from asyncflow.errors import UsageError
from asyncflow.hosts import plain_host
from asyncflow.wire.fault import LOOKUP_WORDS, OUTAGE_WORDS, REFUSAL_WORDS, Caller, WireFault
from asyncflow.wire.messages import Messages
from asyncflow.wire.pipe import Pipe
from asyncflow.wire.rules import Rule, lifted
from asyncflow.wire.watched import Pending, WatchedPipe

__all__ = ["Caller", "Connection", "WireFault", "WirePlan"]

OnStrike = Callable[[WireFault, dict[str, Any]], None]
"""Called with a fault and the place where it struck, ready for JSON."""


@dataclass(slots=True, eq=False)
class Connection:
    """What the plan has for one connection.

    Attributes:
        host: the service's host name, in lower case.
        number: which connection to the host it is, from 1.
        up: carries the bytes from the client to the service.
        down: carries those from the service to the client.
        refusal: `refuse`, `unreachable` or `hang`: the connection is not made.
        opens_at: the link is down: the connection is not made before this time of the clock, and never if
            that is infinity. None when it may be made at once.
        resets_at: at this time of the clock both directions are reset, if the connection is still open:
            call `reset` then. None for never.
    """

    host: str
    number: int
    up: Pipe
    down: Pipe
    refusal: WireFault | None = None
    opens_at: float | None = None
    resets_at: float | None = None
    on_reset: Callable[[], None] | None = None

    def reset(self) -> None:
        """Take note that the connection was open at `resets_at`, and is reset."""
        self.up.die("reset")
        self.down.die("reset")
        if self.on_reset is not None:
            self.on_reset()
            self.on_reset = None


class WirePlan:
    """The faults that are planned for the wire; it remembers how often each of them struck.

    Of several faults for one look-up, and of several that refuse one connection, the first in the list
    strikes. Of the others all do.

    Args:
        faults: in the order of precedence, each with an id of its own.
        chance: draws jitter, and which faults of less than full probability strike.
        on_strike: called at each strike.

    Attributes:
        on_strike: the same; whoever carries the plan out may put itself in between.

    Raises:
        UsageError: when two faults have one id, or something is to be drawn and there is no chance.
    """

    def __init__(
        self,
        faults: Iterable[WireFault] = (),
        chance: Random | None = None,
        on_strike: OnStrike | None = None,
    ) -> None:
        self._chance = chance
        self.on_strike = on_strike
        self._fired: dict[str, int] = {}
        self._covered: dict[str, int] = {}
        self._lookups: dict[str, int] = {}
        self._connections: dict[str, int] = {}
        self._faults: dict[str, list[WireFault]] = {}
        for fault in faults:
            if fault.id in self._fired:
                raise UsageError(f"two faults of the wire have the id {fault.id!r}; give each its own")
            if chance is None and (fault.probability < 1 or fault.jitter):
                raise UsageError(f"{fault.id}: jitter and probability are drawn; give the plan a `chance`")
            self._fired[fault.id] = self._covered[fault.id] = 0
            self._faults.setdefault(plain_host(fault.host), []).append(fault)

    @property
    def fired(self) -> Mapping[str, int]:
        """How often each fault struck, by its id: look-ups, connections, and directions of connections."""
        return MappingProxyType(self._fired)

    def lookup(self, host: str, now: float, by: Caller | None = None) -> WireFault | None:
        """Count a look-up of a name and return the fault that strikes it, or None.

        Args:
            host: the name, in any case.
            now: seconds of the clock.
            by: who looks it up.
        """
        host = plain_host(host)
        number = self._lookups[host] = self._lookups.get(host, 0) + 1
        due = self._due(host, now, by, at_lookup=True) if host in self._faults else ()
        if not due:
            return None
        self._strike(due[0], {"service": host, "lookup": number})
        return due[0]

    def connect(self, host: str, now: float, by: Caller | None = None) -> Connection:
        """Count a connection to a host and return what is planned for it.

        Args:
            host: the name, in any case.
            now: seconds of the clock.
            by: who connects.
        """
        host = plain_host(host)
        number = self._connections[host] = self._connections.get(host, 0) + 1
        due = self._due(host, now, by, at_lookup=False) if host in self._faults else ()
        if not due:
            return Connection(host, number, Pipe(), Pipe())
        refusal = next((fault for fault in due if fault.do in REFUSAL_WORDS), None)
        if refusal is not None:
            self._strike(refusal, {"service": host, "connection": number})
            return Connection(host, number, Pipe(), Pipe(), refusal=refusal)
        return self._connection(host, number, now, due)

    # ------------------------------------------------------------------ which faults

    def _due(self, host: str, now: float, by: Caller | None, *, at_lookup: bool) -> list[WireFault]:
        """Count for each fault what the rest of its address lets through, and return those that are due."""
        due: list[WireFault] = []
        for fault in self._faults[host]:
            if (fault.do in LOOKUP_WORDS) == at_lookup and fault.covers(by):
                self._covered[fault.id] += 1
                numbers = fault.lookups if at_lookup else fault.connections
                is_meant = numbers is None or self._covered[fault.id] in numbers
                if is_meant and fault.may_strike(now) and self._drawn(fault):
                    due.append(fault)
        return due

    def _drawn(self, fault: WireFault) -> bool:
        return self._chance is None or fault.probability >= 1 or self._chance.random() < fault.probability

    def _strike(self, fault: WireFault, where: dict[str, Any]) -> None:
        self._fired[fault.id] += 1
        if self.on_strike is not None:
            self.on_strike(fault, dict(where))

    # ------------------------------------------------------------------ what they do to a connection

    def _connection(self, host: str, number: int, now: float, due: Sequence[WireFault]) -> Connection:
        where = {"service": host, "connection": number}
        up, down = self._pipes(where, tuple(fault for fault in due if fault.strikes_bytes))
        connection = Connection(host, number, up, down, opens_at=self._opens_at(where, now, due))
        resets = [fault for fault in due if fault.do == "reset-all"]
        if resets:
            first = min(resets, key=lambda fault: fault.window[0])
            connection.resets_at = first.window[0]
            connection.on_reset = partial(self._strike, first, where)
        return connection

    def _opens_at(self, where: dict[str, Any], now: float, due: Sequence[WireFault]) -> float | None:
        """Return when the link lets a connection be made, None for at once."""
        outages = [(fault, fault.outage()) for fault in due if fault.do in OUTAGE_WORDS]
        when, held = lifted([outage for _, outage in outages], now)
        for fault, outage in outages:
            if any(outage is holding for holding in held):
                self._strike(fault, where)
        return when if held else None

    def _pipes(self, where: dict[str, Any], faults: Sequence[WireFault]) -> tuple[Pipe, Pipe]:
        """Return the pipes up and down; when a fault counts in messages, both look for them."""
        requests = responses = None
        if any(fault.part for fault in faults):
            requests = Messages()
            responses = Messages(requests)
        return self._pipe(where, "up", faults, requests), self._pipe(where, "down", faults, responses)

    def _pipe(
        self,
        where: dict[str, Any],
        direction: Literal["up", "down"],
        faults: Sequence[WireFault],
        messages: Messages | None,
    ) -> Pipe:
        meant = [fault for fault in faults if direction in fault.directions]
        strikes = _Strikes(self._strike, {**where, "direction": direction})
        if messages is None:
            pipe = Pipe((), self._chance, strikes)
        else:
            pipe = WatchedPipe(strikes.pending(meant), messages, self._chance, strikes)
        strikes.pipe = pipe
        for fault in meant:
            if fault.part is None:
                pipe.add(strikes.rule(fault, {}, fault.byte))
        return pipe


class _Strikes:
    """Knows which fault each rule of a pipe comes from, and tells of it when the rule strikes."""

    pipe: Pipe

    def __init__(self, tell: OnStrike, where: dict[str, Any]) -> None:
        self._tell = tell
        self._where = where
        self._origins: list[tuple[Rule, WireFault, dict[str, Any]]] = []

    def __call__(self, rule: Rule) -> None:
        for known, fault, more in self._origins:
            if known is rule:
                self._tell(fault, {**self._where, "byte": self.pipe.offset, **more})

    def rule(self, fault: WireFault, more: dict[str, Any], at: int) -> Rule:
        rule = fault.rule(at)
        self._origins.append((rule, fault, more))
        return rule

    def pending(self, faults: Iterable[WireFault]) -> list[Pending]:
        return [
            Pending(
                number,
                fault.part,
                fault.byte,
                fault.is_cut,
                partial(self.rule, fault, {"part": fault.part, "request": number}),
            )
            for fault in faults
            if fault.part is not None
            for number in fault.request or (1,)
        ]
