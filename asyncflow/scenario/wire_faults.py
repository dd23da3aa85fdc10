"""Turns the network faults of a scenario into what goes wrong on the wire, as `asyncflow.wire` takes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from asyncflow.scenario.format import Fault, Scenario, ServiceAt, Window
from asyncflow.scenario.resolve import fault_id, many, seconds_of
from asyncflow.wire.plan import WireFault

Direction = Literal["up", "down", "both"]

_USUALLY: Mapping[str, Direction] = {"partition": "both", "flap": "both"}
"""The direction of a word that does not strike what comes from the service unless the file says so."""

_FLIPPED = 0x20
"""What `corrupt` flips unless the file says so: the bit that tells `{` from `[` and `A` from `a`."""


def wire_faults(scenario: Scenario, start: float = 0.0) -> tuple[WireFault, ...]:
    """Return the faults that strike look-ups and connections, in the order of the file.

    Args:
        scenario: the scenario.
        start: when its run starts, in seconds of the clock of the wire; windows are measured from there.
    """
    return tuple(
        _wire_fault(fault_id(position), fault, fault.at, start)
        for position, fault in enumerate(scenario.faults)
        if isinstance(fault.at, ServiceAt) and fault.action.layer == "network"
    )


def _wire_fault(name: str, fault: Fault, at: ServiceAt, start: float) -> WireFault:
    return WireFault(
        id=name,
        host=at.service,
        do=fault.do,
        lookups=many(at.lookup),
        connections=many(at.connection),
        direction=at.direction or _USUALLY.get(fault.do, "down"),
        byte=at.byte or 0,
        part=at.part,
        request=many(at.request),
        task=at.task,
        attempts=many(at.attempt),
        seconds=seconds_of(fault.seconds),
        jitter=seconds_of(fault.jitter) or 0.0,
        rate=None if fault.rate is None else float(fault.rate),
        count=fault.bytes,
        mask=_FLIPPED if fault.mask is None else fault.mask,
        address=fault.address,
        up=seconds_of(fault.up),
        down=seconds_of(fault.down),
        window=_window(fault.window, start),
        probability=1.0 if fault.probability is None else fault.probability,
        optional=fault.optional,
    )


def _window(window: Window | None, start: float) -> tuple[float, float]:
    window = window or Window()
    return start + (window.from_ or 0.0), math.inf if window.to is None else start + window.to
