"""What is said of a body that blocks the event loop: which task it is of, and where it stands."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from contextvars import Context
from typing import Any

from asyncflow import ambient
from asyncflow.engine.watchdog import Place, Watchdog
from asyncflow.handles import scope
from asyncflow.human import duration

_VARIABLE = "ASYNCFLOW_BLOCKED_AFTER"
_USUAL = 1.0

_log = logging.getLogger("asyncflow")


def watch() -> Any:
    """Begin to watch the running loop for a flow run; `unwatch` what this returns when the run has ended."""
    world = ambient.world()
    if world.watchdog is None:
        world.watchdog = _of_process
    watchdog = world.watchdog
    watchdog.watch(_after(), _told)
    return watchdog


def scope_of(task: asyncio.Task[Any]) -> Any:
    """Return the task run or flow run in whose body an asyncio task was started, or None."""
    context = next((one for one in gc.get_referents(task) if isinstance(one, Context)), None)
    return None if context is None else context.get(scope)


def named(found: Any) -> str:
    """Return how people know a scope: `task 'fetch', attempt 2, of flow run quiet-heron`."""
    about: dict[str, Any] = getattr(found, "log_context", dict)()
    if "task" in about:
        return f"task {about['task']!r}, attempt {about['attempt']}, of flow run {about['run']}"
    return f"the body of flow run {about['run']}" if "run" in about else "code outside of any flow run"


def _after() -> float:
    """Return the seconds after which a loop counts as blocked; 0 is never."""
    try:
        return max(0.0, float(os.environ.get(_VARIABLE, _USUAL)))
    except ValueError:
        return _USUAL


def _noticed(task: asyncio.Task[Any], seconds: float, place: Place) -> None:
    """Log that the loop is blocked, while it is: it may be for ever."""
    _log.warning(
        "the event loop has been blocked for %s by %s, at %s; nothing else runs meanwhile\n%s",
        duration(seconds),
        named(scope_of(task)),
        place[0],
        "\n".join(f"  {line}" for line in place[1]),
    )


def _told(culprit: Any, seconds: float, place: Place) -> None:
    """Record that the loop was blocked, by an asyncio task or by the scope that is known already."""
    found = scope_of(culprit) if isinstance(culprit, asyncio.Task) else culprit
    run = getattr(found, "run", found)
    if hasattr(run, "note"):
        number, attempt = (0, 0) if found is run else (found.number, found.attempt)
        detail = {"seconds": seconds, "where": place[0], "stack": place[1]}
        run.note("loop_blocked", number, attempt, detail)


_of_process = Watchdog(_noticed)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_of_process.forked)
