"""The wire of one run: what goes wrong on it, and whose code was struck by that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from asyncflow.engine import TaskRun
from asyncflow.handles import innermost
from asyncflow.wire.plan import Caller, Connection, WireFault, WirePlan

Struck = Callable[[WireFault, dict[str, Any], object], None]
"""Called at each strike with the fault, where it struck, and the run whose code was struck, or None."""


class Wire(WirePlan):
    """A plan that finds out who asks, and remembers whose connections are whose.

    Names are looked up and connections are made in the context of whoever needs them. What strikes bytes
    comes later, in nobody's context.

    Args:
        faults: what goes wrong.
        chance: draws what has a probability.
        on_strike: told of each strike.
    """

    def __init__(self, faults: Iterable[WireFault], chance: Random, on_strike: Struck) -> None:
        super().__init__(faults, chance, self._struck)
        self._told = on_strike
        self._callers: dict[tuple[str, int], object] = {}

    def lookup(self, host: str, now: float, by: Caller | None = None) -> WireFault | None:
        """Count a look-up, and return the fault that strikes it."""
        return super().lookup(host, now, by or _asking())

    def connect(self, host: str, now: float, by: Caller | None = None) -> Connection:
        """Count a connection, and return what the plan has for it."""
        connection = super().connect(host, now, by or _asking())
        self._callers[connection.host, connection.number] = innermost()
        return connection

    def _struck(self, fault: WireFault, where: dict[str, Any]) -> None:
        place = (where["service"], where.get("connection", 0))
        self._told(fault, where, self._callers.get(place, innermost()))


def _asking() -> Caller | None:
    """Return the task and the attempt whose code is running, or None outside tasks."""
    caller = innermost()
    return (caller.task.name, caller.attempt) if isinstance(caller, TaskRun) else None
