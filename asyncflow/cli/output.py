"""Writing answers: lines for people or one JSON document, never an error because of who reads them."""

from __future__ import annotations

import errno
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from asyncflow.cli.settings import Settings
from asyncflow.errors import AsyncflowError

if TYPE_CHECKING:
    from asyncflow.report.canvas import Line, Look

_GONE = (errno.EPIPE, errno.EINVAL)
"""How the systems say that the reader of a pipe has gone; Windows has the second one."""


class Output:
    """Writes a command's answer to stdout.

    When whoever reads it goes early, as `head` does, the rest is dropped and the command goes on, so that its
    exit code is still the right one.

    Args:
        settings: how to write.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stream = settings.stdout or sys.stdout
        self._look: Look | None = None

    @property
    def look(self) -> Look:
        """What stdout can show."""
        if self._look is None:
            self._look = self._settings.look(self._stream)
        return self._look

    @property
    def is_terse(self) -> bool:
        """Whether pictures are not wanted: under `--json` and `--quiet`."""
        return self._settings.json or self._settings.quiet

    def lines(self, lines: Iterable[Line]) -> None:
        """Write lines of styled pieces."""
        from asyncflow.report.console import write

        if self._stream is None:
            return
        try:
            write(lines, self.look, self._stream)
        except OSError as error:
            _give_up(self._stream, error)
        except SystemExit:  # rich's answer to a closed pipe
            _give_up(self._stream, BrokenPipeError(errno.EPIPE, ""))

    def sentence(self, text: str, style: str = "plain", *, sign: str = "") -> None:
        """Write a text in one style, wrapped to the width; lines after the first stand behind the sign."""
        from asyncflow.report.canvas import Piece, cells, wrapped

        head = f"{sign} " if sign else ""
        told = wrapped(text, max(8, self.look.width - cells(head)), self.look)
        spaces = " " * cells(head)
        self.lines([[Piece(f"{spaces if at else head}{line}", style)] for at, line in enumerate(told)])

    def command(self, reason: str, command: str) -> None:
        """Write what to type next, whole and on a line of its own so that it can be copied."""
        from asyncflow.report.canvas import Piece

        if len(reason) + 2 + len(command) <= self.look.width:
            self.lines([[Piece(f"{reason}: ", "dim"), Piece(self.look.clean(command), "command")]])
        else:
            self.text(f"{reason}:\n{self.look.clean(command)}")

    def text(self, text: str) -> None:
        """Write a text as it is, uncropped."""
        if self._stream is None:
            return
        try:
            self._stream.write(f"{text}\n")
            self._stream.flush()
        except OSError as error:
            _give_up(self._stream, error)

    def data(self, value: Any, *, indent: int | None = 2) -> None:
        """Write one JSON document; ASCII only where stdout's encoding is not Unicode.

        Args:
            value: what it says.
            indent: by how many blanks inner parts are indented; None writes it on one line.
        """
        text = as_json(value, indent=indent)
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            text.encode(encoding)
        except (UnicodeEncodeError, LookupError):
            text = as_json(value, ascii_only=True, indent=indent)
        self.text(text)


def as_json(value: Any, *, ascii_only: bool = False, indent: int | None = 2) -> str:
    """Return a value as JSON; numbers that JSON does not have become null, other objects their text."""
    try:
        return json.dumps(value, indent=indent, ensure_ascii=ascii_only, allow_nan=False, default=str)
    except ValueError:
        return json.dumps(_finite(value), indent=indent, ensure_ascii=ascii_only, default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def _give_up(stream: TextIO, error: OSError) -> None:
    """Drop what is still to be written, without an error when it is the reader who has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    if error.errno not in _GONE:
        reason = (error.strerror or str(error)).lower()
        raise AsyncflowError(f"the answer can't be written to stdout: {reason}") from error
