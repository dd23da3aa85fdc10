from __future__ import annotations

import pytest

from asyncflow.errors import ScenarioInvalid
from asyncflow.scenario.load import loads
from asyncflow.scenario.tasks import check_tasks

TASKS = ("get_complaints", "parse_complaints", "store_complaints")

EVERYWHERE = """\
format = 1
flow = "m:f"
fault = [
  { at = { task = "parse_complaint" }, do = "hang" },
  { at = { policy = "f1" }, do = "cancel" },
  { at = { service = "api", task = "f2" }, do = "hang" },
  { at = { store = "commit", task = "f3" }, do = "crash" },
  { at = { clock = "wall", task = "f4" }, do = "tie" },
  { at = { process = "start" }, do = "crash" },
]

[service.api]
replica = "cfpb"

[policy.p1]

[variant.a.policy.v1]
[variant.a.expect.tasks]
v2 = "Success"
[variant.none]
policy = "none"

[expect]
tasks.e1 = "Success"
attempts.e2 = 1
calls."e3#2[0]" = 1
signal.e4 = "SKIP"
events = [{ kind = "task_called", task = "e5" }, { kind = "run_ended" }]
before.tasks.e6 = "Success"
always = [{ attempts.e7 = { max = 3 } }]
sometimes = [{ calls.e8 = 1 }]
"""


def test_every_task_that_the_flow_does_not_have_is_named_with_its_line() -> None:
    with pytest.raises(ScenarioInvalid) as caught:
        check_tasks(loads(EVERYWHERE, "x.toml"), TASKS)
    lines = str(caught.value).splitlines()
    assert lines[0] == (
        "x.toml:4: fault[1].at.task: m:f has no task 'parse_complaint'. Did you mean 'parse_complaints'?"
    )
    assert lines[1] == (
        "x.toml:5: fault[2].at.policy: m:f has no task 'f1'. "
        "It has: get_complaints, parse_complaints, store_complaints."
    )
    assert [line.split("no task ")[1].split("'")[1] for line in lines[1:]] == [
        *("f1", "f2", "f3", "f4", "p1", "v1", "v2"),
        *("e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8"),
    ]


def test_a_scenario_that_names_tasks_of_its_flow_passes() -> None:
    text = 'format = 1\nflow = "m:f"\n[policy.get_complaints]\n'
    check_tasks(loads(text + '[expect]\ntasks."parse_complaints[3]" = "Failed"\n'), TASKS)


def test_a_flow_without_tasks_has_none() -> None:
    with pytest.raises(ScenarioInvalid, match=r"m:f has no task 'a'\. It has none\.$"):
        check_tasks(loads('format = 1\nflow = "m:f"\n[policy.a]\n'), ())
