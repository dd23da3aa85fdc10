"""What becomes of a simulated process that crashed: it stays as it was at that instant, for good."""

from __future__ import annotations

import asyncio
from types import FrameType, TracebackType
from typing import Any, NoReturn

from asyncflow.errors import Crashed

_GRAVES: list[Any] = []
"""The worlds that crashed in this process, some hundred kB each: many crashes want worker processes."""


class Death(asyncio.Handle):
    """The callback that ends a process; what an ordinary one raises, `Handle._run` would report and forget.

    Args:
        why: what killed it.
        loop: the loop of the process.
    """

    def __init__(self, why: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop.stop, (), loop)
        self._why = why

    def _run(self) -> NoReturn:
        raise Crashed(self._why)


def bury(world: Any, tasks: list[asyncio.Task[Any]], traceback: TracebackType | None) -> None:
    """Keep everything that a dead process left, so that no `finally` block of it ever runs.

    A coroutine that nobody holds is closed, and closing it runs its clean-up against files that are still
    there; a process that is killed does nothing of the kind. To be called where the crash is caught, while
    its traceback still holds the frames that hold the coroutines.

    Args:
        world: the loop of the process, and whatever else has to stay.
        tasks: those that had not ended.
        traceback: of the crash.
    """
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    if not _GRAVES:
        _never_let_go(_GRAVES)
    _GRAVES.append((world, tasks, list(_frames(traceback))))


def _frames(traceback: TracebackType | None) -> list[FrameType]:
    frames = []
    while traceback is not None:
        frames.append(traceback.tb_frame)
        traceback = traceback.tb_next
    return frames


def _never_let_go(thing: object) -> None:
    """Keep an object at the end of the interpreter too, when modules lose what they hold."""
    import ctypes  # only a crash needs it

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
