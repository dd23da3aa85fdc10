"""A thread that works in lockstep: whoever gives it a job waits until the job is done.

So bodies of a simulated world run in a thread, as in reality, and yet one thing happens at a time. One thread
serves all simulations of the process, one job after the other; what bodies keep in a `threading.local` stays
in it, as in the pools of the real world.
"""

from __future__ import annotations

import os
import threading
from _thread import allocate_lock
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from asyncflow.places import frame_of
from asyncflow.sim.entropy import inside


class Worker:
    """A daemon thread with one job at a time.

    Attributes:
        lost: whether a job did not return in time; the thread ends with it and must not be used again.
    """

    def __init__(self) -> None:
        self.lost = False
        self._job: Callable[[], None] | None = None
        self._go = allocate_lock()  # two bare locks: a condition would double the time of a hand-over
        self._done = allocate_lock()
        self._go.acquire()
        self._done.acquire()
        thread = threading.Thread(target=self._work, name="asyncflow-body", daemon=True)
        with inside.stepped_out():
            thread.start()
        self._ident: int = thread.ident  # type: ignore[assignment]  # it has been started

    def did(self, job: Callable[[], None], bound: float) -> bool:
        """Run a job inside the simulated world and wait for its end.

        Args:
            job: raises nothing.
            bound: real seconds to wait at most; -1 waits for ever.

        Returns:
            Whether the job has ended. If not, the thread is lost with it.
        """
        self._job = job
        done = False
        inside.admit(self._ident)
        try:
            self._go.release()
            done = self._done.acquire(timeout=bound)
        finally:  # Ctrl-C may end the waiting
            inside.dismiss(self._ident)
            if not done:
                self.lost = True
                with suppress(RuntimeError):  # the thread has not even begun
                    self._go.release()
        return done

    def frame(self) -> FrameType | None:
        """Return what the thread is executing at this moment."""
        return frame_of(self._ident)

    def _work(self) -> None:
        while True:
            self._go.acquire()
            job, self._job = self._job, None
            if self.lost or job is None:
                return
            job()
            del job  # with its arguments and its value, which must not outlive the body in an idle thread
            self._done.release()


_parked: list[Worker] = []


def borrowed() -> Worker:
    """Return a worker that has nothing to do; `give_back` it."""
    return _parked.pop() if _parked else Worker()


def give_back(worker: Worker) -> None:
    """Park a worker for the next job, unless it is lost."""
    if not worker.lost:
        _parked.append(worker)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_parked.clear)  # threads are not copied
