from __future__ import annotations

from asyncflow.events import Event, RunHeader
from asyncflow.sim.clock import Clock
from asyncflow.sim.trace.events import EventLines
from asyncflow.sim.trace.trace import Trace
from asyncflow.states import Failed

HEADER = RunHeader("id", "quiet-heron", "etl", 1700000000.0, scenario="x", seed=7)


def test_an_event_becomes_a_line_with_the_key_of_its_task_run() -> None:
    trace = Trace(Clock())
    view = EventLines(trace)
    started = {"flow": "etl", "name": "quiet-heron", "parent": None, "scenario": "x", "seed": 7}
    called = {"name": "fetch", "key": "fetch#2", "upstream": [1]}
    for seq, event in enumerate(
        [
            Event(0.0, "run_started", 0, 0, {**started, "parameters": {"n": "3"}}),
            Event(0.0, "task_called", 2, 0, called),
            Event(0.1, "state_changed", 2, 1, Failed("no", ValueError("no"))),
        ]
    ):
        view.hear(HEADER, seq, event)
    assert trace.lines == [
        '0.000000 event.run_started etl none 0 {"flow":"etl","parameters":{"n":"3"}}',
        '0.000000 event.task_called etl fetch#2 0 {"key":"fetch#2","name":"fetch","upstream":[1]}',
        "0.000000 event.state_changed etl fetch#2 1 "
        '{"error":{"text":"no","type":"ValueError"},"message":"no","state":"Failed"}',
    ]


def test_task_runs_of_two_runs_are_kept_apart() -> None:
    trace = Trace(Clock())
    view = EventLines(trace)
    child = RunHeader("other", "amber-crane", "child", 0.0, parent="id")
    for header, key in ((HEADER, "a"), (child, "b")):
        view.hear(header, 0, Event(0.0, "task_called", 1, 0, {"name": key, "key": key, "upstream": []}))
    view.hear(HEADER, 1, Event(0.0, "fault_injected", 1, 1, {"id": "fault[1]"}))
    assert trace.lines[-1] == '0.000000 event.fault_injected etl a 1 {"id":"fault[1]"}'
