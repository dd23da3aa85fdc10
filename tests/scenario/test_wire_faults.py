"""Faults on the wire: what a file's words become, and whom a strike is noted with."""

from __future__ import annotations

from math import inf
from random import Random
from typing import Any

import pytest

from asyncflow.engine import TaskRun
from asyncflow.handles import scope
from asyncflow.scenario.format import Scenario
from asyncflow.scenario.load import loads
from asyncflow.scenario.wire import Wire
from asyncflow.scenario.wire_faults import wire_faults
from asyncflow.scenario.wire_rules import PLACES
from asyncflow.wire.plan import WireFault
from tests.scenario.test_support import BUILT, MORE

HEAD = 'format = 1\nflow = "m:f"\n[service.api]\nreplica = "cfpb"\n[service.other]\nreplica = "posts"\n'


def scenario_of(*faults: str) -> Scenario:
    return loads(HEAD + "".join(f"[[fault]]\n{fault}\n" for fault in faults), "x.toml")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("at = {service='api'}\ndo = 'refuse'", {"do": "refuse"}),
        ("at = {service='api', lookup=[2, 1, 2]}\ndo = 'nxdomain'", {"do": "nxdomain", "lookups": (1, 2)}),
        (
            "at = {service='api', connection=2, direction='up', byte=7}\ndo = 'reset'",
            {"do": "reset", "connections": (2,), "direction": "up", "byte": 7},
        ),
        (
            "at = {service='api', part='body', request=[2, 3], byte=0}\ndo = 'eof'",
            {"do": "eof", "part": "body", "request": (2, 3)},
        ),
        (
            "at = {service='api', connection=1, task='t', attempt=2}\ndo = 'hang'",
            {"do": "hang", "connections": (1,), "task": "t", "attempts": (2,)},
        ),
        (
            "at = {service='api'}\ndo = 'unreachable'\nprobability = 0.5\noptional = true",
            {"do": "unreachable", "probability": 0.5, "optional": True},
        ),
        (
            "at = {service='api', byte=3}\ndo = 'corrupt'\nbytes = 2\nmask = 1",
            {"do": "corrupt", "byte": 3, "count": 2, "mask": 1},
        ),
        ("at = {service='api', byte=3}\ndo = 'corrupt'", {"do": "corrupt", "byte": 3, "mask": 0x20}),
        (
            "at = {service='api'}\ndo = 'latency'\nseconds = '80ms'\njitter = '20ms'",
            {"do": "latency", "seconds": 0.08, "jitter": 0.02},
        ),
        ("at = {service='api'}\ndo = 'bandwidth'\nrate = 1024", {"do": "bandwidth", "rate": 1024.0}),
        (
            "at = {service='api', lookup=1}\ndo = 'dns-wrong'\naddress = '127.0.0.9'",
            {"do": "dns-wrong", "lookups": (1,), "address": "127.0.0.9"},
        ),
        (
            "at = {service='api'}\ndo = 'refuse'\nwindow = {from = '5s', to = '1m'}",
            {"do": "refuse", "window": (5.0, 60.0)},
        ),
        ("at = {service='api'}\ndo = 'refuse'\nwindow.to = '3s'", {"do": "refuse", "window": (0.0, 3.0)}),
        (
            "at = {service='api'}\ndo = 'partition'\nwindow.from = '3s'",
            {"do": "partition", "direction": "both", "window": (3.0, inf)},
        ),
        (
            "at = {service='api', direction='up'}\ndo = 'flap'\nup = '1s'\ndown = '200ms'",
            {"do": "flap", "direction": "up", "up": 1.0, "down": 0.2},
        ),
    ],
)
def test_a_fault_of_the_file_becomes_one_of_the_wire(text: str, fault: dict[str, Any]) -> None:
    assert wire_faults(scenario_of(text)) == (WireFault(**({"id": "fault[1]", "host": "api"} | fault)),)


