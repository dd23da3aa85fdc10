"""`asyncflow run`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from asyncflow.cli.shapes import RunShape
from asyncflow.store import SQLiteStore
from tests.cli.conftest import Call


def test_a_run_that_succeeds_shows_picture_state_and_value(af: Call) -> None:
    done = af("run", "flows.py:doubles", "-p", "number=4")

    assert done.exit_code == 0
    assert "double  ✓ Success" in done.stdout
    assert done.stdout.splitlines()[-2:] == ["✓ Success: All reference tasks succeeded.", "result 8"]


def test_a_run_that_fails_exits_with_1_and_names_what_looks_closer(af: Call) -> None:
    done = af("run", "flows.py:fails")

    assert done.exit_code == 1
    assert "✗ Failed: Some reference tasks failed." in done.stdout
    closer = done.stdout.splitlines()[-1]
    assert closer.startswith("Look closer: asyncflow show ")
    assert "ValueError: no luck" in af(*closer.removeprefix("Look closer: asyncflow ").split()).stdout


def test_failures_are_logged_and_successes_are_not(af: Call) -> None:
    assert af("run", "flows.py:doubles").stderr == ""
    assert "ValueError: no luck" in af("run", "flows.py:fails").stderr


def test_json_is_the_run_with_its_result(af: Call) -> None:
    done = af("run", "flows.py:doubles", "--json")
    run = msgspec.convert(json.loads(done.stdout), RunShape)

    assert (run.flow.state, run.result, run.result_text) == ("Success", 42, "42")
    assert run.store.endswith("runs.db")
    assert "printed by the body" in done.stderr


def test_a_value_without_a_text_or_a_json_form_is_told_by_its_type(af: Call) -> None:
    done = af("run", "flows.py:unshowable", "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["result"] is None
    assert "Odd" in json.loads(done.stdout)["result_text"]


def test_quiet_says_the_state_and_nothing_else(af: Call) -> None:
    done = af("run", "flows.py:fails", "-q")

    assert done.stdout == "✗ Failed: Some reference tasks failed.\n"


def test_fail_fast_cancels_the_others(data: Callable[..., Any]) -> None:
    run = data("run", "flows.py:fails", "--fail-fast")

    assert {task["name"]: task["state"] for task in run["tasks"]} == {"nap": "Cancelled", "fail": "Failed"}


def test_the_named_store_is_used_and_named_again(af: Call, folder: Path) -> None:
    done = af("run", "flows.py:fails", "--store", "other.db")

    closer = done.stdout.split("Look closer:")[1].strip()
    assert closer.endswith(f"--store '{folder / 'other.db'}'")
    assert (folder / "other.db").is_file()


def test_in_memory_nothing_is_promised(af: Call) -> None:
    done = af("run", "flows.py:fails", "--store", ":memory:")

    assert done.exit_code == 1
    assert "Look closer" not in done.stdout


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"this is no database at all, only text", "not a SQLite database"),
        (None, "a newer asyncflow wrote it"),
    ],
)
def test_a_store_that_can_not_be_opened_costs_one_warning(
    af: Call, folder: Path, content: bytes | None, reason: str
) -> None:
    if content is None:
        af("run", "flows.py:doubles", "--store", "bad.db")
        connection = sqlite3.connect(folder / "bad.db")
        connection.execute("PRAGMA user_version = 99")
        connection.close()
    else:
        (folder / "bad.db").write_bytes(content)

    done = af("run", "flows.py:doubles", "--store", "bad.db")

    assert done.exit_code == 0
    assert done.stderr.count("Warning: ") == 1
    assert reason in done.stderr
    listed = af("runs", "--store", "bad.db")
    assert listed.exit_code == 1
    assert reason in listed.stderr
    assert listed.stderr.endswith("Look closer: asyncflow doctor\n")


def test_a_locked_store_stops_no_run(af: Call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    af("run", "flows.py:doubles", "--store", "held.db")
    monkeypatch.setitem(SQLiteStore.__init__.__kwdefaults__, "wait", 0.05)  # type: ignore[arg-type]
    holder = sqlite3.connect(folder / "held.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        done = af("run", "flows.py:doubles", "--store", "held.db")
    finally:
        holder.close()

    assert done.exit_code == 0
    assert "result 42" in done.stdout
    assert "another process has held it for too long" in done.stderr


@pytest.mark.parametrize(
    ("target", "code", "text"),
    [
        ("flows.py:doubels", 4, "Did you mean 'doubles'?"),
        ("flows.py:double", 2, "is a Task, not a flow"),
        ("flows.py", 2, "has 6 flows; name one as flows.py:NAME"),
        ("nope.py:x", 4, "no file 'nope.py'"),
        ("nowhere.such:x", 4, "no module 'nowhere'"),
        ("broken.py:x", 2, "broken.py:1: invalid syntax"),
        ("imports.py:x", 2, "No module named 'never_written'"),
        ("leaves.py:x", 2, "ended with sys.exit(7)"),
        (":x", 2, "names no module"),
    ],
)
def test_a_target_that_leads_nowhere_says_why(
    af: Call, folder: Path, target: str, code: int, text: str
) -> None:
    (folder / "broken.py").write_text("def f(:\n", encoding="utf-8")
    (folder / "imports.py").write_text("import never_written\n", encoding="utf-8")
    (folder / "leaves.py").write_text("import sys\nsys.exit(7)\n", encoding="utf-8")

    done = af("run", target)

    assert done.exit_code == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("typed", "texts"),
    [
        (("-p", "number"), ["-p takes NAME=VALUE, not 'number'"]),
        (("-p", "=3"), ["-p takes NAME=VALUE, not '=3'"]),
        (("-p", "numer=3"), ["Did you mean 'number'?"]),
        (("-p", "number=many"), ["number='many'", "`int`"]),
        (
            ("-p", "number=x", "-p", "nam=1", "-p", "z"),
            ["number='x'", "unexpected parameters: nam", "not 'z'"],
        ),
        (("--params", "none.toml"), ["none.toml"]),
        (("--params", "bad.toml"), ["bad.toml: not valid TOML"]),
        (("--params", "bad.json"), ["bad.json: not valid JSON"]),
        (("--params", "list.json"), ["list.json: holds a list"]),
    ],
)
def test_wrong_parameters_are_told_all_at_once(
    af: Call, folder: Path, typed: tuple[str, ...], texts: list[str]
) -> None:
    (folder / "bad.toml").write_text("number = [", encoding="utf-8")
    (folder / "bad.json").write_text("{", encoding="utf-8")
    (folder / "list.json").write_text("[1]", encoding="utf-8")

    done = af("run", "flows.py:doubles", *typed)

    assert done.exit_code == 2
    assert all(text in done.stderr for text in texts)
    assert done.stdout == ""


def test_a_missing_parameter_is_named(af: Call) -> None:
    done = af("run", "flows.py:naps")

    assert done.exit_code == 2
    assert "flow 'long naps' did not receive the following required parameters: count" in done.stderr


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (("-p", "number=7"), {"number": "7"}),
        (("-p", 'names=["a", "b"]'), {"names": "['a', 'b']"}),
        (("-p", "note=[1]"), {"note": "'[1]'"}),
        (("-p", "extra={half"), {"extra": "'{half'"}),
        (("-p", "note=a=b"), {"note": "'a=b'"}),
        (("--params", "p.toml"), {"number": "3", "note": "'from toml'"}),
        (("--params", "p.json", "-p", "number=9"), {"number": "9", "note": "'from json'"}),
    ],
)
def test_parameters_are_converted_and_later_ones_win(
    data: Callable[..., Any], folder: Path, typed: tuple[str, ...], expected: dict[str, str]
) -> None:
    (folder / "p.toml").write_text('number = 3\nnote = "from toml"\n', encoding="utf-8")
    (folder / "p.json").write_text('{"number": "3", "note": "from json"}', encoding="utf-8")

    assert data("run", "flows.py:doubles", *typed)["parameters"] == expected


def test_a_body_that_ends_the_process_ends_the_run_only(af: Call, folder: Path) -> None:
    (folder / "quits.py").write_text(
        "import sys\nfrom asyncflow import flow\n@flow\nasync def quits(): sys.exit(0)\n", encoding="utf-8"
    )
    text = 'format = 1\nflow = "quits.py:quits"\n[expect]\nflow = "Failed"\n'
    (folder / "quits.toml").write_text(text, encoding="utf-8")

    done = af("run", "quits.py:quits")
    rehearsed = af("scenario", "quits.toml")

    assert (done.exit_code, rehearsed.exit_code) == (1, 1)
    assert "A body called sys.exit(0), which ended the run." in done.stderr
    assert "✗ Failed" in done.stdout
    assert "a body called sys.exit(0), which no rehearsal survives" in rehearsed.stderr
