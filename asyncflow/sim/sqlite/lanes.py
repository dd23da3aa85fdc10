"""aiosqlite without its threads: each connection is a lane on the loop, and its operations go one by one.

aiosqlite gives a connection a thread and talks to it through a queue of (future, function). Both classes are
looked up in `aiosqlite.core` when a connection is made, so a lane takes the place of the queue, and `Hands`,
which have nothing to do, that of the thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from asyncflow.sim.sqlite.calls import is_stop, read_call, repeatable
from asyncflow.sim.sqlite.operations import Operation, asked_database
from asyncflow.sim.sqlite.settings import Settings

if TYPE_CHECKING:
    from asyncflow.sim.disk import Disk

_PAUSES = (0.001, 0.002, 0.005, 0.010, 0.015, 0.020, 0.025, 0.025, 0.025, 0.050, 0.050, 0.100)
"""Seconds between tries for a lock, the last one again and again: those of SQLite's own busy handler."""


class _Job:
    """A function to call, and how far that has come.

    Args:
        future: wants to know what came of it; None when nobody does.
        function: what to call.
    """

    __slots__ = ("call", "function", "future", "operation", "tries", "waited")

    def __init__(self, future: asyncio.Future[Any] | None, function: Callable[[], Any]) -> None:
        self.future = future
        self.function = repeatable(function)
        self.call = read_call(function)
        self.operation: Operation | None = None
        self.tries = 0
        self.waited = 0.0

    def pause(self, limit: float) -> float:
        """Return the seconds until the next try, within the seconds that there are to wait at most."""
        pause = min(_PAUSES[min(self.tries, len(_PAUSES) - 1)], limit - self.waited)
        self.tries += 1
        self.waited += pause
        return pause

    def answer(self, value: Any, error: BaseException | None) -> None:
        """Tell whoever waits; a wait that was cancelled, or ended with its loop, needs no answer."""
        future = self.future
        if future is None or future.done() or future.get_loop().is_closed():
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)


class Lane:
    """Calls what aiosqlite wants to have called on the loop, one after the other, each at its virtual time.

    Where there is no loop, or the world has ended, it calls at once whatever it still has.

    Args:
        disk: the disk of the world that the connection belongs to.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._jobs: deque[_Job] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._connection: sqlite3.Connection | None = None
        self._settings: Settings | None = None
        self._number = 0
        self._database = "?"
        self._has_lock = False

    def put_nowait(self, item: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        """Take a function to call and the future of its result, as a queue does."""
        self._jobs.append(_Job(*item))
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.finish()
            return
        if not self._disk.is_inline:
            self.finish()
        elif self._timer is None:
            self._arm(self._latency())

    def finish(self) -> None:
        """Call at once what still waits for its time."""
        if self._timer is not None:
            self._timer.cancel()
        while self._jobs:
            self._try(self._jobs.popleft(), may_wait=False)
        self._rest()

    def forget(self) -> None:
        """Drop what still waits for its time: it never comes."""
        self._jobs.clear()
        self.finish()

    def _latency(self) -> float:
        return 0.0 if self._is_over(self._jobs[0]) else self._disk.latency

    def _is_over(self, job: _Job) -> bool:
        """Whether it only stops what is closed, or was never open: nothing that a disk would notice."""
        return self._connection is None and is_stop(job.function)

    def _arm(self, delay: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(delay, self._due)
        self._disk.at_work[self] = None

    def _rest(self) -> None:
        self._timer = None
        self._disk.at_work.pop(self, None)

    def _due(self) -> None:
        pause = self._try(self._jobs[0], may_wait=True)
        if pause:
            self._arm(pause)
            return
        self._jobs.popleft()
        if self._jobs:
            self._arm(self._latency())
        else:
            self._rest()

    def _try(self, job: _Job, *, may_wait: bool) -> float:
        """Do a job and answer for it, or return the seconds until it is to be tried again."""
        if self._is_over(job):
            job.answer(job.function(), None)
            return 0.0
        value, error = None, None
        if job.operation is None:
            job.operation = self._operation(job)
            error = self._disk.before(job.operation)
        if error is None:
            value, error = self._perform(job)
            pause = self._pause(job, error) if may_wait else 0.0
            if pause:
                return pause
            error = error or self._disk.after(job.operation)
        if error is None:
            self._disk.tell(job.operation)
        else:
            self._disk.tell(job.operation, _name(error))
        job.answer(value, error)
        return 0.0

    def _operation(self, job: _Job) -> Operation:
        if job.call.kind == "open":
            self._number = self._disk.number_connection()
            self._database = asked_database(job.function)
        return self._disk.operation(job.call, self._database, self._number)

    def _perform(self, job: _Job) -> tuple[Any, BaseException | None]:
        value, failure = None, None
        try:
            value = self._open(job) if job.call.kind == "open" else self._ask(job)
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            failure = error
        self._note_locks(job, failure)
        return value, failure

    def _open(self, job: _Job) -> sqlite3.Connection:
        self._connection, self._settings = self._disk.open(job.function)
        return self._connection

    def _ask(self, job: _Job) -> Any:
        settings = job.call.settings
        with self._settings.in_force(settings) if self._settings and settings else nullcontext():
            value = job.function()
        if job.call.kind == "close" and self._connection is not None:
            # One that was made for somebody who no longer waited for it is known to nobody but this lane.
            self._connection.close()
            self._connection = None
        return value

    def _note_locks(self, job: _Job, failure: BaseException | None) -> None:
        if not _in_transaction(self._connection):
            self._has_lock = False
        elif failure is None and job.call.kind in ("read", "write"):
            self._has_lock = True

    def _pause(self, job: _Job, error: BaseException | None) -> float:
        """Return the seconds that SQLite would sleep before it tries again; 0 where it would not try."""
        if error is None or self._settings is None or not _is_busy(error):
            return 0.0
        if self._has_lock and job.call.kind != "commit":
            return 0.0  # whoever it would wait for may be waiting for that lock
        pause = job.pause(self._settings.wait)
        if pause and job.tries == 1 and job.operation is not None:
            self._disk.tell(job.operation, "waits")
        return pause


class Hands:
    """Takes the place of a connection's thread, and has nothing to do: the lane does it."""

    def __init__(self, **_settings: Any) -> None:
        self._is_started = False

    def start(self) -> None:
        """Begin, once, as a thread does."""
        if self._is_started:
            raise RuntimeError("threads can only be started once")
        self._is_started = True

    def is_alive(self) -> bool:
        """Whether there is a thread: there is none."""
        return False

    def join(self, timeout: float | None = None) -> None:
        """Wait for nothing."""


def _in_transaction(connection: sqlite3.Connection | None) -> bool:
    try:
        return connection is not None and connection.in_transaction
    except sqlite3.ProgrammingError:  # somebody closed it from outside
        return False


def _is_busy(error: BaseException) -> bool:
    name = getattr(error, "sqlite_errorname", None) or ""
    return name.startswith("SQLITE_BUSY") and name != "SQLITE_BUSY_SNAPSHOT"


def _name(error: BaseException) -> str:
    return getattr(error, "sqlite_errorname", None) or type(error).__name__
