"""What a stream is: a terminal or not, and whether colours are wanted on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TextIO


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal; a closed one is not."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def wants_colour(stream: TextIO, env: Mapping[str, str] | None = None) -> bool:
    """Whether colours are wanted on a stream.

    NO_COLOR (https://no-color.org) wins over FORCE_COLOR, and that over what the stream is.

    Args:
        stream: where colours would be written.
        env: the environment; the process's own when None.
    """
    env = os.environ if env is None else env
    if env.get("NO_COLOR"):
        return False
    forced = env.get("FORCE_COLOR", "")
    if forced:
        return forced != "0"
    return is_terminal(stream) and not is_dumb(env)


def is_dumb(env: Mapping[str, str]) -> bool:
    """Whether the terminal says that it can only print."""
    return env.get("TERM", "") in ("dumb", "unknown")


def reads_escapes(env: Mapping[str, str] | None = None) -> bool:
    """Whether a terminal takes colours as escape codes; old Windows consoles don't."""
    env = os.environ if env is None else env
    known = ("WT_SESSION", "TERM", "TERM_PROGRAM", "ConEmuANSI", "ANSICON")
    return sys.platform != "win32" or any(env.get(name) for name in known)
