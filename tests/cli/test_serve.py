"""`asyncflow serve`: what it serves, what it says, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asyncflow.cli.commands.schema import schema_of
from tests.cli.conftest import Call

pytestmark = pytest.mark.real_time("serving follows the clock on the wall, and signals are of the real world")

SERVED = """
import asyncio, signal
from datetime import datetime, timedelta, timezone
from asyncflow import flow, task
from asyncflow.schedules import DatesSchedule, IntervalSchedule

@flow(schedule=IntervalSchedule(0.02, runs=2, overlap="queue", missed="all"))
async def good():
    print("printed by the body")

@flow(name="bad one", schedule=IntervalSchedule(0.02, runs=2, overlap="queue", missed="all"))
async def bad():
    raise ValueError("no luck")

@flow
async def plain(): ...
"""

MORE = """
import asyncio, os, signal
from datetime import datetime, timezone
from asyncflow import flow
from asyncflow.schedules import DatesSchedule, IntervalSchedule

@flow(schedule=DatesSchedule([datetime(2020, 1, 1, tzinfo=timezone.utc)]))
async def over(): ...

@flow(schedule=IntervalSchedule(3600, parameters={"sise": 3}))
async def misspelt(size: int): ...

@flow(schedule=IntervalSchedule(0.02), store="a.db")
async def here(): ...

@flow(schedule=IntervalSchedule(0.02), store="b.db")
async def there(): ...
"""

PRESSED = """
import asyncio, signal
from asyncflow import flow
from asyncflow.schedules import IntervalSchedule

@flow(schedule=IntervalSchedule(0.02))
async def presses():
    signal.raise_signal(signal.{name})
    await asyncio.sleep({lasts})
"""


@pytest.fixture(autouse=True)
def served(folder: Path) -> None:
    (folder / "served.py").write_text(SERVED, encoding="utf-8")
    (folder / "more.py").write_text(MORE, encoding="utf-8")


def test_the_scheduled_flows_of_a_file_are_served_until_their_schedules_end(
    af: Call, data: Callable[..., Any]
) -> None:
    done = af("serve", "served.py")

    assert done.exit_code == 0
    answers = [line for line in done.stdout.splitlines() if line != "printed by the body"]
    assert sum("good, " in line and "Success" in line for line in answers) == 2
    assert sum("bad one, " in line and "Failed: The flow's body raised" in line for line in answers) == 2
    assert "good: waiting for 20" in done.stderr
    assert "bad one: no more scheduled runs" in done.stderr
    assert sorted(run["flow"] for run in data("runs")) == ["bad one", "bad one", "good", "good"]


def test_each_run_that_ended_is_a_line_of_json(af: Call) -> None:
    done = af("serve", "served.py:good", "--json")

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["flow"], row["state"]) for row in rows] == [("good", "Success")] * 2
    assert rows[1]["scheduled_at"] == pytest.approx(rows[0]["scheduled_at"] + 0.02)
    assert all(row["started_at"] >= row["scheduled_at"] for row in rows)
    assert set(rows[0]) == set(schema_of("served")["$defs"]["ServedRow"]["properties"])
    assert "printed by the body" in done.stderr


def test_show_tells_for_which_fire_a_run_was_made(af: Call, data: Callable[..., Any]) -> None:
    rows = [json.loads(line) for line in af("serve", "served.py:good", "--json").stdout.splitlines()]

    assert data("show", rows[1]["name"])["scheduled_at"] == rows[1]["scheduled_at"]
    af("run", "served.py:good")
    assert data("show")["scheduled_at"] is None


@pytest.mark.parametrize(
    ("target", "code", "told"),
    [
        ("served.py:plain", 2, "has no schedule to serve"),
        ("flows.py", 2, "has no schedule to serve"),
        ("served.py:godo", 4, "good"),
        ("severd.py", 4, "served.py"),
        ("more.py:over", 2, "no more scheduled runs of 'over'"),
        ("more.py:misspelt", 2, "sise"),
        ("more.py", 2, "--store names one for all"),
    ],
)
def test_what_can_not_be_served_says_so(af: Call, target: str, code: int, told: str) -> None:
    done = af("serve", target)

    assert done.exit_code == code
    assert told in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("SIGINT", 130),
        pytest.param("SIGTERM", 0, marks=pytest.mark.skipif(os.name != "posix", reason="POSIX")),
    ],
)
@pytest.mark.parametrize(("lasts", "grace", "state"), [(0.05, "30", "Success"), (60, "0.05", "Cancelled")])
def test_a_signal_ends_it_in_good_order(
    af: Call,
    data: Callable[..., Any],
    folder: Path,
    name: str,
    code: int,
    lasts: float,
    grace: str,
    state: str,
) -> None:
    (folder / "pressed.py").write_text(PRESSED.format(name=name, lasts=lasts), encoding="utf-8")
    before = signal.getsignal(signal.SIGTERM)

    done = af("serve", "pressed.py", "--grace", grace)

    assert done.exit_code == code
    assert "Stopping; 1 run may go on for" in done.stderr
    assert state in done.stdout
    assert [run["state"] for run in data("runs")] == [state]
    assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.process
@pytest.mark.skipif(os.name != "posix", reason="needs signals from other processes")
def test_a_process_that_waits_ends_at_a_signal(
    start: Callable[..., subprocess.Popen[str]], folder: Path
) -> None:
    (folder / "daily.py").write_text(
        "from asyncflow import Flow\nfrom asyncflow.schedules import CronSchedule\n"
        "with Flow('daily', CronSchedule('@yearly')) as f: ...\n",
        encoding="utf-8",
    )
    for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, 130)):
        process = start("serve", "daily.py")
        assert process.stderr is not None
        assert process.stderr.readline().startswith("daily: waiting for 20")
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (code, "Stopping.\n")


@pytest.mark.process
@pytest.mark.skipif(os.name != "posix", reason="needs signals from other processes")
def test_the_second_ctrl_c_leaves_at_once(start: Callable[..., subprocess.Popen[str]], folder: Path) -> None:
    (folder / "long.py").write_text(
        "import asyncio\nfrom asyncflow import flow\nfrom asyncflow.schedules import IntervalSchedule\n"
        "@flow(schedule=IntervalSchedule(0.05, runs=1))\nasync def long():\n"
        "    print('begun', flush=True)\n    await asyncio.sleep(60)\n",
        encoding="utf-8",
    )
    process = start("serve", "long.py")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    while not process.stderr.readline().startswith("Stopping; 1 run"):
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.endswith("Left at once; the record ends where it was.\n")
