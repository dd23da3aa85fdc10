"""The real thing: processes, signals, pipes, encodings."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.cli.conftest import environment
from tests.waiting import until

Start = Callable[..., subprocess.Popen[str]]

pytestmark = pytest.mark.process

HAS_SIGNALS = os.name == "posix"
LIMIT = 30.0
RUNNING = "SELECT 1 FROM event WHERE task > 0 AND state = 'Running'"


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=LIMIT)
    return process.returncode, out, err


def interrupt(process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C, where another process can."""
    process.send_signal(signal.SIGINT)


def until_tasks_run(folder: Path, pattern: str) -> None:
    """Wait until the journal of a process, which is found by that pattern, says that a task is running."""

    def found() -> bool:
        return any(is_said(path) for path in (folder / "data").glob(pattern))

    def is_said(path: Path) -> bool:
        with closing(sqlite3.connect(path)) as journal, suppress(sqlite3.OperationalError):
            return bool(journal.execute(RUNNING).fetchone())
        return False  # a file that is being made

    until(found, "a task to run in the other process")


def test_the_module_is_the_command_line_and_names_itself(start: Start) -> None:
    code, out, err = ended(start("scenari"))

    assert (code, out) == (2, "")
    assert "Try 'python -m asyncflow --help'" in err


@pytest.mark.parametrize(("file", "code"), [("held.toml", 0), ("violated.toml", 3)])
def test_the_verdict_is_the_exit_code(start: Start, file: str, code: int) -> None:
    ended_with, out, err = ended(start("scenario", file, "--json"))

    assert ended_with == code
    assert json.loads(out)["scenario"] == file
    assert err == "printed by the body\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_no_encoding_stops_an_answer(start: Start, encoding: str) -> None:
    code, out, err = ended(start("scenario", "held.toml", PYTHONIOENCODING=encoding))

    assert (code, err) == (0, "")
    assert "x Failed" in out
    assert out.isascii()


def test_what_bodies_print_is_not_stopped_by_the_encoding(start: Start, folder: Path) -> None:
    (folder / "signs.py").write_text(
        "from asyncflow import flow, task\n"
        "@task\nasync def say(): print('⚡')\n"
        "@flow\nasync def f(): return say()\n",
        encoding="utf-8",
    )

    code, out, _ = ended(start("run", "signs.py:f", PYTHONIOENCODING="ascii"))

    assert code == 0
    assert out.startswith("?\n")


def test_a_reader_that_goes_early_changes_no_exit_code(start: Start) -> None:
    process = start("scenario", "violated.toml")
    assert process.stdout is not None
    process.stdout.close()

    assert process.wait(LIMIT) == 3
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_run_interrupted_once_is_cancelled_recorded_and_shown(start: Start, folder: Path) -> None:
    if not HAS_SIGNALS:
        return
    process = start("run", "flows.py:naps", "-p", "count=2")
    until_tasks_run(folder, "runs.db")
    interrupt(process)

    code, out, err = ended(process)

    assert code == 130
    assert "Cancelling; Ctrl-C again leaves at once." in err
    assert out.count("■ Cancelled") == 3
    assert "Look closer: python -m asyncflow show " in out
    (run,) = json.loads(ended(start("runs", "--json"))[1])
    assert (run["state"], run["flow"]) == ("Cancelled", "long naps")


def test_sigterm_cancels_and_records_and_has_its_own_exit_code(start: Start, folder: Path) -> None:
    if not HAS_SIGNALS:
        return
    process = start("run", "flows.py:naps", "-p", "count=2")
    until_tasks_run(folder, "runs.db")
    process.send_signal(signal.SIGTERM)

    code, out, err = ended(process)

    assert code == 128 + signal.SIGTERM
    assert "Cancelling; SIGTERM again leaves at once." in err
    assert out.count("■ Cancelled") == 3
    (run,) = json.loads(ended(start("runs", "--json"))[1])
    assert run["state"] == "Cancelled"


def test_a_rehearsal_interrupted_once_is_recorded_and_shown(start: Start, folder: Path) -> None:
    if not HAS_SIGNALS:
        return
    text = 'format = 1\nflow = "flows.py:naps"\n[parameters]\ncount = 1\n[expect]\nflow = "Success"\n'
    (folder / "naps.toml").write_text(text, encoding="utf-8")
    process = start("scenario", "naps.toml")
    until_tasks_run(folder, "rehearsals/*/asyncflow.db")
    interrupt(process)

    code, out, _ = ended(process)

    assert code == 130
    assert "■ Cancelled: Interrupted." in out
    (run,) = json.loads(ended(start("runs", "--json"))[1])
    assert (run["state"], run["scenario"]) == ("Cancelled", "naps.toml")
    assert ended(start("show", run["name"]))[0] == 0


def test_the_second_ctrl_c_leaves_at_once(start: Start, folder: Path) -> None:
    if not HAS_SIGNALS:
        return
    process = start("run", "flows.py:stuck")
    until_tasks_run(folder, "runs.db")
    interrupt(process)
    assert process.stderr is not None
    while "Ctrl-C again leaves at once." not in process.stderr.readline():
        assert process.poll() is None
    interrupt(process)

    code, _, err = ended(process)

    assert code == 130
    assert "Left at once; the record ends where it was." in err


def test_a_replica_answers_until_ctrl_c(start: Start) -> None:
    process = start("replica", "posts", "--fault", "status=503,requests=1", "--json")
    assert process.stdout is not None
    text = ""
    while not text.endswith("}\n"):
        text += process.stdout.readline()
    facts = json.loads(text)

    with pytest.raises(urllib.error.HTTPError, match="503") as caught:
        urllib.request.urlopen(facts["example"], timeout=LIMIT)
    caught.value.close()
    with urllib.request.urlopen(facts["example"], timeout=LIMIT) as answer:
        assert json.load(answer)["id"] == 1

    if not HAS_SIGNALS:
        process.kill()
        ended(process)
        return
    interrupt(process)
    code, _, err = ended(process)
    assert code == 0
    assert err == "Fault struck: status at request 1\nStopped after 2 requests.\n"


def test_a_port_that_is_taken_is_an_error_with_the_way_out(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, out, err = ended(start("replica", "cfpb", "--port", str(taken.getsockname()[1])))

    assert (code, out) == (2, "")
    assert "is already in use; choose another port" in err


def test_an_unknown_replica_is_not_found(start: Start) -> None:
    code, _, err = ended(start("replica", "cfbp"))

    assert code == 4
    assert "Did you mean 'cfpb'?" in err


def test_the_script_and_the_module_are_the_same_program(folder: Path) -> None:
    code = "from asyncflow.cli import main; import sys; sys.argv = ['asyncflow', 'show', 'x']; main()"

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        env=environment(),
    )

    assert done.returncode == 4
    assert done.stderr.startswith("Error: there is no run 'x'.")


def test_a_scenario_needs_no_rich_without_colours(start: Start) -> None:
    code, _, err = ended(start("scenario", "held.toml", PYTHONPROFILEIMPORTTIME="1"))

    assert code == 0
    imported = {line.rpartition("|")[2].strip() for line in err.splitlines()}
    assert "aiohttp" in imported
    assert not {"rich", "structlog"} & imported
