"""Finds out that the loop's thread is really blocked: no callback has ended for a number of real seconds.

One daemon thread serves all simulations of the process. It ends by itself when nothing has been simulated for
a while. What it finds it records with the stack, and if the loop runs in the main thread it interrupts it.

The interruption is a signal of its own, since Ctrl-C has other meanings: asyncio cancels the main task at the
first one, and a program may have a handler. SIGURG is ignored where nobody handles it. On Windows nothing
interrupts a wait for a lock; the interruption comes when the wait is over.

Code that takes a lock without a `with` block would keep it for ever if it were interrupted just then, and
everybody else would wait. A measurement of coverage and `logging` do so; they are let out first.
"""

from __future__ import annotations

import os
import signal
import threading
import traceback
from _thread import interrupt_main
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from asyncflow.errors import Escaped
from asyncflow.places import frame_of
from asyncflow.sim.border.debuggers import is_debugged
from asyncflow.sim.border.escapes import Escapes
from asyncflow.sim.entropy import inside

_LOOKS = 4
"""Looks without progress before a thread counts as blocked. Looks are counted, not seconds: a process that
was stopped, or a machine that was asleep, has not been looked at meanwhile."""

_IDLE_LOOKS = 60

_LOCKED_BY_HAND = ("coverage", "logging")
"""Packages that take locks without a `with` block."""

_MERCIES = 20
"""So often such a package is let out before it counts as what blocks."""

_SIGNAL: signal.Signals = getattr(signal, "SIGURG" if hasattr(signal, "SIGURG") else "SIGBREAK")

_WAY_OUT = "await instead of waiting, so that the loop can go on; put long computations into a `def` body"


class Interrupted(KeyboardInterrupt):
    """Raised in the blocked code; asyncio lets nothing else but its base through to whoever runs the loop."""


class _Watch:
    """One simulation that is watched."""

    def __init__(self, escapes: Escapes, progress: Callable[[], object], bound: float) -> None:
        self.thread = threading.get_ident()
        self.progress = progress
        self.pause = bound / _LOOKS
        self.found: Escaped | None = None
        self._escapes = escapes
        self._bound = bound
        self._mark = progress()
        self._looks = 0
        self._mercies = _MERCIES

    def is_blocked(self) -> bool:
        """Look once more."""
        mark = self.progress()
        self._looks = self._looks + 1 if mark == self._mark else 0
        self._mark = mark
        return self._looks >= _LOOKS

    def bark(self) -> None:
        """Record where the thread is, the first time, and interrupt it."""
        if self.found is None:
            frame = frame_of(self.thread)
            what = f"code that has kept the event loop from going on for {self._bound:g} real seconds"
            self.found = self._escapes.recorded(what, _WAY_OUT, frame)
            self.found.add_note(
                "".join(["The loop's thread was here:\n", *traceback.format_stack(frame)]).rstrip()
            )
        if self.thread == threading.main_thread().ident:
            _interrupt(self.thread)

    def interrupted(self, _number: int, frame: FrameType | None) -> None:
        """Handle the signal; it may come late, when the code has gone on by itself, or at a bad moment."""
        if _guard.watched is not self or self.progress() != self._mark:
            return
        if self._mercies and _may_hold_a_lock(frame):
            self._mercies -= 1  # the next look sends another signal
            return
        self._looks = 0
        raise Interrupted


class _Guard:
    """The thread that looks, and what it looks at.

    Attributes:
        watched: the simulation that is going on.
    """

    def __init__(self) -> None:
        self.watched: _Watch | None = None
        self._changed = threading.Condition()
        self._is_alive = False
        self._pause = 0.0

    def arm(self, watch: _Watch) -> None:
        with self._changed:
            self.watched = watch
            if not self._is_alive:
                self._is_alive = True
                with inside.stepped_out():
                    threading.Thread(target=self._work, name="asyncflow-watchdog", daemon=True).start()
            elif watch.pause < self._pause:
                self._changed.notify()

    def disarm(self) -> None:
        self.watched = None

    def forked(self) -> None:
        """Begin afresh in a child process, to which threads are not copied."""
        self.__init__()  # type: ignore[misc]

    def _work(self) -> None:
        idle = 0
        with self._changed:
            while idle < _IDLE_LOOKS:
                watch = self.watched
                self._pause = watch.pause if watch else self._pause
                self._changed.wait(self._pause)
                idle = 0 if watch else idle + 1
                if watch is not None and watch is self.watched and watch.is_blocked():
                    watch.bark()
            self._is_alive = False


_guard = _Guard()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_guard.forked)


@contextmanager
def watching(escapes: Escapes, progress: Callable[[], object], *, bound: float) -> Iterator[None]:
    """Watch the calling thread, which runs the loop inside the `with` block; a debugger switches that off.

    Args:
        escapes: told of code that blocks.
        progress: returns something else after each callback; called in another thread.
        bound: real seconds without progress that are too many. It takes up to a quarter more to find out.

    Raises:
        Escaped: when blocking code has been interrupted.
    """
    if is_debugged():
        yield
        return
    watch = _Watch(escapes, progress, bound)
    try:
        with _handled(watch):
            _guard.arm(watch)
            try:
                yield
            finally:
                _guard.disarm()
    except Interrupted:
        if watch.found is None:
            raise
        raise watch.found from None


@contextmanager
def _handled(watch: _Watch) -> Iterator[None]:
    """Handle the signal, which only the main thread can."""
    before = signal.getsignal(_SIGNAL)
    if before is None or threading.get_ident() != threading.main_thread().ident:
        yield
        return
    signal.signal(_SIGNAL, watch.interrupted)
    try:
        yield
    finally:
        signal.signal(_SIGNAL, before)


def _may_hold_a_lock(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _LOCKED_BY_HAND


def _interrupt(thread: int) -> None:
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(thread, _SIGNAL)
    else:
        interrupt_main(_SIGNAL)
