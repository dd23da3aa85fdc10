"""How every error ends: a text on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import click
import pytest

from asyncflow.cli import endings
from asyncflow.cli.endings import code_of, leave
from asyncflow.cli.settings import Settings
from asyncflow.errors import AsyncflowError, NotFound, ParameterError, ScenarioInvalid, StoreError


def ended(error: BaseException, **settings: bool) -> int:
    def raise_it() -> None:
        raise error

    return code_of(raise_it, Settings(**settings))


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (AsyncflowError("it broke"), 1, "Error: it broke\n"),
        (ParameterError("it is wrong"), 2, "Error: it is wrong\n"),
        (ScenarioInvalid("a.toml:1: x"), 2, "Error: a.toml:1: x\n"),
        (NotFound("it is nowhere"), 4, "Error: it is nowhere\n"),
        (StoreError("the store s is full"), 1, "Error: the store s is full\nLook closer: asyncflow doctor\n"),
        (click.UsageError("no such thing"), 2, "Error: no such thing\n"),
        (click.Abort(), 130, "Interrupted.\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (OSError(errno.ENOSPC, "No space left", "/x/y"), 1, "/x/y: the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), 1, "/x/y: permission denied; make it"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), 1, "/x: read-only file system; make it"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/x"), 1, "Error: /x: No such file\n"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, "has gone"),
    ],
)
def test_an_error_ends_as_a_sentence_and_a_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, text: str
) -> None:
    assert ended(error) == code

    shown = capsys.readouterr()
    assert text in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_what_a_command_returns_is_the_code() -> None:
    assert code_of(lambda: 3, Settings()) == 3
    assert code_of(lambda: None, Settings()) == 0


def test_the_end_that_user_code_asked_for_is_left_alone() -> None:
    with pytest.raises(SystemExit):
        ended(SystemExit(7))


def test_a_bug_says_that_it_is_one_and_keeps_its_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings.tempfile, "tempdir", str(tmp_path))

    assert ended(KeyError("oops")) == 1

    shown = capsys.readouterr().err
    assert "a bug in asyncflow, please report it: KeyError: 'oops'" in shown
    assert "Traceback" not in shown
    (kept,) = tmp_path.glob("asyncflow-*.txt")
    assert str(kept) in shown
    assert "Traceback (most recent call last)" in kept.read_text(encoding="utf-8")


def test_a_bug_is_shown_whole_where_no_file_can_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(endings.tempfile, "mkstemp", refused)

    assert ended(KeyError("oops")) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyError("oops"), NotFound("nowhere"), OSError(errno.ENOSPC, "full", "x")])
def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    ended(error, debug=True)

    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_telling_without_a_stderr_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)

    endings.tell("nobody reads this")


def test_an_interrupted_process_does_not_wait_for_threads_of_user_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[int] = []
    monkeypatch.setattr(endings, "_PATIENCE", 0.02)
    monkeypatch.setattr(os, "_exit", left.append)
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()

    def end(code: int) -> None:
        def command() -> None:
            raise SystemExit(code)

        with pytest.raises(SystemExit):
            leave(command)

    try:
        end(0)
        assert left == []
        end(130)
        assert left == [130]
    finally:
        release.set()
        thread.join()
    end(130)
    assert left == [130]


def test_a_stream_that_is_being_written_does_not_keep_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy:
        def flush(self) -> None:
            raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>")

    left: list[int] = []
    monkeypatch.setattr(endings.os, "_exit", left.append)
    monkeypatch.setattr(endings.sys, "stdout", Busy())
    monkeypatch.setattr(endings.sys, "stderr", Busy())
    endings.leave_at_once()
    monkeypatch.undo()
    assert left == [130]
