"""Where code stands, as text that is the same on every machine: `orders/load.py:12 in fetch`."""

from __future__ import annotations

import gc
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any

_PACKAGE = str(Path(__file__).parent) + os.sep
_WORLD = os.path.join(_PACKAGE, "sim", "")
_EXAMPLES = os.path.join(_PACKAGE, "examples", "")
_STANDARD = tuple(os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib"))
_INSTALLED = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))

_SUSPENDED = (CoroutineType, GeneratorType, AsyncGeneratorType)

_USERS, _OTHERS, _OURS, _STANDARDS, _WORLDS = range(5)
"""Whose code it is, from what tells a user most to what tells least."""


def frame_of(thread: int) -> FrameType | None:
    """Return the frame that a thread is executing at this moment, by the thread's number.

    Python before 3.11.9 can stop for ever in `sys._current_frames` when that sets the garbage collector off
    (python/cpython issue 106883), so it may not.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames().get(thread)
    finally:
        if was_on:
            gc.enable()


def place_of(frame: FrameType) -> str:
    """Return file, line and function of a frame, with the file as its module's name would have it."""
    code = frame.f_code
    return f"{file_of(code, frame.f_globals.get('__name__', ''))}:{frame.f_lineno} in {code.co_qualname}"


def file_of(code: CodeType, module: str) -> str:
    """Return a code's file without the folders that differ from one machine to the next."""
    path = PurePath(code.co_filename)
    depth = module.count(".") + (2 if path.name == "__init__.py" else 1)
    return "/".join(path.parts[-depth:])


def users_place(frames: Iterable[FrameType]) -> str | None:
    """Return the innermost place in the user's code; if there is none, in other people's, then in any.

    Args:
        frames: from the outermost to the innermost.
    """
    best: FrameType | None = None
    for frame in frames:
        if best is None or _whose(frame) <= _whose(best):
            best = frame
    return best and place_of(best)


def _whose(frame: FrameType) -> int:
    file = frame.f_code.co_filename
    if file.startswith(_PACKAGE):  # first: asyncflow is an installed package, too
        return _USERS if file.startswith(_EXAMPLES) else _WORLDS if file.startswith(_WORLD) else _OURS
    if any(part in file for part in _INSTALLED):
        return _OTHERS
    return _STANDARDS if file.startswith("<frozen") or file.startswith(_STANDARD) else _USERS


def links(coroutine: Any) -> Iterator[tuple[Any, FrameType | None]]:
    """Yield a suspended coroutine and everything that it awaits, each with its frame, from the outermost.

    Some links are objects of C without a frame, which tell nobody what they drive; the collector knows.
    """
    awaited = coroutine
    while awaited is not None:
        for prefix, following in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
            if hasattr(awaited, following):
                yield awaited, getattr(awaited, f"{prefix}_frame")
                awaited = getattr(awaited, following)
                break
        else:
            yield awaited, None
            awaited = next((one for one in gc.get_referents(awaited) if _leads_on(one)), None)


def _leads_on(thing: object) -> bool:
    return isinstance(thing, _SUSPENDED) or type(thing).__name__ == "async_generator_asend"


def _is_ours(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return file.startswith(_PACKAGE) and not file.startswith(_EXAMPLES)


def step_of(frame: FrameType | None) -> tuple[str, list[str]]:
    """Return where an event loop's thread is at this moment: the place in the user's code, and all places.

    Args:
        frame: the innermost frame of the thread. What is told begins with the step that the loop is taking,
            from the outermost place to the innermost, and leaves asyncflow's own out.
    """
    frames: list[FrameType] = []
    while frame is not None and not _is_loops_own(frame):
        frames.append(frame)
        frame = frame.f_back
    frames.reverse()
    return users_place(frames) or "", [place_of(one) for one in frames if not _is_ours(one)]


def _is_loops_own(frame: FrameType) -> bool:
    return frame.f_code.co_name == "_run" and frame.f_globals.get("__name__") == "asyncio.events"
