"""The end of a simulated program: what is left is cancelled, closed, and given up in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from asyncflow.errors import Stuck, text_of
from asyncflow.sim.limits import LAST_WORDS
from asyncflow.sim.loop import SimLoop
from asyncflow.sim.stuck import stuck

_GENERATIONS = 100
"""How often tasks that are cancelled may leave others behind, which are cancelled next."""


def wind_down(loop: SimLoop) -> Stuck | None:
    """End what a program left on its loop, as `asyncio.run` does, but within bounds, and close the loop.

    Returns:
        a report on the tasks that would not end although they were cancelled, or None.

    Raises:
        SystemExit: when clean-up code asked for it; the loop is closed all the same.
    """
    loop.end(LAST_WORDS)
    exits: list[SystemExit] = []
    try:
        for _ in range(_GENERATIONS):
            if not (tasks := loop.unfinished()):
                break
            _cancel(loop, tasks, exits)
        loop.run_until_complete(loop.shutdown_asyncgens())
    except Stuck:
        pass  # told below, by those tasks that are left
    finally:
        left = loop.unfinished()
        report = _will_not_end(left) if left else None
        for task in left:
            _close(loop, task)
        for task in loop.unfinished() if left else ():  # what the last words of those have started
            _close(loop, task)
        loop.close()
    if exits:
        raise exits[0]
    return report


def _cancel(loop: SimLoop, tasks: Sequence[asyncio.Task[Any]], exits: list[SystemExit]) -> None:
    """Cancel tasks and run until they have ended; which may have made others."""
    running = len(tasks)

    def one_less(_task: asyncio.Task[Any]) -> None:
        nonlocal running
        running -= 1
        if not running:
            loop.stop()

    for task in tasks:
        task.add_done_callback(one_less)
        task.cancel()
    while running:
        try:
            loop.run_forever()
        except SystemExit as wish:
            exits.append(wish)  # the others have their clean-up, too
    for task in tasks:
        error = None if task.cancelled() else task.exception()
        if error is not None and error not in exits:
            _complain(loop, task, error)


def _will_not_end(tasks: Sequence[asyncio.Task[Any]]) -> Stuck:
    sentence = (
        "the program is over, but not everything in it ends when it is cancelled; let CancelledError "
        "through, and let clean-up code wait only for what comes:"
    )
    return stuck("overtime", sentence, tasks)


def _close(loop: SimLoop, task: asyncio.Task[Any]) -> None:
    """Run what clean-up code can do without waiting, now and in this world rather than at some other time."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    coroutine: Any = task.get_coro()
    try:
        coroutine.close()
    except BaseException as error:  # noqa: BLE001 - the last words of a task that is given up
        _complain(loop, task, error)


def _complain(loop: SimLoop, task: asyncio.Task[Any], error: BaseException) -> None:
    loop.call_exception_handler(
        {"message": f"clean-up code failed: {text_of(error)}", "exception": error, "task": task}
    )
