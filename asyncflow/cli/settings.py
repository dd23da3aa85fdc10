"""What holds for a whole invocation: how to write answers, and how much to say."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from asyncflow.report.canvas import Look


@dataclass
class Settings:
    """The options that every command knows.

    Attributes:
        program: what was typed to get here, for commands that are suggested.
        json: whether the answer is one JSON document.
        plain: ASCII signs, no colours, no redrawing.
        colourless: no colours; else the stream and the environment decide.
        quiet: whether only the last sentence is wanted.
        debug: whether errors come with their traceback.
        stdout: where answers go, even while `sys.stdout` leads elsewhere; None for what that is.
        owns_process: whether this process was started for the command line alone.
    """

    program: str = "asyncflow"
    json: bool = False
    plain: bool = False
    colourless: bool = False
    quiet: bool = False
    debug: bool = False
    stdout: TextIO | None = None
    owns_process: bool = False

    @classmethod
    def from_environment(cls, *, owns_process: bool = False) -> Settings:
        """Return the settings of an invocation before its options are read."""
        debug = os.environ.get("ASYNCFLOW_DEBUG", "0") not in ("", "0")
        return cls(debug=debug, owns_process=owns_process)

    def look(self, stream: TextIO | None = None) -> Look:
        """Return what a stream, stdout when None, can show under these options."""
        from asyncflow.report.console import look_at

        return look_at(stream, plain=self.plain, colour=False if self.colourless else None)
