"""What goes on beside a run: live view, logs, the fold."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from asyncflow import ambient, logs
from asyncflow.cli.following import following
from asyncflow.cli.settings import Settings
from asyncflow.events import RunHeader
from tests.cli.conftest import Call


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    found = Terminal()
    for name in ("CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return found


def play(settings: Settings, *, level: str | None = None, is_rehearsal: bool = True) -> RunHeader:
    header = RunHeader("id", "quiet-heron", "posts etl", 0.0)
    child = RunHeader("id2", "loud-heron", "child", 0.0, parent="id")
    with following(settings, level, "console", is_rehearsal=is_rehearsal) as follower:
        for listener in follower.listeners:
            listener(header, 0, (0.0, "run_started", 0, 0, {}))
            listener(child, 0, (0.0, "run_started", 0, 0, {}))
            listener(header, 1, (1.0, "run_ended", 0, 0, {}))
    if is_rehearsal:
        assert follower.history is not None
        assert follower.history.view().header is header
        assert follower.history.view().is_over
    return header


def test_on_a_terminal_the_run_is_drawn_while_it_goes_on(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal)

    play(Settings())

    assert "quiet-heron" in terminal.getvalue()


@pytest.mark.parametrize("settings", [Settings(json=True), Settings(quiet=True), Settings(plain=True)])
def test_where_no_picture_is_wanted_none_is_drawn(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal)

    play(settings)

    assert terminal.getvalue() == ""


def test_a_rehearsal_logs_its_events_only_when_asked_to(capsys: pytest.CaptureFixture[str]) -> None:
    play(Settings())
    assert "Beginning Flow run" not in capsys.readouterr().err

    play(Settings(), level="info")
    assert "Beginning Flow run for 'posts etl'" in capsys.readouterr().err


def test_an_ordinary_run_logs_warnings_without_being_asked(af: Call) -> None:
    lines = af("run", "flows.py:fails").stderr.splitlines()

    assert {json.loads(line)["level"] for line in lines} == {"error"}
    assert len(af("run", "flows.py:doubles", "--log-level", "info").stderr.splitlines()) == 4


def test_log_lines_are_for_people_when_asked(af: Call) -> None:
    told = af("run", "flows.py:fails", "--log-format", "console").stderr

    assert "ERROR - asyncflow.task | " in told


def test_the_environment_may_ask_for_logs(af: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNCFLOW_LOG_LEVEL", "info")

    assert "Beginning Flow run" in af("scenario", "held.toml").stderr


def test_lines_of_user_code_go_to_stderr_in_a_rehearsal_too(af: Call, folder: Path) -> None:
    (folder / "logging_flow.py").write_text(
        "import structlog\n"
        "from asyncflow import flow, task\n"
        "@task\nasync def talk(): structlog.get_logger().warning('said by the body')\n"
        "@flow\nasync def talks(): return talk()\n",
        encoding="utf-8",
    )
    text = 'format = 1\nflow = "logging_flow.py:talks"\n[expect]\nflow = "Success"\n'
    (folder / "talks.toml").write_text(text, encoding="utf-8")

    done = af("scenario", "talks.toml")

    assert "said by the body" in done.stderr
    assert "said by the body" not in done.stdout


def test_logging_is_undone_afterwards(af: Call) -> None:
    import structlog

    af("run", "flows.py:fails")

    assert not structlog.is_configured()
    listeners = ambient.world().listeners
    assert [listener for listener in listeners if listener is not logs.listener] == []
