from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asyncflow import signals, states
from asyncflow.errors import ScenarioInvalid
from asyncflow.faults import TaskFault
from asyncflow.scenario.format import Scenario
from asyncflow.scenario.load import loads
from asyncflow.scenario.resolve import http_fault_ids, http_faults, task_faults

HEAD = 'format = 1\nflow = "m:f"\n[service.api]\nreplica = "cfpb"\n[service.other]\nreplica = "posts"\n'


class Boom(Exception):
    """Raised by name from a scenario."""


class NeedsTwo(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(one, two)


def scenario_of(*faults: str, rest: str = "") -> Scenario:
    return loads(HEAD + "".join(f"[[fault]]\n{fault}\n" for fault in faults) + rest, "x.toml")


def the_fault(text: str) -> TaskFault:
    (fault,) = task_faults(scenario_of(text))
    return fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("at = {task='t'}\ndo = 'hang'", {"do": "hang"}),
        ("at = {task='t', attempt=2, call=3}\ndo = 'cancel'", {"do": "cancel", "attempts": (2,), "call": 3}),
        (
            "at = {task='t', attempt=[2, 1, 2], when='after'}\ndo = 'delay'\nseconds = '1m'",
            {"do": "delay", "attempts": (1, 2), "when": "after", "delay": 60.0},
        ),
        ("at = {task='t'}\ndo = 'wrong-result'", {"do": "wrong-result", "when": "after"}),
        (
            "at = {task='t', when='after'}\ndo = 'wrong-result'\nvalue = [1]",
            {"do": "wrong-result", "when": "after", "value": [1]},
        ),
        (
            "at = {task='t'}\ndo = 'raise'\nerror = 'ValueError: a: b'\nprobability = 0.5\noptional = true",
            {"do": "raise", "error": ValueError, "message": "a: b", "probability": 0.5, "optional": True},
        ),
        (
            "at = {task='t'}\ndo = 'raise'\nerror = 'OSError'\nmessage = 'no'",
            {"do": "raise", "error": OSError, "message": "no"},
        ),
        (
            "at = {task='t'}\ndo = 'raise'\nerror = 'json:JSONDecodeError'",
            None,
        ),
        (
            f"at = {{task='t'}}\ndo = 'raise'\nerror = '{__name__}:Boom: it did'",
            {"do": "raise", "error": Boom, "message": "it did"},
        ),
        (
            "at = {task='t'}\ndo = 'raise'\nerror = 'asyncio:CancelledError'",
            {"do": "raise", "error": asyncio.CancelledError},
        ),
        (
            "at = {task='t'}\ndo = 'signal'\nsignal = 'SUCCESS'\nmessage = 'early'\nresult = 3",
            {"do": "signal", "signal": signals.SUCCESS, "message": "early", "value": 3},
        ),
        (
            "at = {task='t'}\ndo = 'signal'\nsignal = 'RETRY'\ndelay = '0s'",
            {"do": "signal", "signal": signals.RETRY, "delay": 0.0},
        ),
        (
            "at = {task='t'}\ndo = 'signal'\nsignal = 'ENDRUN'\nstate = 'Failed'\nmessage = 'over'",
            {"do": "signal", "signal": signals.ENDRUN, "message": "over", "state": states.Failed("over")},
        ),
    ],
)
def test_a_fault_of_the_file_becomes_a_planned_fault(text: str, fault: dict[str, Any] | None) -> None:
    if fault is None:
        with pytest.raises(ScenarioInvalid, match="JSONDecodeError can't be made from a text alone"):
            the_fault(text)
    else:
        assert the_fault(text) == TaskFault(**({"id": "fault[1]", "task": "t"} | fault))


