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
from contextlib import suppress
from typing import Any, Literal


class Job:
    """One call that a thread is to make.

    Args:
        loop: where the outcome is awaited.
        call: what to do.
        back: told when the call ends although it was given up.

    Attributes:
        future: becomes the call's value and its error, one of which is None.
        stage: how far it is.
        left: whether it was given up while it ran.
    """

    __slots__ = ("back", "call", "future", "left", "loop", "stage")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, call: Callable[[], Any], back: Callable[[int], None] | None
    ) -> None:
        self.loop = loop
        self.call = call
        self.back = back
        self.future: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
        self.stage: Literal["waiting", "running", "over"] = "waiting"
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
        finally:
            del error  # whose traceback holds this frame

    def tell_back(self, abandoned: int) -> None:
        """Tell the loop that an abandoned body has ended, unless the loop itself has."""
        if self.back is not None:
            with suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self.back, abandoned)

    def _deliver(self, value: Any, error: BaseException | None) -> None:
        if not self.future.done():
            self.future.set_result((value, error))


class ThreadPool:
    """A bounded pool of daemon threads for blocking bodies.

    Args:
        size: the most threads at work; `min(32, cores + 4)` when not given, as in the standard library.
        spare: the most abandoned threads that are replaced; beyond it bodies wait for a thread.
        linger: seconds after which a thread without work ends.

    Attributes:
        threads: how many there are now, abandoned ones among them.
        abandoned: how many are still at a body that nobody waits for.
    """

    def __init__(self, size: int | None = None, spare: int | None = None, *, linger: float = 10.0) -> None:
        self.size = size or min(32, (os.cpu_count() or 1) + 4)
        self.spare = self.size if spare is None else spare
        self.linger = linger
        self.threads = 0
        self.abandoned = 0
        self._idle = 0
        self._jobs: deque[Job] = deque()  # bounded by the task runs that wait in it
        self._wake = threading.Condition()

    async def run(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        left: Callable[[int], None],
        back: Callable[[int], None] | None = None,
    ) -> tuple[Any, BaseException | None]:
        """Run `fn` in a thread and return its value and its error, one of which is None.

        Args:
            fn: the body.
            args: its positional arguments.
            kwargs: its keyword arguments.
            left: called when the thread has to be left behind, with the number of threads that are now.
            back: called on the loop when such a thread has ended the body at last, with the same number.

        Raises:
            CancelledError: when the caller was cancelled; a body that had started goes on in a thread that
                is now abandoned.
            RuntimeError: when the system can't start a thread.
        """
        context = contextvars.copy_context()
        job = self.submit(lambda: context.run(fn, *args, **kwargs), back)
        try:
            outcome = await job.future
            del job.future  # the error's traceback holds the job, which must not hold the error in turn
            return outcome
        except asyncio.CancelledError:
            if self._leave(job):
                left(self.abandoned)
            raise

    def submit(self, call: Callable[[], Any], back: Callable[[int], None] | None = None) -> Job:
        """Let a thread make a call as soon as one is free, and return what is known of it.

        Args:
            call: what to do; its value and its error, one of which is None, become `job.future`'s result.
            back: as for `run`.

        Raises:
            RuntimeError: when the system can't start a thread.
        """
        job = Job(asyncio.get_running_loop(), call, back)
        with self._wake:
            self._jobs.append(job)
            try:
                self._grow_or_wake()
            except RuntimeError:
                self._jobs.remove(job)  # no thread could be started: nobody may run it after it has failed
                raise
        return job

    def take_back(self, job: Job) -> bool:
        """Take a job back that no thread has begun; return whether there was still time."""
        with self._wake:
            if job.stage != "waiting":
                return False
            self._jobs.remove(job)
            job.stage = "over"
            return True

    def _allowed(self) -> int:
        return self.size + min(self.abandoned, self.spare)

    def _grow_or_wake(self) -> None:
        if self._idle < len(self._jobs) and self.threads < self._allowed():
            threading.Thread(target=self._work, name="asyncflow-body", daemon=True).start()
            self.threads += 1
        else:
            self._wake.notify()

    def _leave(self, job: Job) -> bool:
        """Give a job up; return whether a thread is left behind with it, which is replaced."""
        with self._wake:
            if job.stage == "waiting":
                self._jobs.remove(job)
            if job.stage != "running":
                return False
            job.left = True
            self.abandoned += 1
            with suppress(RuntimeError):  # no thread can be started now; that must not hide the cancellation
                self._grow_or_wake()
            return True

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            job.run()
            with self._wake:
                job.stage = "over"
                if job.left:
                    self.abandoned -= 1
                    job.tell_back(self.abandoned)
            del job  # with its arguments and its value, which must not outlive the body in an idle thread

    def _next_job(self) -> Job | None:
        """Wait for a job; return None when the thread is one too many, or had nothing to do for long."""
        with self._wake:
            self._idle += 1
            needed = self.threads <= self._allowed() and self._wake.wait_for(self._jobs.__len__, self.linger)
            self._idle -= 1
            if not needed:
                self.threads -= 1
                return None
            job = self._jobs.popleft()
            job.stage = "running"
            return job