def test_windows_are_measured_from_the_start_of_the_run() -> None:
    windowed, whole = wire_faults(
        scenario_of(
            "at = {service='api'}\ndo = 'refuse'\nwindow = {from = '5s', to = '1m'}",
            "at = {service='api'}\ndo = 'refuse'",
        ),
        start=0.25,
    )
    assert (windowed.window, whole.window) == ((5.25, 60.25), (0.25, inf))


def test_only_faults_of_the_network_are_on_the_wire_and_keep_their_numbers() -> None:
    scenario = scenario_of(
        "at = {service='api'}\ndo = 'hang'",
        "at = {service='api', connection=1}\ndo = 'hang'",
        "at = {task='t'}\ndo = 'hang'",
        "at = {service='other'}\ndo = 'servfail'",
        "at = {service='other', byte=3}\ndo = 'crash'",
    )
    faults = [(fault.id, fault.host, fault.do) for fault in wire_faults(scenario)]
    assert faults == [("fault[2]", "api", "hang"), ("fault[4]", "other", "servfail")]


@pytest.mark.parametrize("word", BUILT["network"])
def test_the_wire_knows_every_word_that_is_built(word: str) -> None:
    address = f"{{ service = 'api', {PLACES[word][0]} = 1 }}"
    (fault,) = wire_faults(scenario_of(f"at = {address}\ndo = '{word}'\n{MORE.get(word, '')}"))
    assert fault.do == word


# ---------------------------------------------------------------------- whose code was struck


class Told(list[tuple[str, dict[str, Any], object]]):
    """What a wire told, strike by strike."""

    def hear(self, fault: WireFault, where: dict[str, Any], caller: object) -> None:
        self.append((fault.do, where, caller))


@pytest.fixture
def told() -> Told:
    return Told()


def wire(told: Told, *faults: WireFault) -> Wire:
    return Wire(faults, Random(0), told.hear)


def fault(do: str, **options: Any) -> WireFault:
    return WireFault(id=do, host="api", do=do, **options)


class Asking:
    """A context in which that run's code is executing."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def __enter__(self) -> Any:
        self._token = scope.set(self._run)
        return self._run

    def __exit__(self, *_: object) -> None:
        scope.reset(self._token)


@pytest.mark.parametrize("do", ["nxdomain", "refuse"])
def test_what_strikes_at_once_is_told_with_who_asked(told: Told, do: str) -> None:
    plan = wire(told, fault(do))
    with Asking(object()) as run:
        plan.lookup("api", 0.0)
        plan.connect("api", 0.0)
    (strike,) = told
    assert strike == (do, {"service": "api", "lookup" if do == "nxdomain" else "connection": 1}, run)


def test_what_strikes_bytes_is_told_with_who_opened_the_connection(told: Told) -> None:
    plan = wire(told, fault("reset", byte=3))
    with Asking(object()) as first:
        one = plan.connect("API", 0.0)
    with Asking(object()) as second:
        two = plan.connect("api", 0.0)
    two.down.push(0.0, b"12345")
    one.down.push(0.0, b"12345")
    assert [(where["connection"], caller) for _, where, caller in told] == [(2, second), (1, first)]


def test_without_anybody_in_the_context_nobody_is_named(told: Told) -> None:
    plan = wire(told, fault("refuse"))
    plan.connect("api", 0.0)
    assert [caller for _, _, caller in told] == [None]


def test_a_fault_for_one_task_strikes_what_that_task_asks_for(told: Told) -> None:
    plan = wire(told, fault("servfail", task="fetch", attempts=(2,)))
    met = []
    for name, attempt in [("fetch", 1), ("other", 2), ("fetch", 2)]:
        with Asking(task_run(name, attempt)):
            met.append(plan.lookup("api", 0.0) is not None)
    assert met == [False, False, True]


def task_run(name: str, attempt: int) -> TaskRun:
    """Return as much of a task run as a wire looks at."""

    class Played(TaskRun):
        def __init__(self) -> None:
            self.attempt = attempt

        task = type("Task", (), {"name": name})()  # type: ignore[assignment]

    return Played()