def test_faults_keep_the_number_that_they_have_in_the_file() -> None:
    scenario = scenario_of(
        "at = {service='api'}\ndo = 'hang'",
        "at = {task='t'}\ndo = 'hang'",
        "at = {service='api', request=1}\ndo = 'status'\nstatus = 500",
        "at = {task='t'}\ndo = 'crash'",
    )
    assert [fault.id for fault in task_faults(scenario)] == ["fault[2]"]
    assert http_fault_ids(scenario, "api") == ("fault[1]", "fault[3]")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("ValueErorr: x", "there is no built-in exception 'ValueErorr'. Did you mean 'ValueError'?"),
        ("Zzz", "there is no built-in exception 'Zzz'. Write 'module:Class' for one that is not built in."),
        ("print", "'print' is not an exception class"),
        (
            "aiohttp.ClientError",
            "'aiohttp.ClientError' is not a built-in exception; write 'aiohttp:ClientError'",
        ),
        ("json:JSONDecodeEror", "the module 'json' has no 'JSONDecodeEror'. Did you mean 'JSONDecodeError'?"),
        ("json:loads: x", "'json:loads' is not an exception class"),
        (
            "no_such_module:Boom",
            "importing 'no_such_module' failed: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        (
            "asyncflow.signals:SKIP",
            "'asyncflow.signals:SKIP' is a signal; write do = 'signal', signal = 'SKIP'",
        ),
        (
            "UnicodeDecodeError: x",
            "UnicodeDecodeError can't be made from a text alone: "
            "function takes exactly 5 arguments (1 given)",
        ),
        ("not a name", "expected an exception such as 'ValueError: the text', got 'not a name'"),
    ],
)
def test_an_exception_that_is_not_there_is_an_error_with_its_line(error: str, reason: str) -> None:
    scenario = scenario_of(f"at = {{task='t'}}\ndo = 'raise'\nerror = \"{error}\"")
    with pytest.raises(ScenarioInvalid) as caught:
        task_faults(scenario)
    assert str(caught.value) == f"x.toml:10: fault[1].error: {reason}"


def test_a_class_that_needs_more_than_a_text_is_refused() -> None:
    with pytest.raises(ScenarioInvalid, match="NeedsTwo can't be made from a text alone"):
        the_fault(f"at = {{task='t'}}\ndo = 'raise'\nerror = '{__name__}:NeedsTwo'")


def test_all_exceptions_that_are_not_there_come_in_one_report() -> None:
    scenario = scenario_of(
        "at = {task='t'}\ndo = 'raise'\nerror = 'A'", "at = {task='t'}\ndo = 'raise'\nerror = 'B'"
    )
    with pytest.raises(ScenarioInvalid) as caught:
        task_faults(scenario)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "keywords"),
    [
        ("at = {service='api'}\ndo = 'hang'", [{"do": "hang"}]),
        (
            "at = {service='api', request=2, path='/v1'}\ndo = 'status'\nstatus = 429\nretry_after = '2s'",
            [{"do": "status", "status": 429, "retry_after": 2.0, "requests": 2, "path": "/v1"}],
        ),
        (
            "at = {service='api', request=[3, 1, 2, 2]}\ndo = 'slow'\nseconds = '250ms'",
            [{"do": "slow", "seconds": 0.25, "requests": (1, 3)}],
        ),
        (
            "at = {service='api', request=[1, 3, 4]}\ndo = 'reset'\nkeep = 0",
            [{"do": "reset", "byte": 0, "requests": 1}, {"do": "reset", "byte": 0, "requests": (3, 4)}],
        ),
        ("at = {service='api'}\ndo = 'truncate'\nkeep = 40", [{"do": "truncate", "byte": 40}]),
        ("at = {service='api'}\ndo = 'wrong-length'\noff = -5", [{"do": "wrong-length", "byte": -5}]),
        ("at = {service='api'}\ndo = 'drip'\nseconds = 3", [{"do": "drip", "seconds": 3.0}]),
        ("at = {service='api'}\ndo = 'malformed-json'", [{"do": "malformed-json"}]),
        ("at = {service='api'}\ndo = 'wrong-content-type'", [{"do": "wrong-content-type"}]),
        ("at = {service='other'}\ndo = 'hang'", []),
        ("at = {service='api', connection=1}\ndo = 'reset'", []),
        ("at = {task='t'}\ndo = 'hang'", []),
    ],
)
def test_an_http_fault_becomes_keywords(text: str, keywords: list[dict[str, Any]]) -> None:
    scenario = scenario_of(text)
    assert list(http_faults(scenario, "api")) == keywords
    assert len(http_fault_ids(scenario, "api")) == len(keywords)
