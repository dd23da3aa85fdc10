"""A folder of its own for every test, with a store, and the command line called in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from asyncflow.cli.app import cli

Call = Callable[..., Result]

FLOWS = """
import asyncio, signal
from asyncflow import Retry, flow, task

@task
async def double(number: int) -> int:
    return 2 * number

@task
async def fail() -> None:
    raise ValueError("no luck")

@task
async def nap(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds

@task
async def stubborn() -> None:
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

@flow
async def doubles(number: int = 21, names: list[str] = (), note: str = "", extra=None):
    print("printed by the body")
    return double(number)

@flow
async def fails():
    nap(0.01)
    return fail()

@flow(name="long naps")
async def naps(count: int, seconds: float = 60.0):
    return [nap(seconds) for _ in range(count)]

@flow
async def stuck():
    return stubborn()

@task
async def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)
    await asyncio.sleep(60)

@flow
async def interrupted():
    return press_ctrl_c()

@flow
async def unshowable():
    class Odd:
        def __repr__(self):
            raise RuntimeError("no text")
    @task
    async def odd():
        return Odd()
    return odd()
"""

SCENARIO = """
format = 1
title = "Doubling fails"
story = "The only attempt raises."
flow = "flows.py:doubles"
seed = 3

[[fault]]
at = {{ task = "double" }}
do = "raise"
error = "ValueError: planned"

[expect]
flow = "{expected}"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with flows and scenarios in it, and a space and an accent in its name."""
    here = tmp_path / "né ici"
    here.mkdir()
    (here / "flows.py").write_text(FLOWS, encoding="utf-8")
    (here / "held.toml").write_text(SCENARIO.format(expected="Failed"), encoding="utf-8")
    (here / "violated.toml").write_text(SCENARIO.format(expected="Success"), encoding="utf-8")
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "ASYNCFLOW_DEBUG", "ASYNCFLOW_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASYNCFLOW_STORE", str(here / "data" / "runs.db"))
    return here


@pytest.fixture
def af(folder: Path) -> Call:
    """Calls the command line in this process."""

    def call(*args: str) -> Result:
        return CliRunner().invoke(cli, args, prog_name="asyncflow")

    return call


@pytest.fixture
def data(af: Call) -> Callable[..., Any]:
    """Calls the command line with `--json` and returns what stdout holds, which must be one document."""

    def call(*args: str) -> Any:
        return json.loads(af(*args, "--json").stdout)

    return call


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a process that finds this very package."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **changes}


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command line as a process; none outlives its test."""
    started: list[subprocess.Popen[str]] = []

    def popen(*args: str, **env: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "asyncflow", *args],
            cwd=folder,
            env=environment(**env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        started.append(process)
        return process

    yield popen
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()
