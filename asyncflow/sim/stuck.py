"""What to say about a world that can't go on: each task by name, and where it waits."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Iterable, Sequence
from functools import partial
from types import CoroutineType, FrameType
from typing import Any

from asyncflow.errors import Stuck
from asyncflow.sim.border.places import file_of, links, place_of, users_place

MOST_NAMED = 20
"""How many tasks the text of a report names; the exception has them all."""


def stuck(kind: str, sentence: str, tasks: Iterable[asyncio.Task[Any]], recent: Sequence[Any] = ()) -> Stuck:
    """Return the report on a world that can't go on.

    Args:
        kind: `deadlock`, `livelock` or `overtime`.
        sentence: what is the matter, and what to do about it.
        tasks: the unfinished ones, in the order in which they were made.
        recent: tasks and functions that ran last, the latest first; if there are any, they are named instead.
    """
    named = [(name_of(one), whereabouts(one)) for one in recent or tasks]
    lines = [f"  {name}: {where}" for name, where in named[:MOST_NAMED]]
    if len(named) > MOST_NAMED:
        lines.append(f"  and {len(named) - MOST_NAMED:,} more")
    return Stuck("\n".join([sentence, *lines]), kind, named)


def runner_of(handle: asyncio.Handle) -> Any:
    """Return the task that a callback advances, or the function that it calls in the end."""
    callback: Any = handle._callback  # type: ignore[attr-defined]
    if isinstance(getattr(callback, "__self__", None), asyncio.Task):
        return callback.__self__
    while isinstance(callback, partial):
        callback = callback.func
    return getattr(callback, "__func__", callback)


def name_of(runner: Any) -> str:
    """Return the name of a task, or of a function that the loop calls."""
    if isinstance(runner, asyncio.Task):
        return runner.get_name()
    return getattr(runner, "__qualname__", type(runner).__name__)


def whereabouts(runner: Any) -> str:
    """Return where a task waits and for what; of a function, where it is written."""
    if not isinstance(runner, asyncio.Task):
        return _written_at(runner)
    chain = list(links(runner.get_coro()))
    frames = [frame for _, frame in chain if frame is not None]
    place = users_place(frames)
    if place is None:
        return "has ended"
    if not _has_begun(runner.get_coro()):
        return f"{place}, has not started"
    return place + _inner_wait(place, frames[-1]) + _awaited_task(chain[-1][0])


def _has_begun(coroutine: Any) -> bool:
    if not isinstance(coroutine, CoroutineType):
        return True
    return inspect.getcoroutinestate(coroutine) != inspect.CORO_CREATED


def _inner_wait(place: str, innermost: FrameType) -> str:
    """Return the library's function that the user's code waits in, if it does."""
    return "" if place == place_of(innermost) else f", in {innermost.f_code.co_qualname}"


def _awaited_task(last: Any) -> str:
    """Return the task whose end is awaited, if it is one."""
    task = next((one for one in gc.get_referents(last) if isinstance(one, asyncio.Task)), None)
    return "" if task is None else f", waits for {task.get_name()}"


def _written_at(function: Any) -> str:
    code = getattr(function, "__code__", None)
    if code is None:
        return "written in C"
    return f"{file_of(code, getattr(function, '__module__', None) or '')}:{code.co_firstlineno}"
