"""Ctrl-C or SIGTERM while a run goes on: the first one cancels, the second one leaves at once."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

from asyncflow.cli.endings import leave_at_once, tell, terminated_by

_CURSOR = b"\x1b[?25h"
"""Shows the cursor again, which a live view hides."""


class Interrupts:
    """Stands before the handler with which asyncio cancels the run at the first Ctrl-C.

    asyncio installs its handler when it starts to run, so this takes its place from inside the loop. It only
    reports through the loop, since what it interrupted may hold any lock.

    Args:
        live: whether a live view is drawn on stderr.
    """

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._before: Any = None
        self._ignores = False
        self._count = 0

    def arm(self) -> None:
        """Take the handler's place; doing it again changes nothing."""
        if self._before is None and threading.current_thread() is threading.main_thread():
            found = signal.getsignal(signal.SIGINT)
            if callable(found):
                self._before = found
                signal.signal(signal.SIGINT, signal.SIG_IGN if self._ignores else self._interrupted)
                self._arm_termination()

    def _arm_termination(self) -> None:
        """Let SIGTERM do what Ctrl-C does, unless the program has something else in mind."""
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._interrupted)

    def listener(self, *_event: Any) -> None:
        """Take the handler's place at the first event of a run that is started out of reach."""
        if self._before is None:
            self.arm()

    def between_runs(self) -> None:
        """Let the next run install its own handler, since the one kept here cancels a run that is over."""
        if self._before is not None and signal.getsignal(signal.SIGINT) == self._interrupted:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._before = _as_ctrl_c

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._prepare()
        return self

    def _prepare(self) -> None:
        """Let asyncio install the handler that cancels where Ctrl-C is ignored, for SIGTERM to use.

        A process in the background may be told to ignore Ctrl-C: a shell does so for what a script starts
        with `&`. asyncio then installs nothing. From `arm` on, Ctrl-C is ignored again.
        """
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            self._ignores = True
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ignores:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        elif self._before is not None and signal.getsignal(signal.SIGINT) == self._interrupted:
            # The loop is over, and its handler with it.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if signal.getsignal(signal.SIGTERM) == self._interrupted:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if number == signal.SIGTERM:
            terminated_by(number)
        if self._count > 1:
            self._leave()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise KeyboardInterrupt from None  # between the run and its report
        self._first(loop, number, frame)

    def _first(self, loop: asyncio.AbstractEventLoop, number: int, frame: FrameType | None) -> None:
        """Take the first signal while the loop runs."""
        which = "SIGTERM" if number == signal.SIGTERM else "Ctrl-C"
        loop.call_soon_threadsafe(tell, f"Cancelling; {which} again leaves at once.")
        self._before(signal.SIGINT, frame)

    def _leave(self) -> None:
        head = (_CURSOR if self._live else b"") + (b"\n" if os.isatty(2) else b"")
        with suppress(OSError):
            os.write(2, head + b"Left at once; the record ends where it was.\n")
        leave_at_once()


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    """Do what Ctrl-C does at the time."""
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, frame)
