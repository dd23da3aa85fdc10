"""Where `def` bodies run: a bounded pool of daemon threads.

A thread can't be stopped from outside. When an attempt is cancelled or runs out of time while its body is in
a thread, the thread is abandoned: counted, reported and replaced, up to a bound. Threads are daemons, so that
an abandoned one can't keep the process alive.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any


class _Job:
    __slots__ = ("call", "future", "left", "loop", "started")

    def __init__(self, loop: asyncio.AbstractEventLoop, call: Callable[[], Any]) -> None:
        self.loop = loop
        self.call = call
        self.future: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
        self.started = False
        self.left = False

    def run(self) -> None:
        """Run the body and hand back an outcome; an exception never travels on the future."""
        value: Any = None
        error: BaseException | None = None
        try:
            value = self.call()
        except BaseException as raised:  # noqa: BLE001 - raised again where the body is awaited
            error = raised
        try:
            self.loop.call_soon_threadsafe(self._deliver, value, error)
        except RuntimeError:
            # The loop is closed: the run was left by a second Ctrl-C and nobody waits any more.
            return

    def _deliver(self, value: Any, error: BaseException | None) -> None:
        if not self.future.done():
            self.future.set_result((value, error))


class ThreadPool:
    """A bounded pool of daemon threads for blocking bodies.

    Args:
        size: the most threads at work; `min(32, cores + 4)` when not given, as in the standard library.
        spare: the most abandoned threads that are replaced; beyond it bodies wait for a thread.
    """

    def __init__(self, size: int | None = None, spare: int | None = None) -> None:
        self.size = size or min(32, (os.cpu_count() or 1) + 4)
        self.spare = self.size if spare is None else spare
        self.abandoned = 0
        self._threads = 0
        self._idle = 0
        self._jobs: deque[_Job] = deque()  # bounded by the task runs that wait in it
        self._wake = threading.Condition()

    async def run(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, BaseException | None]:
        """Run `fn` in a thread and return its value and its error, one of which is None.

        Raises:
            CancelledError: when the caller was cancelled; a body that had started goes on in a thread that
                is now abandoned.
        """
        context = contextvars.copy_context()
        job = _Job(asyncio.get_running_loop(), lambda: context.run(fn, *args, **kwargs))
        self._submit(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            self._leave(job)
            raise

    def _submit(self, job: _Job) -> None:
        with self._wake:
            self._jobs.append(job)
            allowed = self.size + min(self.abandoned, self.spare)
            if self._idle < len(self._jobs) and self._threads < allowed:
                self._threads += 1
                threading.Thread(target=self._work, name="asyncflow-body", daemon=True).start()
            else:
                self._wake.notify()

    def _leave(self, job: _Job) -> None:
        with self._wake:
            job.left = True
            if job.started and not job.future.done():
                self.abandoned += 1
            elif not job.started:
                self._jobs.remove(job)

    def _work(self) -> None:
        while True:
            with self._wake:
                self._idle += 1
                while not self._jobs:
                    self._wake.wait()
                self._idle -= 1
                job = self._jobs.popleft()
                job.started = True
            job.run()
            with self._wake:
                if job.left:
                    self.abandoned -= 1
                if self._threads > self.size + min(self.abandoned, self.spare):
                    self._threads -= 1
                    return
            del job
