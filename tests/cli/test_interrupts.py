"""Ctrl-C: the first one cancels and records, the second one leaves."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncflow.cli import endings, interrupts
from asyncflow.cli.interrupts import Interrupts
from asyncflow.net import replica
from asyncflow.scenario import play
from asyncflow.store import SQLiteStore
from tests.cli.conftest import Call

ENDING = """
import asyncio, signal
from asyncflow import flow, task

@task
async def ask() -> None:
    signal.raise_signal(signal.SIGINT)  # goes unheard
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        signal.raise_signal(signal.SIGTERM)
    await asyncio.sleep(0.01)

@flow
async def asked_to_end():
    return ask()
"""


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Begin and end with Python's own handler."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_an_interrupted_run_is_cancelled_recorded_and_shown(af: Call, data: Callable[..., Any]) -> None:
    done = af("run", "flows.py:interrupted")

    assert done.exit_code == 130
    assert "press_ctrl_c  ■ Cancelled" in done.stdout
    assert "■ Cancelled: Interrupted." in done.stdout
    assert "Cancelling; Ctrl-C again leaves at once." in done.stderr
    assert data("runs")[0]["state"] == "Cancelled"


def test_an_interrupted_run_is_one_document_too(af: Call) -> None:
    done = af("run", "flows.py:interrupted", "--json")

    assert done.exit_code == 130
    assert json.loads(done.stdout)["flow"]["state"] == "Cancelled"
    assert done.stderr.endswith("Interrupted.\n")


@pytest.mark.parametrize("quiet", [False, True])
def test_an_interrupted_rehearsal_is_kept_and_shown(
    af: Call, data: Callable[..., Any], folder: Path, quiet: bool
) -> None:
    text = 'format = 1\nflow = "flows.py:interrupted"\n[expect]\nflow = "Success"\n'
    (folder / "interrupted.toml").write_text(text, encoding="utf-8")

    done = af("scenario", "interrupted.toml", *(["-q"] if quiet else []))

    assert done.exit_code == 130
    assert ("■ Cancelled: Interrupted." in done.stdout) is not quiet
    assert done.stderr.endswith("Interrupted.\n") is quiet
    (run,) = data("runs")
    assert (run["scenario"], run["state"]) == ("interrupted.toml", "Cancelled")
    assert af("show").exit_code == 0


AT_THE_SECOND = """
import asyncio, signal
from asyncflow import flow, task

times = 0

@task
async def count() -> None:
    global times
    times += 1
    if times == 2:
        signal.raise_signal(signal.{signal})
    await asyncio.sleep(1)

@flow
async def counted():
    return count()
"""


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nothing asks a process to end by SIGTERM")
@pytest.mark.parametrize("which", ["SIGINT", "SIGTERM"])
def test_a_repeat_that_is_interrupted_ends_in_good_order(
    af: Call, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, which: str
) -> None:
    monkeypatch.setattr(endings, "_termination", [])
    (folder / "repeated.py").write_text(AT_THE_SECOND.format(signal=which), encoding="utf-8")
    text = 'format = 1\nflow = "repeated.py:counted"\n[expect]\nflow = "Success"\n'
    (folder / "repeated.toml").write_text(text, encoding="utf-8")

    done = af("scenario", "repeated.toml", "--world", "simulated", "--repeat", "3")

    assert done.exit_code == 130
    assert endings._termination == ([signal.SIGTERM] if which == "SIGTERM" else [])
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []


def test_ctrl_c_before_anything_ran_leaves_nothing(af: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(play, "play", pressed)
    assert af("scenario", "held.toml", "-q").exit_code == 130

    async def at_opening(_store: SQLiteStore) -> None:
        pressed()

    monkeypatch.setattr(SQLiteStore, "open", at_opening)
    for command in (("run", "flows.py:doubles"), ("scenario", "held.toml", "-q"), ("runs",)):
        done = af(*command)
        assert (done.exit_code, done.stdout) == (130, "")
        assert done.stderr.endswith("Interrupted.\n")


def test_a_replica_takes_ctrl_c_as_its_end(af: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(served: replica.Replica, *, started: Callable[[replica.Replica], None]) -> None:
        async with served:
            started(served)
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(60)

    monkeypatch.setattr(replica, "serve", serve)

    done = af("replica", "posts")
    as_data = af("replica", "cfpb", "--json")

    assert json.loads(as_data.stdout)["example"].endswith("?size=1&no_aggs=true")
    assert done.exit_code == 0
    assert "posts replica at http://127.0.0.1:" in done.stdout
    assert "/posts/1'" in done.stdout
    assert done.stderr == "Stopped after 0 requests.\n"


class Pressed:
    """What a test sees of the end of the process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.written = b""
        self.left = 0
        monkeypatch.setattr(interrupts.os, "write", self._write)
        monkeypatch.setattr(interrupts, "leave_at_once", self._leave)

    def _write(self, descriptor: int, text: bytes) -> int:
        if descriptor != 2:
            return self._real(descriptor, text)
        self.written += text
        return len(text)

    _real = staticmethod(os.write)

    def _leave(self) -> None:
        self.left += 1


@pytest.mark.parametrize("live", [False, True])
def test_the_second_ctrl_c_shows_the_cursor_and_leaves(monkeypatch: pytest.MonkeyPatch, live: bool) -> None:
    seen: list[int] = []
    pressed = Pressed(monkeypatch)

    async def press_twice(guard: Interrupts) -> None:
        signal.signal(signal.SIGINT, lambda number, _frame: seen.append(number))
        guard.listener()
        guard.listener()
        signal.raise_signal(signal.SIGINT)
        assert (seen, pressed.left) == ([signal.SIGINT], 0)
        signal.raise_signal(signal.SIGINT)

    with Interrupts(live=live) as guard:
        asyncio.run(press_twice(guard))

    assert pressed.left == 1
    assert (b"\x1b[?25h" in pressed.written) is live
    assert b"Left at once" in pressed.written


def test_between_the_run_and_its_report_ctrl_c_is_the_ordinary_one() -> None:
    with Interrupts(live=False) as guard:
        guard.arm()

        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_process_that_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupts(live=False) as guard:
        guard.arm()

        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nothing asks a process to end by SIGTERM")
@pytest.mark.parametrize("ends_by", ["run", "scenario"])
def test_sigterm_cancels_and_records_even_where_ctrl_c_is_ignored(
    af: Call, data: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch, ends_by: str
) -> None:
    """So it is for what a script starts with `&`: there the shell has Ctrl-C ignored."""
    monkeypatch.setattr(endings, "_termination", [])
    (folder / "ending.py").write_text(ENDING, encoding="utf-8")
    (folder / "ending.toml").write_text(
        'format = 1\nflow = "ending.py:asked_to_end"\n[expect]\nflow = "Success"\n', encoding="utf-8"
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    args = ("run", "ending.py:asked_to_end") if ends_by == "run" else ("scenario", "ending.toml")

    done = af(*args)
    after = signal.signal(signal.SIGINT, signal.default_int_handler)

    assert after is signal.SIG_IGN
    assert done.exit_code == 130
    assert "■ Cancelled: Interrupted." in done.stdout
    assert "Cancelling; SIGTERM again leaves at once." in done.stderr
    assert data("runs")[0]["state"] == "Cancelled"


def test_only_the_main_thread_takes_part() -> None:
    with Interrupts(live=False) as guard:
        thread = threading.Thread(target=guard.arm)
        thread.start()
        thread.join()

        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
