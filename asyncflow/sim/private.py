"""The private names of asyncio that the simulated world relies on, looked for when it is imported."""

from __future__ import annotations

import asyncio
import platform
from collections import deque
from collections.abc import Callable
from typing import Any

from asyncflow.errors import NotInThisVersion


class StockLoop(asyncio.BaseEventLoop):
    """asyncio's own loop, with what it does not show in public declared."""

    _ready: deque[asyncio.Handle]
    _stopping: bool
    _debug: bool
    _closed: bool
    _asyncgens: Any
    _task_factory: Callable[..., Any] | None
    _check_closed: Callable[[], None]
    _check_thread: Callable[[], None]
    _check_callback: Callable[[object, str], None]


HANDLE = ("_run", "_context", "_loop", "_callback", "_args", "_cancelled", "_repr", "_source_traceback")
TIMER = ("_when", "_scheduled")

OVERRIDDEN = ("_run_once", "_timer_handle_cancelled", "_write_to_self", "_process_events")
"""Methods that asyncio's loop calls, and the simulated loop has its own of."""


def require(owner: object, *names: str) -> None:
    """Check that private names are there, so that they are missed at import and not in the middle of a run.

    Args:
        owner: a module, a class or an object of somebody else's that has them.
        names: what is relied on.

    Raises:
        NotInThisVersion: names the version of Python and everything that is missing.
    """
    missing = [name for name in names if not hasattr(owner, name)]
    if missing:
        called = getattr(owner, "__name__", type(owner).__name__)
        raise NotInThisVersion(
            f"Python {platform.python_version()} has no {', '.join(f'{called}.{name}' for name in missing)}, "
            "which the simulated world relies on; use Python 3.11, 3.12 or 3.13, or the real world"
        )


def require_asyncio() -> None:
    """Check what the simulated loop relies on.

    Raises:
        NotInThisVersion: when asyncio has changed.
    """
    loop = asyncio.BaseEventLoop()  # some of its names are there only once it has been made
    loop.close()
    require(loop, *StockLoop.__annotations__, *OVERRIDDEN)
    require(asyncio.Handle, *HANDLE)
    require(asyncio.TimerHandle, *TIMER)
    require(asyncio.Task, "_log_destroy_pending")


require_asyncio()
