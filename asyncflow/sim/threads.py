"""Threads of a simulated world: a body runs at one virtual instant, and `time.sleep` in it adds up.

A body runs in another thread, as in reality: no event loop runs there, and `threading.get_ident()` differs.
But the loop's thread waits until it has returned, so nothing else happens meanwhile, and how many bodies are
under way at a virtual time is not limited. What a body has slept delays its result: all that it does is done
when it is called, and it ends that much later. While it runs, every clock shows it the time until which it
has slept.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from functools import partial
from typing import Any

from asyncflow import ambient
from asyncflow.errors import Escaped
from asyncflow.sim.border.debuggers import is_debugged
from asyncflow.sim.border.escapes import Escapes
from asyncflow.sim.clock import Clock
from asyncflow.sim.trace.trace import Trace
from asyncflow.sim.worker import Worker, borrowed, give_back

_WAY_OUT = (
    "time.sleep is, but a body that waits for the network, a lock, another thread or the event loop waits in "
    "vain, since nothing else happens meanwhile: make it `async def`, or run it in the real world"
)

Outcome = tuple[Any, BaseException | None]


class Threads:
    """What stands in for thread pools: the engine's for `def` bodies, and the loop's executor.

    Args:
        clock: the world's clock.
        trace: told of each body.
        escapes: told of a body that really blocks.
        bound: real seconds within which a body has to return. None waits for ever; so does a debugger.

    Attributes:
        abandoned: how many bodies of cancelled callers have not ended yet in virtual time.
        busy: whether the loop's thread is waiting for a body.
    """

    def __init__(self, clock: Clock, trace: Trace, escapes: Escapes, *, bound: float | None = 10.0) -> None:
        self.bound = bound
        self.abandoned = 0
        self.busy = False
        self._clock = clock
        self._trace = trace
        self._escapes = escapes

    async def run(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        left: Callable[[int], None],
    ) -> Outcome:
        """Run `fn` and return its value and its error, one of which is None; as the engine's pool does.

        Args:
            fn: the body.
            args: its positional arguments.
            kwargs: its keyword arguments.
            left: called when the caller is cancelled before the body ends, with the number of such bodies.

        Raises:
            CancelledError: when the caller was cancelled. The body has done what it does.
        """
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        outcome, ends = self._played(fn, lambda: context.run(fn, *args, **kwargs))
        end = loop.create_future()
        timer = loop.call_at(ends, _set, end)
        try:
            await end
        except asyncio.CancelledError:
            timer.cancel()
            if ends > self._clock.now:
                self._leave(loop, ends)
                left(self.abandoned)
            raise
        return outcome

    def submit(
        self, loop: asyncio.AbstractEventLoop, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run a function as the loop's executor would and return the future of its result.

        Until the loop's next turn the future can be cancelled before the function has begun.
        """
        future = loop.create_future()
        world = ambient.world()

        def call() -> Any:
            with ambient.entered(world):  # a pool's thread has nothing else of its caller's context
                return func(*args)

        def begin() -> None:
            if not future.cancelled():
                outcome, ends = self._played(func, lambda: contextvars.Context().run(call))
                loop.call_at(ends, _deliver, future, outcome)

        loop.call_soon(begin)
        return future

    def sleep(self, seconds: float) -> None:
        """Do as `time.sleep`: delay the end of a body, or keep the loop waiting if called on its thread."""
        self._clock.now += seconds
        if not self.busy:
            self._trace.emit("loop.blocked", float(seconds))

    def _played(self, fn: Callable[..., Any], call: Callable[[], Any]) -> tuple[Outcome, float]:
        """Run a call in a thread, now; return its outcome and the virtual time at which that is there."""
        outcomes: list[Outcome] = []

        def job() -> None:
            try:
                outcomes.append((call(), None))
            except BaseException as error:  # noqa: BLE001 - raised again where the body is awaited
                outcomes.append((None, error))

        begun = self._clock.now
        worker = borrowed()
        self.busy = True
        try:
            done = worker.did(job, self._patience())
        finally:
            self.busy = False
            ends, self._clock.now = self._clock.now, begun
            give_back(worker)
        if not done:
            return (None, self._escaped(worker)), begun
        self._trace.emit("thread", _name(fn), ends - begun)
        return outcomes.pop(), ends  # taken out, since an error's traceback holds the list

    def _patience(self) -> float:
        return -1 if self.bound is None or is_debugged() else self.bound

    def _escaped(self, worker: Worker) -> Escaped:
        what = f"a body in a thread that has not returned after {self.bound:g} real seconds"
        return self._escapes.recorded(what, _WAY_OUT, worker.frame())

    def _leave(self, loop: asyncio.AbstractEventLoop, ends: float) -> None:
        def over() -> None:
            self.abandoned -= 1

        self.abandoned += 1
        loop.call_at(ends, over)


def _set(end: asyncio.Future[None]) -> None:
    if not end.done():
        end.set_result(None)


def _deliver(future: asyncio.Future[Any], outcome: Outcome) -> None:
    value, error = outcome
    if future.done():
        return
    if isinstance(error, StopIteration):  # no future takes it: awaiting would end the awaiting coroutine
        replaced = RuntimeError("a function in a thread raised StopIteration")
        replaced.__cause__ = error
        error = replaced
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)


def _name(fn: Any) -> str:
    """Name a function in the trace, without the wrapping of `asyncio.to_thread`."""
    while isinstance(fn, partial):
        is_to_thread = isinstance(getattr(fn.func, "__self__", None), contextvars.Context)
        fn = fn.args[0] if is_to_thread and fn.args else fn.func
    return str(getattr(fn, "__qualname__", type(fn).__qualname__))
