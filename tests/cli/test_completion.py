"""What shells complete."""

from __future__ import annotations

import click
import pytest
from click.shell_completion import ShellComplete

from asyncflow.cli.app import cli
from tests.cli.conftest import Call


def completed(*words: str) -> list[str]:
    *typed, start = words
    shell = ShellComplete(cli, {}, "asyncflow", "_ASYNCFLOW_COMPLETE")
    return [item.value for item in shell.get_completions(list(typed), start)]


def test_commands_are_completed() -> None:
    assert completed("sc") == ["scenario", "scenarios", "schema"]


def test_scenarios_are_completed_and_files_where_none_fits() -> None:
    assert completed("scenario", "fail") == ["fail_parse"]
    assert completed("scenario", "./my") == ["./my"]


def test_replicas_are_completed() -> None:
    assert completed("replica", "") == ["cfpb", "posts"]


def test_runs_are_completed_by_name(af: Call) -> None:
    af("run", "flows.py:doubles")
    name = af("show").stdout.split()[0]

    assert completed("show", name[:3]) == [name]
    assert completed("visualize", name[:3]) == [name]


def test_completing_never_fails(af: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCFLOW_STORE", __file__)

    assert completed("show", "q") == []
    assert af("runs").exit_code == 1
    assert click.get_current_context(silent=True) is None
