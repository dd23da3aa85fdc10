"""Where views are written: what a stream can show, and writing lines to it.

Answers go to stdout and progress to stderr. Rich is imported only for colours and for the live view, so
output into a file or a pipe does not pay for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TextIO

from asyncflow.logs.terminal import is_dumb, is_terminal, wants_colour
from asyncflow.report.canvas import Line, Look, cropped, text_of
from asyncflow.report.words import EVERY_SIGN, STYLES

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

NARROWEST, WIDEST = 20, 200
_OFF_SCREEN = 100


def look_at(
    stream: TextIO | None = None,
    *,
    plain: bool = False,
    colour: bool | None = None,
    width: int | None = None,
    env: Mapping[str, str] | None = None,
) -> Look:
    """Return what a stream can show.

    Args:
        stream: where lines will be written; stdout when None.
        plain: ASCII signs, no colours, no redrawing.
        colour: True or False decides; None asks NO_COLOR, FORCE_COLOR, TERM and whether it is a terminal.
        width: cells in a line; None asks COLUMNS and the terminal.
        env: the environment; the process's own when None.
    """
    out = sys.stdout if stream is None else stream
    env = os.environ if env is None else env
    encoding = getattr(out, "encoding", None) or "utf-8"
    terminal, dumb = is_terminal(out), is_dumb(env)
    columns, lines = _size(out, env)
    return Look(
        width=max(NARROWEST, min(width or columns, WIDEST)),
        unicode=not plain and env.get("TERM") != "linux" and _encodes(encoding),
        colour=not plain and (wants_colour(out, env) if colour is None else colour),
        live=terminal and not plain and not dumb and not env.get("CI"),
        encoding=encoding,
        height=lines,
    )


def _size(stream: TextIO, env: Mapping[str, str]) -> tuple[int, int]:
    """Return the columns and lines of the screen."""
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (AttributeError, ValueError, OSError):
        columns, lines = 0, 0
    told = env.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        columns = int(told)
    return columns or _OFF_SCREEN, lines or 24


def _encodes(encoding: str) -> bool:
    """Whether an encoding has every sign that the views use."""
    try:
        EVERY_SIGN.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def console_for(look: Look, stream: TextIO | None = None, *, follow: bool = False) -> Console:
    """Return a rich Console that writes as `look` says.

    Args:
        look: what the stream can show.
        stream: where it writes; stdout, as it is at each write, when None.
        follow: whether it follows the size of the terminal rather than the look's.
    """
    from rich.console import Console
    from rich.theme import Theme

    styles = dict(STYLES) | {f"bar.{name}": f"{style} reverse".strip() for name, style in STYLES.items()}
    return Console(
        file=stream,
        width=None if follow else look.width,
        height=None if follow else look.height,
        force_terminal=look.colour or look.live,
        no_color=not look.colour,
        color_system="auto" if look.colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        theme=Theme({f"af.{name}": style for name, style in styles.items()}),
    )


def rich_text(lines: Iterable[Line]) -> Text:
    """Return lines as one rich Text, in the styles of the console's theme."""
    from rich.text import Text

    text = Text(no_wrap=True, overflow="crop", end="")
    for number, line in enumerate(lines):
        if number:
            text.append("\n")
        for piece in line:
            text.append(piece.text, None if piece.style == "plain" else f"af.{piece.style}")
    return text


def write(lines: Iterable[Line], look: Look, stream: TextIO | None = None) -> None:
    """Write lines to a stream, stdout when None, as `look` says."""
    out = sys.stdout if stream is None else stream
    fitted = [cropped(line, look.width, look) for line in lines]
    if look.colour:
        console_for(look, out).print(rich_text(fitted))
        return
    for line in fitted:
        out.write(text_of(line) + "\n")
    out.flush()
