"""`asyncflow runs` and `asyncflow flows`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from asyncflow.cli.shapes import FlowRow, RunRow
from tests.cli.conftest import Call


def test_runs_are_listed_newest_first(af: Call, data: Callable[..., Any]) -> None:
    af("run", "flows.py:doubles")
    af("run", "flows.py:fails")

    rows = msgspec.convert(data("runs"), list[RunRow])

    assert [row.flow for row in rows] == ["fails", "doubles"]
    assert (rows[0].state, rows[0].tasks, rows[0].attempts, rows[0].home) == ("Failed", 2, 2, None)
    assert rows[0].started > rows[1].started
    assert all(row.name in af("runs").stdout for row in rows)


def test_runs_can_be_limited_to_a_flow_and_a_number(af: Call, data: Callable[..., Any]) -> None:
    for _ in range(3):
        af("run", "flows.py:doubles")
    af("run", "flows.py:fails")

    assert [row["flow"] for row in data("runs", "--flow", "doubles", "--limit", "2")] == ["doubles"] * 2


def test_a_flow_without_runs_is_not_found_and_the_nearest_is_named(af: Call) -> None:
    af("run", "flows.py:doubles")

    done = af("runs", "--flow", "double")

    assert done.exit_code == 4
    assert "no run of a flow 'double' is kept here" in done.stderr
    assert "Did you mean 'doubles'?" in done.stderr


def test_without_runs_the_lists_say_so_and_make_no_file(
    af: Call, data: Callable[..., Any], folder: Path
) -> None:
    assert "No runs are kept here yet" in af("runs").stdout
    assert "No flows are known here yet" in af("flows").stdout
    assert data("runs") == data("flows") == []
    assert not (folder / "data").exists()


def test_flows_that_ran_are_counted(af: Call, data: Callable[..., Any]) -> None:
    af("run", "flows.py:doubles")
    af("run", "flows.py:fails")
    af("run", "flows.py:doubles")

    rows = {row.name: row for row in msgspec.convert(data("flows"), list[FlowRow])}

    assert {name: (row.runs, row.succeeded, row.failed) for name, row in rows.items()} == {
        "doubles": (2, 2, 0),
        "fails": (1, 0, 1),
    }
    assert rows["doubles"].last is not None
    assert rows["doubles"].target is None
    assert "doubles" in af("flows").stdout


def test_flows_of_a_module_are_listed_with_what_runs_them(af: Call, data: Callable[..., Any]) -> None:
    af("run", "flows.py:doubles")
    af("run", "asyncflow.examples.hello:hello_world")

    rows = {row["name"]: row for row in data("flows", "flows.py")}

    assert list(rows) == ["doubles", "fails", "long naps", "stuck", "interrupted", "unshowable"]
    assert rows["long naps"]["target"] == "flows.py:naps"
    assert (rows["doubles"]["runs"], rows["fails"]["runs"]) == (1, 0)
    shown = af("flows", "flows.py").stdout
    assert "never ran" in shown
    assert "Run long naps: asyncflow run flows.py:naps" in shown


@pytest.mark.parametrize(
    ("source", "code", "text"),
    [
        ("empty.py", 2, "declares no flow"),
        ("nope.py", 4, "no file 'nope.py'"),
        ("json", 2, "declares no flow"),
        ("leaves.py", 2, "sys.exit(7)"),
    ],
)
def test_a_source_without_flows_says_why(af: Call, folder: Path, source: str, code: int, text: str) -> None:
    (folder / "empty.py").write_text("", encoding="utf-8")
    (folder / "leaves.py").write_text("import sys\nsys.exit(7)\n", encoding="utf-8")

    done = af("flows", source)

    assert done.exit_code == code
    assert text in done.stderr


def test_what_a_module_prints_when_it_is_imported_stays_out_of_the_document(af: Call, folder: Path) -> None:
    text = (folder / "flows.py").read_text(encoding="utf-8")
    (folder / "loud.py").write_text(f"print('imported')\n{text}", encoding="utf-8")

    done = af("flows", "loud.py", "--json")

    assert len(json.loads(done.stdout)) == 6
    assert done.stderr == "imported\n"
