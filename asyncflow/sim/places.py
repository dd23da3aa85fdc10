"""Where in the user's code something happened, as people look for it: `file:line in function`."""

from __future__ import annotations

import os
import sysconfig
from types import FrameType

import asyncflow

_OURS = os.path.join(os.path.dirname(asyncflow.__file__), "")
_EXAMPLES = os.path.join(_OURS, "examples", "")  # they are read and run as programs of the user
_STDLIB = tuple(os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib"))
_INSTALLED = tuple(os.path.join("", part, "") for part in ("site-packages", "dist-packages"))

_LOOP = "_run_once"
"""The loop's frame: what is outside of it started the simulation, and did nothing in it."""


def place_of(frame: FrameType | None) -> str:
    """Return where the innermost code of the user is, seen from a frame.

    Where there is none, such as in a callback of a library, it is the innermost frame of the library, and in
    the last resort the frame itself.
    """
    frames = _frames(frame)
    for is_foreign in (_is_tool, _is_ours_or_stdlib):
        for candidate in frames:
            if not is_foreign(candidate.f_code.co_filename):
                return _shown(candidate)
    return _shown(frames[0]) if frames else "an unknown place"


def _frames(frame: FrameType | None) -> list[FrameType]:
    found = []
    while frame is not None and frame.f_code.co_name != _LOOP:
        found.append(frame)
        frame = frame.f_back
    return found


def _is_tool(file: str) -> bool:
    return _is_ours_or_stdlib(file) or any(part in file for part in _INSTALLED)


def _is_ours_or_stdlib(file: str) -> bool:
    if file.startswith("<frozen "):
        return True
    if any(part in file for part in _INSTALLED):
        return file.startswith(
            _OURS
        )  # asyncflow may be installed itself; others are not the standard library
    return file.startswith((_OURS, *_STDLIB)) and not file.startswith(_EXAMPLES)


def _shown(frame: FrameType) -> str:
    file = frame.f_code.co_filename
    here = os.path.join(os.getcwd(), "")
    return f"{file.removeprefix(here)}:{frame.f_lineno} in {frame.f_code.co_name}"
