"""Which asyncio task is running, for coroutines that ask before every call."""

from __future__ import annotations

import asyncio
import sys
from threading import get_ident
from typing import Any

from asyncflow.guard.deadlines import AsyncioTask


class NoLoop:
    """Stands for a loop that nobody has seen yet; it runs in no thread."""

    _thread_id = -1


if sys.version_info >= (3, 12):

    def running_on(loop: Any) -> AsyncioTask | None:
        """Return the running asyncio task if it runs on that loop."""
        task = asyncio.current_task()
        return task if task is not None and task.get_loop() is loop else None

    def to_ask(loop: asyncio.AbstractEventLoop) -> Any:
        """Return what `running_on` is asked about for a loop."""
        return loop

else:
    # `current_task` of Python 3.11 asks the operating system twice which process this is, and takes longer
    # than all else that a guard does. Whoever knows the loop can look into asyncio's own table instead, once
    # it is sure that the loop runs in this thread.
    _task_on = asyncio.tasks._current_tasks.get  # type: ignore[attr-defined]

    def running_on(loop: Any) -> AsyncioTask | None:
        """Return the running asyncio task if it runs on that loop."""
        return _task_on(loop) if loop._thread_id == get_ident() else None

    def to_ask(loop: asyncio.AbstractEventLoop) -> Any:
        """Return what `running_on` is asked about for a loop; one that hides its thread is never found."""
        return loop if hasattr(loop, "_thread_id") else NoLoop
