"""Simulations run in a process in which sets of texts have the same order each time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from asyncflow.cli import hash_seed
from tests.cli.conftest import Call

Start = Callable[..., subprocess.Popen[str]]

FLOW = """
from asyncflow import flow, task

@task
async def order():
    raise ValueError("".join(set("abcdefgh")))

@flow
async def ordering():
    return order()
"""


@pytest.fixture
def ordering(folder: Path) -> str:
    """A scenario whose trace says in which order a set was walked over."""
    (folder / "ordering.py").write_text(FLOW, encoding="utf-8")
    text = 'format = 1\nflow = "ordering.py:ordering"\nseed = 7\n'
    (folder / "ordering.toml").write_text(text, encoding="utf-8")
    return "ordering.toml"


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)


def digest(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert out, err
    return str(json.loads(out)["trace"])


@pytest.mark.process
def test_processes_agree_unless_the_variable_is_set(start: Start, ordering: str) -> None:
    words = ("scenario", ordering, "--world", "simulated", "--json")
    fixed = [digest(start(*words)) for _ in range(3)]
    other = digest(start(*words, PYTHONHASHSEED="5"))
    assert len(set(fixed)) == 1
    assert other != fixed[0]


@pytest.mark.process
def test_the_exit_code_and_the_streams_are_those_of_the_second_process(start: Start) -> None:
    process = start("scenario", "violated.toml", "--world", "simulated", "--json")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert json.loads(out)["verdict"] == "violated"
    assert err == "printed by the body\n"


def test_calls_inside_a_process_never_start_it_again(af: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(os, "execv", never)
    assert af("scenario", "held.toml", "--world", "simulated", "-q").exit_code == 0


def started(monkeypatch: pytest.MonkeyPatch, *words: str, argv: list[str] | None = None) -> list[list[str]]:
    """Return what is started when the process was started with these words."""
    found: list[list[str]] = []
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "asyncflow", *words])
    monkeypatch.setattr(sys, "argv", argv or ["asyncflow", *words])
    monkeypatch.setattr(os, "execv", lambda _program, command: found.append(command))
    monkeypatch.setattr(sys, "platform", "linux")
    hash_seed.fix_hash_seed()
    os.environ.pop("PYTHONHASHSEED", None)
    return found


def test_the_same_words_are_given_to_the_second_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert started(monkeypatch, "scenario", "x") == [[sys.executable, "-m", "asyncflow", "scenario", "x"]]


@pytest.mark.parametrize("argv", [["asyncflow", "show"], ["-", "scenario"], ["asyncflow"]])
def test_words_that_did_not_start_the_process_are_worked_on_where_they_are(
    monkeypatch: pytest.MonkeyPatch, argv: list[str]
) -> None:
    assert started(monkeypatch, "scenario", argv=argv) == []


def test_where_programs_can_not_be_replaced_a_child_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os, sys; sys.exit(int(os.environ['PYTHONHASHSEED']) + 3)"
    monkeypatch.setattr(sys, "orig_argv", ["python", "-c", code, "x"])
    monkeypatch.setattr(sys, "argv", ["-c", "x"])
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit) as ended:
        hash_seed.fix_hash_seed()
    os.environ.pop("PYTHONHASHSEED", None)
    assert ended.value.code == 3


def test_ctrl_c_is_the_childs_business(monkeypatch: pytest.MonkeyPatch) -> None:
    class Child:
        waited = 0

        def __init__(self, command: list[str]) -> None:
            assert command == ["x"]

        def __enter__(self) -> Child:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def wait(self) -> int:
            self.waited += 1
            if self.waited < 3:
                raise KeyboardInterrupt
            return 130

    monkeypatch.setattr(subprocess, "Popen", Child)
    assert hash_seed._as_child(["x"]) == 130
