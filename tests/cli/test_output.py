"""Writing answers: whatever the encoding, the numbers, or the reader."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from asyncflow.cli.output import Output, as_json
from asyncflow.cli.settings import Settings
from asyncflow.errors import AsyncflowError


def written(monkeypatch: pytest.MonkeyPatch, encoding: str, write: Any, **settings: Any) -> str:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    write(Output(Settings(**settings)))
    sys.stdout.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_a_document_is_readable_json_in_every_encoding(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    value = {"name": "né ⚡ 日本", "n": 1}

    text = written(monkeypatch, encoding, lambda out: out.data(value))

    assert json.loads(text) == value
    assert ("⚡" in text) is (encoding == "utf-8")


def test_numbers_that_json_lacks_become_null() -> None:
    value = {"a": [1.5, float("nan"), (float("inf"),)], "b": Path("x")}

    assert json.loads(as_json(value)) == {"a": [1.5, None, [None]], "b": "x"}


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_sentences_never_fail_for_want_of_a_character(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    text = written(monkeypatch, encoding, lambda out: out.sentence("né ⚡ 日本", sign="+"))

    assert text.startswith("+ n")


def test_a_sentence_is_wrapped_behind_its_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")

    text = written(monkeypatch, "utf-8", lambda out: out.sentence("one two three four five", sign="*"))

    assert text == "* one two three four\n  five\n"


def test_a_command_that_does_not_fit_stands_whole_on_its_own_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")

    text = written(monkeypatch, "utf-8", lambda out: out.command("Look closer", "asyncflow show quiet-heron"))

    assert text == "Look closer:\nasyncflow show quiet-heron\n"


def test_colours_are_written_when_forced_and_not_when_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    def say(out: Output) -> None:
        out.sentence("well", "success")

    assert "\x1b[" in written(monkeypatch, "utf-8", say)
    assert "\x1b[" not in written(monkeypatch, "utf-8", say, colourless=True)
    assert "\x1b[" not in written(monkeypatch, "utf-8", say, plain=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in written(monkeypatch, "utf-8", say)


def test_without_a_stdout_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    out = Output(Settings())

    out.text("nobody reads this")
    out.lines([[]])
    out.data({})


class Broken(io.TextIOWrapper):
    """A stdout whose descriptor is a file of its own, and whose writes fail."""

    def __init__(self, file: Any, number: int) -> None:
        super().__init__(file, encoding="utf-8")
        self._number = number

    def write(self, text: str) -> int:
        raise OSError(self._number, os.strerror(self._number))


@pytest.mark.parametrize("colour", [False, True])
def test_a_reader_that_goes_early_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, colour: bool
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1" if colour else "0")
    with (tmp_path / "out").open("wb") as file:
        monkeypatch.setattr(sys, "stdout", Broken(file, errno.EPIPE))

        Output(Settings()).sentence("anybody there?", "success")
        Output(Settings()).text("no")


def test_a_full_disk_is_an_error_that_names_stdout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "out").open("wb") as file:
        monkeypatch.setattr(sys, "stdout", Broken(file, errno.ENOSPC))

        with pytest.raises(AsyncflowError, match="can't be written to stdout: no space left"):
            Output(Settings()).text("a line")
