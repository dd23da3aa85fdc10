"""How an invocation ends: every error becomes a text on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from asyncflow.cli.settings import Settings
from asyncflow.errors import AsyncflowError, StoreError

DONE, FAILED, USAGE, NOT_HELD, NOT_FOUND, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""The exit codes."""

_PATIENCE = 2.0
"""Seconds that threads of user code get to end after Ctrl-C."""

_termination: list[int] = []
"""The signals other than Ctrl-C that have asked this process to end."""

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_ELSEWHERE = "--store or ASYNCFLOW_STORE names another place for what asyncflow keeps"


def prepare_streams() -> None:
    """Let stdout replace what its encoding does not have, rather than raise."""
    if sys.stdout is not None and getattr(sys.stdout, "errors", "") == "strict":
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def code_of(invoke: Callable[[], Any], settings: Settings) -> int:
    """Run a command and return its exit code, after telling what went wrong.

    Args:
        invoke: runs it and returns its code; None is `DONE`.
        settings: the invocation's settings, as its options changed them.

    Raises:
        SystemExit: what user code raised, as it is.
    """
    try:
        code = invoke()
        return code if isinstance(code, int) else DONE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        tell("Interrupted.")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the one place where every error ends
        return _told(error, settings)


def _told(error: Exception, settings: Settings) -> int:
    """Tell an error and return its exit code."""
    if isinstance(error, AsyncflowError):
        closer = f"\nLook closer: {settings.program} doctor" if isinstance(error, StoreError) else ""
        tell(f"Error: {error}{closer}")
        code = error.exit_code
    elif isinstance(error, OSError) and (sentence := _of_the_system(error)):
        tell(f"Error: {sentence}")
        code = FAILED
    else:
        _tell_bug(error, settings)
        return FAILED
    if settings.debug:
        tell("".join(traceback.format_exception(error)).rstrip())
    return code


def tell(text: str) -> None:
    """Write a text to stderr; what its encoding does not have is escaped, as Python does on stderr.

    It goes through `sys.stderr` as it is now: a live view stands there while it draws, to write above itself.
    """
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return  # closed, broken or missing: there is nowhere to say so


def _of_the_system(error: OSError) -> str:
    """Return what the operating system refused, with the way out; empty for errors that are nobody's file."""
    if isinstance(error, BrokenPipeError):
        return "whoever was reading the output has gone"
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in _FULL:
        return f"{where}the disk is full; free some space, or {_ELSEWHERE}"
    if error.errno in _CLOSED:
        return f"{where}{(error.strerror or str(error)).lower()}; make it writable, or {_ELSEWHERE}"
    return f"{where}{error.strerror}" if where else ""


def _tell_bug(error: Exception, settings: Settings) -> None:
    """Say that asyncflow is at fault, and where the traceback is."""
    text = "".join(traceback.format_exception(error))
    place = None if settings.debug else _kept(text)
    tell(text.rstrip() if place is None else f"The traceback is in {place}; --debug shows it here.")
    tell(f"Error: a bug in asyncflow, please report it: {type(error).__name__}: {error}")


def _kept(text: str) -> Path | None:
    """Write a traceback to a file and return its path, or None when there is no place for it."""
    try:
        handle, name = tempfile.mkstemp(prefix="asyncflow-", suffix=".txt", text=True)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return None
    return Path(name)


def terminated_by(number: int) -> None:
    """Take note of a signal that asks the process to end as Ctrl-C does; its exit code will tell of it."""
    _termination.append(number)


def leave(command: Callable[[], Any]) -> None:
    """Run a command that ends with SystemExit, and see to it that an interrupted process really ends.

    A thread that is no daemon keeps a process alive; after Ctrl-C nobody wants to wait for one that user code
    left behind.
    """
    try:
        command()
    except SystemExit as end:
        if end.code != INTERRUPTED:
            raise
        if not _threads_end():
            leave_at_once()
        raise SystemExit(_interrupted()) from None


def _interrupted() -> int:
    """Return the exit code after a signal, as shells tell it: 128 and its number."""
    return 128 + _termination[0] if _termination else INTERRUPTED


def _threads_end() -> bool:
    """Give the threads that keep the process alive a moment, and return whether all have ended."""
    others = [t for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]
    for thread in others:
        thread.join(_PATIENCE / len(others))
    return not any(thread.is_alive() for thread in others)


def leave_at_once() -> None:
    """End the process now: no clean-up, no waiting for threads; what is written stays written."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError, RuntimeError):
            continue  # RuntimeError: the signal came while this very stream was being written
    os._exit(_interrupted())
