"""The private names of the standard library that the simulated world relies on, checked when it is imported."""

from __future__ import annotations

import asyncio
import platform

from asyncflow.errors import NotInThisVersion

LOOP = (
    "_ready",
    "_stopping",
    "_debug",
    "_asyncgens",
    "_task_factory",
    "_run_once",
    "_write_to_self",
    "_process_events",
    "_timer_handle_cancelled",
    "_check_closed",
    "_check_thread",
    "_check_callback",
)
HANDLE = ("_cancelled", "_callback", "_run")
TIMER = ("_scheduled",)
TASK = ("_log_destroy_pending",)


def require(owner: object, *names: str) -> None:
    """Check that private names are there, where they are missed at import and not in the middle of a run.

    Args:
        owner: a module, a class or an object of the library that has them.
        names: what is relied on.

    Raises:
        NotInThisVersion: names the Python version and every name that is missing.
    """
    missing = [name for name in names if not hasattr(owner, name)]
    if missing:
        called = getattr(owner, "__qualname__", None) or getattr(owner, "__name__", type(owner).__name__)
        raise NotInThisVersion(
            f"Python {platform.python_version()} has no {', '.join(f'{called}.{name}' for name in missing)}, "
            "which the simulated world relies on; use Python 3.11, 3.12 or 3.13, or the real world"
        )


def require_asyncio() -> None:
    """Check what the simulated loop relies on; some names are there only once a loop has been made."""
    loop = asyncio.BaseEventLoop()
    loop.close()
    require(loop, *LOOP)
    require(asyncio.Handle, *HANDLE)
    require(asyncio.TimerHandle, *TIMER)
    require(asyncio.Task, *TASK)


require_asyncio()
