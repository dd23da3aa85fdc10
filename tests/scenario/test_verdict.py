from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from asyncflow import states
from asyncflow.history import RunHistory, fold
from asyncflow.scenario.check import Check
from asyncflow.scenario.verdict import FaultCount, Repeats, Report
from asyncflow.sim.trace.diff import Difference
from tests.events import Story, fail_parse
from tests.scenario.rehearsing import rehearse

TRUE = Check("the flow ends Failed", True)
FALSE = Check("the flow ends Success", False, "Failed")
HOST = "www.example.org"


def task_fault(do: str = "raise", fired: int = 1, which: str = "", **at: Any) -> FaultCount:
    return FaultCount("fault[1]", {"task": "parse", **at}, do, fired, which=which)


def service_fault(fired: int = 1, **at: Any) -> FaultCount:
    return FaultCount("fault[2]", {"service": HOST, **at}, "status", fired, which="503")


def after(attempts: int = 1, state: type[states.State] = states.Failed) -> RunHistory:
    """A run of one task with so many attempts, whose flow ended in a state."""
    story = Story()
    task = story.call(0.001, "parse")
    for number in range(1, attempts):
        story.start(0.002, task, number)
        story.retry(0.002, task, number, 0.0, ValueError("no"))
    story.start(0.003, task, attempts)
    story.end(0.004, task, attempts, state())
    story.over(0.25, state())
    return fold(story.header, story.events)


def report(
    *faults: FaultCount,
    checks: tuple[Check, ...] = (TRUE,),
    history: RunHistory | None = None,
    **simulated: Any,
) -> Report:
    return Report("x", None, "real", 7, history or after(), faults, checks, 0.5, Path("home"), **simulated)


SAME = Repeats("abc", ["0.000000 a"], times=3)
DIFFERENCE = Difference(1, "0.000000 a", "0.000000 b", (), "a in the one, b in the other")
OTHER = Repeats("abc", ["0.000000 a"], 3, 2, 2, ["0.000000 b"], DIFFERENCE)


OPTIONAL = FaultCount("fault[3]", {"task": "store"}, "hang", 0, optional=True)


@pytest.mark.parametrize(
    ("made", "word", "sentence"),
    [
        (
            report(history=after(state=states.Success)),
            "held",
            "Held: no fault was in the way and the flow ended Success, as expected.",
        ),
        (
            report(OPTIONAL),
            "held",
            "Held: no fault was in the way and the flow ended Failed, as expected.",
        ),
        (
            report(checks=()),
            "held",
            "Held: no fault was in the way and the flow ended Failed; the scenario expects nothing.",
        ),
        (
            report(task_fault(), checks=()),
            "held",
            "Failed successfully: raise struck parse, and the flow ended Failed; "
            "the scenario expects nothing.",
        ),
        (
            report(task_fault()),
            "held",
            "Failed successfully: raise struck parse, and the flow ended Failed, as expected.",
        ),
        (
            report(task_fault(fired=2), history=after(3, states.Success)),
            "held",
            "Failed successfully: raise struck parse 2 times, 2 more attempts followed, "
            "and the flow ended Success, as expected.",
        ),
        (
            report(
                task_fault("signal", which="SKIP"), service_fault(3), OPTIONAL, task_fault(), history=after(2)
            ),
            "held",
            f"Failed successfully: signal SKIP struck parse, status 503 struck {HOST} 3 times, "
            "raise struck parse, 1 more attempt followed, and the flow ended Failed, as expected.",
        ),
        (
            report(*[task_fault(do) for do in ("delay", "raise", "cancel", "hang")]),
            "held",
            "Failed successfully: delay struck parse, raise struck parse, cancel struck parse, 1 more fault, "
            "and the flow ended Failed, as expected.",
        ),
        (
            report(*[task_fault()] * 6),
            "held",
            "Failed successfully: raise struck parse, raise struck parse, raise struck parse, 3 more faults, "
            "and the flow ended Failed, as expected.",
        ),
        (
            report(task_fault(), checks=(TRUE, FALSE)),
            "violated",
            "Violated: expected that the flow ends Success, but found Failed.",
        ),
        (
            report(task_fault(), checks=(FALSE, TRUE, FALSE)),
            "violated",
            "Violated: expected that the flow ends Success, but found Failed. 1 more expectation is false.",
        ),
        (
            report(task_fault(), checks=(FALSE,) * 3),
            "violated",
            "Violated: expected that the flow ends Success, but found Failed. 2 more expectations are false.",
        ),
        (
            report(task_fault(fired=0, attempt=9), OPTIONAL, checks=(FALSE, FALSE)),
            "violated",
            "Violated: expected that the flow ends Success, but found Failed. 1 more expectation is false. "
            "Never struck: raise at task parse, attempt 9.",
        ),
        (
            report(task_fault(fired=0, attempt=9)),
            "not-reached",
            "Not reached: raise at task parse, attempt 9 never struck, so this rehearsal shows nothing. "
            "Look at the address of the fault, or mark it optional = true.",
        ),
        (
            report(
                task_fault("signal", 0, "SKIP", call=2, attempt=[1, 3], when="after"),
                task_fault(),
                service_fault(0, request=4, path="/posts"),
            ),
            "not-reached",
            "Not reached: signal SKIP at task parse, call 2, attempt [1, 3], when after; "
            f"status 503 at service {HOST}, request 4, path /posts never struck, "
            "so this rehearsal shows nothing. "
            "Look at the address of the fault, or mark it optional = true.",
        ),
        (
            report(task_fault(fired=0), checks=(FALSE,), stuck="nothing can run", escapes=("time is real",)),
            "escaped",
            "Escaped from the simulated world: time is real.",
        ),
        (
            report(escapes=("a", "b", "c")),
            "escaped",
            "Escaped from the simulated world: a. So did 2 more calls.",
        ),
        (
            report(
                checks=(FALSE,), stuck="at 3.2 s nothing can run:\n  a: a.py:3\n  b: b.py:4", repeats=OTHER
            ),
            "stuck",
            "Stuck: at 3.2 s nothing can run: a: a.py:3; b: b.py:4",
        ),
        (
            report(stuck="time stands still"),
            "stuck",
            "Stuck: time stands still",
        ),
        (
            report(checks=(FALSE,), repeats=OTHER),
            "diverged",
            "Diverged: 3 runs of seed 7 had 2 different traces; run 2 differs from the first in line 1: "
            "a in the one, b in the other.",
        ),
        (
            report(repeats=SAME),
            "held",
            "Held: no fault was in the way and the flow ended Failed, as expected.",
        ),
    ],
)
def test_a_verdict_is_a_word_and_a_sentence(made: Report, word: str, sentence: str) -> None:
    assert (made.verdict, made.sentence) == (word, sentence)


