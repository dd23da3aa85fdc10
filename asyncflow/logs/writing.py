"""Where log lines end: a stream that may be redirected, narrow in encoding, closed or broken."""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import suppress
from typing import TextIO
from weakref import WeakSet


class Writer:
    """Writes whole lines, from any thread; a line is never worth an error in what it tells of.

    Args:
        stream: where; stderr, as it is when a line is written, when None.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        _writers.add(self)

    @property
    def stream(self) -> TextIO:
        """Where lines go now."""
        return sys.stderr if self._stream is None else self._stream

    def __call__(self, line: str) -> None:
        """Write one line."""
        out = self.stream
        # A stream that is closed, broken or missing leaves nowhere to say so.
        with self._lock, suppress(OSError, ValueError, AttributeError):
            _put(out, line + "\n")
            out.flush()

    def forked(self) -> None:
        """Begin afresh in a child process, where the thread that was writing is not."""
        self._lock = threading.Lock()


_writers: WeakSet[Writer] = WeakSet()


def _forked() -> None:
    for writer in _writers:
        writer.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _put(out: TextIO, text: str) -> None:
    """Write a text; what the stream's encoding lacks is written as an escape."""
    try:
        out.write(text)
    except UnicodeEncodeError:
        encoding = getattr(out, "encoding", None) or "ascii"
        out.write(text.encode(encoding, "backslashreplace").decode(encoding))


class LineLogger:
    """What structlog wraps: takes a finished line."""

    def __init__(self, writer: Writer, name: str) -> None:
        self.name = name
        self.msg = self.debug = self.info = self.warning = self.error = self.critical = writer
        self.log = self.warn = self.fatal = self.exception = self.failure = self.err = writer


class Handler(logging.Handler):
    """Takes records of the standard library's logging.

    Args:
        writer: where lines go.

    Attributes:
        root_was: the root logger's level before this handler was put there.
    """

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self._writer = writer
        self.root_was = logging.WARNING

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            self._writer(self.format(record))
        except Exception:  # noqa: BLE001  # logging's own rule: a record that can't be formatted is reported
            self.handleError(record)
