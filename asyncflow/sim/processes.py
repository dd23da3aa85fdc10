"""Processes of a simulated world: a body runs inline, but what goes in and comes out travels all the same.

What can't be pickled is found out in a rehearsal, and a body that changes its arguments changes copies. A
`def` body runs as those in threads do, an `async def` one on the loop.
"""

from __future__ import annotations

import asyncio
import inspect
import pickle
from collections.abc import Callable
from typing import Any

from asyncflow.errors import full_text_of
from asyncflow.sim.threads import Threads
from asyncflow.travel import Errand, packed, stand_in


class Processes:
    """What stands in for the engine's processes.

    Args:
        threads: runs `def` bodies.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    async def run(self, errand: Errand, _beat: Callable[[Any], None]) -> tuple[Any, BaseException | None]:
        """Run a body and return its value and its error, one of which is None.

        Args:
            errand: what to call; `current()` in it is the task run itself.

        Raises:
            CancelledError: when the caller was cancelled.
        """
        name = errand.about["name"]
        try:
            args, kwargs = _travelled((errand.args, errand.kwargs), f"an argument of task {name!r}")
            if inspect.iscoroutinefunction(errand.fn):
                return _travelled(await errand.fn(*args, **kwargs), f"the result of task {name!r}"), None
            value, error = await self._threads.run(errand.fn, args, kwargs, _not_told)
            if error is None:
                return _travelled(value, f"the result of task {name!r}"), None
        except asyncio.CancelledError:
            raise
        except BaseException as raised:  # noqa: BLE001 - an outcome comes back, never an exception
            error = raised
        return None, _error(error)


def _travelled(value: Any, what: str) -> Any:
    """Return a copy of a value, made as it is when it goes from one process to another."""
    return pickle.loads(packed(value, what))


def _error(error: BaseException) -> BaseException:
    """Return an exception, or what comes in its place when it can't travel."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception as why:  # noqa: BLE001 - pickling calls the user's code
        return stand_in(full_text_of(error), why)
    return error


def _not_told(_threads: int) -> None:
    """Say nothing: a real process would have been killed."""
