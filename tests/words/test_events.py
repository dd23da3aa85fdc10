from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

from asyncflow import events
from asyncflow.events import SCHEMA_VERSION, Event, Kind, RunHeader, event_from_json, event_to_json
from asyncflow.states import Failed

HEADER = RunHeader("id1", "quiet-heron", "etl", started=1000.0)


def test_an_event_tells_when_and_in_which_run_it_happened() -> None:
    event = Event(1.5, "state_changed", 2, 1, Failed("no", ValueError("x")))
    assert json.loads(json.dumps(event_to_json(event, 7, HEADER))) == {
        "v": SCHEMA_VERSION,
        "run": "id1",
        "seq": 7,
        "at": 1001.5,
        "offset": 1.5,
        "kind": "state_changed",
        "task": 2,
        "attempt": 1,
        "detail": {"state": "Failed", "message": "no", "error": {"type": "ValueError", "text": "x"}},
    }


def test_a_plain_tuple_is_an_event_too_and_comes_back_from_json() -> None:
    data = event_to_json((0.25, "run_ended", 0, 0, {"tasks": 1}), 3, HEADER)
    assert event_from_json(data) == Event(0.25, "run_ended", 0, 0, {"tasks": 1})


def test_every_kind_of_event_is_documented() -> None:
    source = Path(events.__file__).read_text(encoding="utf-8")
    for kind in get_args(Kind):
        assert source.count(f"\n{kind} ") == 1, f"the table of kinds says nothing about {kind}"
