"""Ctrl-C and SIGTERM while schedules are followed: end in good order; a second Ctrl-C leaves at once."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from asyncflow.cli.interrupts import Interrupts


class Draining(Interrupts):
    """Stands before the handlers of Ctrl-C and SIGTERM.

    Args:
        drain: called on the loop by the first signal; it brings what runs on the loop to its end.

    Attributes:
        was_interrupted: whether Ctrl-C was among the signals.
    """

    def __init__(self, drain: Callable[[], None]) -> None:
        super().__init__(live=False)
        self._drain = drain
        self._drains = False
        self._termination: Any = None
        self.was_interrupted = False

    def arm(self) -> None:
        """Take the handlers' places."""
        super().arm()
        if threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            self._termination = signal.signal(signal.SIGTERM, lambda *_: self._drain_once(loop))

    def _prepare(self) -> None:
        """Leave Ctrl-C ignored where it is: here SIGTERM needs no handler of asyncio's."""

    def _arm_termination(self) -> None:
        """Leave SIGTERM alone: here it ends in good order, even where Ctrl-C is ignored."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._termination is not None:
            signal.signal(signal.SIGTERM, self._termination)

    def _first(self, loop: asyncio.AbstractEventLoop, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.was_interrupted = True
        self._drain_once(loop)

    def _drain_once(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._drains:
            self._drains = True
            loop.call_soon_threadsafe(self._drain)
