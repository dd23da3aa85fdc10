"""What of format 1 this version carries out; the rest is valid, and answered with `not in this version`.

Some of it is built in the simulated world alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from asyncflow.scenario import format as tables
from asyncflow.scenario.actions import ACTIONS, Action
from asyncflow.scenario.always import KEYS
from asyncflow.scenario.format import Fault, Scenario
from asyncflow.scenario.locate import Path
from asyncflow.scenario.shape import Problem
from asyncflow.scenario.values import said

BUILT: Mapping[str, tuple[str, ...]] = {
    "task": ("raise", "delay", "hang", "cancel", "wrong-result"),
    "signal": ("signal",),
    "http": (
        *("status", "slow", "hang", "reset", "truncate", "drip"),
        *("wrong-length", "malformed-json", "wrong-content-type"),
    ),
    "network": (
        *("nxdomain", "servfail", "dns-timeout", "dns-slow", "dns-wrong"),
        *("refuse", "unreachable", "hang", "reset", "eof", "half-close", "blackhole"),
        *("corrupt", "stall", "drip", "slice", "bandwidth", "latency"),
        *("partition", "flap", "clog", "reset-all"),
    ),
}
"""The action words that are built, by layer."""

ONLY_SIMULATED = ("network",)
"""The layers whose words are built in the simulated world and not in the real one."""

LATER: Mapping[type, tuple[str, ...]] = {
    tables.Scenario: ("shuffle",),
    tables.Service: ("tls",),
    tables.TaskAt: ("step",),
    tables.ServiceAt: ("method", "task", "attempt"),
    tables.Fault: ("window", "boot", "grouped", "body", "headers", "content_type"),
    tables.Expectations: ("signal", "output", "check"),
    tables.Expect: ("sometimes", "settles"),
    tables.Rows: ("unique",),
}
"""The keys that are not built, by the table that they stand in; a table has those of its base class too."""

LATER_ON_THE_WIRE: Mapping[type, tuple[str, ...]] = {
    **LATER,
    tables.ServiceAt: (),
    tables.Fault: ("boot",),
}
"""The same for faults of the layer network."""

_NOT_IN_REAL = "not in this version in the real world; play it with --world simulated"

LATER_WORDS: Mapping[tuple[type, str], tuple[str, ...]] = {
    (tables.TaskAt, "when"): ("inside", "commit", "timeout"),
}
"""Words that are not built, by the table and the key that they stand at."""


def built(action: Action, world: str = "simulated") -> bool:
    """Return whether this version carries out an action in a world; the simulated one has all of them."""
    in_world = world == "simulated" or action.layer not in ONLY_SIMULATED
    return in_world and action.do in BUILT.get(action.layer, ())


def unsupported(scenario: Scenario) -> list[str]:
    """Return a line for everything that this version can't carry out in the scenario's world.

    Each is of the form `file:line: path: reason`. The list is empty when the scenario can be run.
    """
    source = scenario.source
    found = [*_missing((), scenario), *_elsewhere(scenario)]
    found.sort(key=lambda problem: source.line(problem[0]))
    return [source.locate(path, reason) for path, reason in found]


def _elsewhere(scenario: Scenario) -> Iterator[Problem]:
    """Yield what is built in the other world."""
    if scenario.fires is not None and scenario.world == "real":
        yield ("fires",), f"following a schedule is {_NOT_IN_REAL}"
    for index, fault in enumerate(scenario.faults):
        if built(fault.action) and not built(fault.action, scenario.world):
            yield ("fault", index, "do"), _not_in_this_world(fault.action)


Later = Mapping[type, tuple[str, ...]]


def _missing(path: Path, value: Any, later: Later = LATER) -> Iterator[Problem]:
    if isinstance(value, Fault):
        yield from _missing_of_fault(path, value)
    elif isinstance(value, msgspec.Struct):
        yield from _missing_in_table(path, value, later)
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _missing((*path, key), item, later)


def _missing_of_fault(path: Path, fault: Fault) -> Iterator[Problem]:
    if built(fault.action):
        later = LATER_ON_THE_WIRE if fault.action.layer == "network" else LATER
        yield from _missing_in_table(path, fault, later)
        yield from _missing_of_action(path, fault)
    else:
        yield (*path, "do"), _not_built(fault.action)


def _missing_in_table(path: Path, table: msgspec.Struct, later: Later) -> Iterator[Problem]:
    kind = type(table)
    for key, item in said(table).items():
        if any(key in later.get(base, ()) for base in kind.__mro__):
            yield (*path, key), f"{key} is not in this version"
        elif isinstance(item, str) and item in LATER_WORDS.get((kind, key), ()):
            yield (*path, key), f"{key} = {item!r} is not in this version"
        else:
            yield from _missing((*path, key), item, later)
    if isinstance(table, tables.Expect):
        yield from _out_of_place(path, table)


def _out_of_place(path: Path, expect: tables.Expect) -> Iterator[Problem]:
    for index, expected in enumerate(expect.always):
        for key in said(expected):
            if key not in KEYS:
                yield (*path, "always", index, key), f"{key} is known at the end only; move it out of always"
    for index, expected in enumerate(expect.fires):
        if expected.rows:
            reason = "rows are looked at when the last run has ended; move them out of fires"
            yield (*path, "fires", index, "rows"), reason


def _missing_of_action(path: Path, fault: Fault) -> Iterator[Problem]:
    if fault.do == "wrong-result" and fault.keep is not None:
        yield (*path, "keep"), "keep of a wrong result is not in this version"
    if fault.do == "wrong-result" and isinstance(fault.at, tables.TaskAt) and fault.at.when == "before":
        yield (*path, "at", "when"), "a result without the body is not in this version"
    if fault.action.layer == "http" and fault.probability is not None:
        yield (*path, "probability"), "the probability of an http fault is not in this version"


def _not_built(action: Action) -> str:
    known = ", ".join(row.do for row in ACTIONS if row.layer == action.layer and built(row))
    hint = f"; of this layer it has {known}" if known else ""
    return f"{action.do!r} ({action.layer}) is not in this version{hint}"


def _not_in_this_world(action: Action) -> str:
    return f"{action.do!r} ({action.layer}) is {_NOT_IN_REAL}"
