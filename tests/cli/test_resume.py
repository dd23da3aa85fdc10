"""`asyncflow resume`: a run that paused goes on in another process, on what its store has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Call

FLOW = """
from asyncflow import current, flow, signals, task

@task
async def extract(size):
    print("extracted")
    return list(range(size))

@task
async def approve(rows):
    if not current().resumed:
        raise signals.PAUSE("needs a signature")
    return current().input

@flow
async def signed(size: int = 2):
    rows = extract(size)
    return await approve(rows), await rows
"""


@pytest.fixture
def paused(af: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    Path("etl.py").write_text(FLOW, encoding="utf-8")
    done = af("run", "etl.py:signed", "-p", "size=3", "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_paused_run_ends_with_the_command_that_goes_on(af: Call) -> None:
    Path("etl.py").write_text(FLOW, encoding="utf-8")
    done = af("run", "etl.py:signed")
    assert done.exit_code == 0
    assert "Paused" in done.stdout
    assert "resume " in done.stdout


def test_lists_and_show_say_how_to_go_on(af: Call, paused: dict[str, Any]) -> None:
    command = f"resume {paused['name']}"
    assert command in af("runs").stdout
    assert command in af("show", paused["name"]).stdout
    assert json.loads(af("runs", "--json").stdout)[0]["state"] == "Paused"


def test_resume_goes_on_with_the_input(af: Call, paused: dict[str, Any]) -> None:
    done = af("resume", paused["name"], "--input", '{"by": "Ada"}', "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["result"] == [{"by": "Ada"}, [0, 1, 2]]
    assert found["run"] == paused["run"]
    assert "extracted" not in done.stderr
    again = af("resume", paused["name"])
    assert again.exit_code == 1
    assert "is not paused" in again.stderr


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--input", "yes"), 2, "--input 'yes' is not JSON"),
        (("--task", "aprove"), 2, "Did you mean 'approve'?"),
        (("--flow", "etl.py:nobody"), 4, "has no flow 'nobody'"),
    ],
)
def test_what_is_wrong_is_said_and_the_run_stays_paused(
    af: Call, paused: dict[str, Any], options: tuple[str, ...], code: int, says: str
) -> None:
    done = af("resume", paused["name"], *options)
    assert done.exit_code == code
    assert says in done.stderr
    assert af("resume", paused["name"]).exit_code == 0


def test_a_run_that_nobody_knows_is_not_found(af: Call) -> None:
    assert af("resume", "nobody").exit_code == 4


def test_a_body_that_does_something_else_is_told_and_the_run_stays_paused(
    af: Call, paused: dict[str, Any]
) -> None:
    # Of another length, or Python would take what it compiled within the same second.
    changed = FLOW.replace("rows = extract(size)", "rows = approve(size)  # changed")
    Path("etl.py").write_text(changed, encoding="utf-8")
    done = af("resume", paused["name"])
    assert done.exit_code == 1
    assert "call 1 of its body was 'extract', and is 'approve' now" in done.stderr
    assert json.loads(af("runs", "--json").stdout)[0]["state"] == "Paused"
