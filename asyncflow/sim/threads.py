"""Threads of a simulated world: a body runs at one virtual instant, and `time.sleep` in it adds up."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

from asyncflow.sim.clock import Clock
from asyncflow.sim.escapes import Escapes
from asyncflow.sim.trace import Trace


class Threads:
    """What stands in for thread pools: the engine's for `def` bodies, and the loop's executor.

    Args:
        clock: the world's clock.
        trace: told of each body.
        escapes: told of a body that really blocks.
    """

    def __init__(self, clock: Clock, trace: Trace, escapes: Escapes) -> None:
        self._clock = clock
        self._trace = trace
        self._escapes = escapes

    async def run(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        left: Callable[[int], None],
    ) -> tuple[Any, BaseException | None]:
        """Run `fn` and return its value and its error, one of which is None; as the engine's pool does."""
        context = contextvars.copy_context()
        try:
            return context.run(fn, *args, **kwargs), None
        except BaseException as error:  # noqa: BLE001 - raised again where the body is awaited
            return None, error

    def submit(
        self, loop: asyncio.AbstractEventLoop, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run a function as the loop's executor would and return the future of its result."""
        future = loop.create_future()

        def job() -> None:
            if future.cancelled():
                return
            try:
                future.set_result(func(*args))
            except BaseException as error:  # noqa: BLE001 - delivered where it is awaited
                future.set_exception(error)

        loop.call_soon(job)
        return future
