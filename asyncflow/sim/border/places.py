"""Where code stands, as text that is the same on every machine: `orders/load.py:12 in fetch`."""

from __future__ import annotations

import gc
import os
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any

_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_EXAMPLES = os.path.join(_PACKAGE, "examples", "")
_STANDARD = tuple(os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib"))
_INSTALLED = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))

_SUSPENDED = (CoroutineType, GeneratorType, AsyncGeneratorType)

_USERS, _OTHERS, _MACHINERY = range(3)


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
    """Return the innermost place in the user's code; if there is none, in other people's, then in ours.

    Args:
        frames: from the outermost to the innermost.
    """
    best: FrameType | None = None
    for frame in frames:
        if best is None or _distance(frame) <= _distance(best):
            best = frame
    return best and place_of(best)


def _distance(frame: FrameType) -> int:
    """Return how far a frame is from the user: their own code, an installed package, the machinery."""
    file = frame.f_code.co_filename
    if any(part in file for part in _INSTALLED):
        return _OTHERS
    if file.startswith("<frozen") or file.startswith(_STANDARD):
        return _MACHINERY
    return _MACHINERY if file.startswith(_PACKAGE) and not file.startswith(_EXAMPLES) else _USERS


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