def test_the_report_as_json_has_what_is_promised() -> None:
    story = fail_parse()
    made = Report(
        "fail_parse",
        "no-policy",
        "real",
        7,
        fold(story.header, story.events),
        (task_fault(attempt=1), OPTIONAL),
        (TRUE, FALSE),
        0.5,
        Path("home"),
    )
    assert made.to_json() == {
        "v": 1,
        "scenario": "fail_parse",
        "variant": "no-policy",
        "world": "real",
        "seed": 7,
        "verdict": "violated",
        "sentence": "Violated: expected that the flow ends Success, but found Failed.",
        "run": "06d3z8v0q2m4k6n8p0rs",
        "name": "quiet-heron",
        "flow": {"name": "complaints etl", "state": "Failed"},
        "tasks": {
            "/create_table.1": {"state": "Success", "attempts": 1, "calls": 1},
            "/get_complaints.2": {"state": "Success", "attempts": 2, "calls": 2},
            "/parse_complaints.3": {"state": "Failed", "attempts": 1, "calls": 1},
            "/store_complaints.4": {"state": "TriggerFailed", "attempts": 0, "calls": 0},
        },
        "faults": [
            {"at": {"task": "parse", "attempt": 1}, "do": "raise", "fired": 1, "optional": False},
            {"at": {"task": "store"}, "do": "hang", "fired": 0, "optional": True},
        ],
        "expectations": [
            {"what": "the flow ends Failed", "held": True, "detail": ""},
            {"what": "the flow ends Success", "held": False, "detail": "Failed"},
        ],
        "virtual_s": 0.413,
        "wall_s": 0.5,
        "home": "home",
    }


def test_the_report_of_a_simulated_run_has_its_trace_and_repeats() -> None:
    plain, same, other = (report(repeats=repeats).to_json() for repeats in (None, SAME, OTHER))
    assert same == {**plain, "trace": "abc", "repeats": 3, "traces": 1, "difference": None}
    assert (other["traces"], other["difference"]) == (2, DIFFERENCE.to_json())


@pytest.mark.parametrize("kind", ["object", "surrogate", "round", "mute", "infinite", "huge", "set", "long"])
def test_a_report_is_json_whatever_the_flow_returns(tmp_path: Path, kind: str) -> None:
    made = rehearse(tmp_path, f"[parameters]\nkind = '{kind}'\n\n[expect]\nresult = 0", "giving").to_json()
    text = json.dumps(made, allow_nan=False)
    assert json.loads(text) == made
    text.encode("utf-8")


def test_a_played_report_names_the_faults_as_the_file_does(tmp_path: Path) -> None:
    text = """
    [service."api.example"]
    replica = "posts"
    [[fault]]
    at = { task = "fetch", attempt = [1, 2], when = "after" }
    do = "signal"
    signal = "FAIL"
    [[fault]]
    at = { service = "api.example", request = 1, path = "/posts" }
    do = "status"
    status = 503
    optional = true
    """
    made = rehearse(tmp_path, text)
    assert made.to_json()["faults"] == [
        {
            "at": {"task": "fetch", "attempt": [1, 2], "when": "after"},
            "do": "signal",
            "fired": 1,
            "optional": False,
        },
        {
            "at": {"service": "api.example", "request": 1, "path": "/posts"},
            "do": "status",
            "fired": 0,
            "optional": True,
        },
    ]
    assert [str(fault) for fault in made.faults] == [
        "signal FAIL at task fetch, attempt [1, 2], when after",
        "status 503 at service api.example, request 1, path /posts",
    ]
    assert [fault.id for fault in made.faults] == ["fault[1]", "fault[2]"]
