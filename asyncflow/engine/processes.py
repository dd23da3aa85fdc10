"""Where `process=True` bodies run: one fresh process per attempt, which is really ended with the attempt.

A thread of ours waits for each process, since that works on every event loop and every system. An attempt
that is cancelled is over when its process is: it is asked to end, and killed if it does not.
"""

from __future__ import annotations

import asyncio
import atexit
import io
import marshal
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from asyncflow.engine.spawning import Spawned
from asyncflow.engine.threads import ThreadPool
from asyncflow.errors import ProcessDied
from asyncflow.travel import MAIN, Errand, address_of, packed, stand_in

GRACE = 2.0
"""Seconds between asking a process to end and killing it, and after that until it is given up for lost."""

_SIZE = 8
_Outcome = tuple[Any, BaseException | None]

_alive: dict[int, Spawned] = {}
"""The processes that are running, by their numbers: they are killed when the interpreter ends."""


class Processes:
    """Runs bodies in processes, a bounded number at once.

    Args:
        size: the most processes at a time; one per processor when not given.
    """

    def __init__(self, size: int | None = None) -> None:
        self._threads = ThreadPool(size or os.cpu_count() or 1, 0)

    async def run(self, errand: Errand, beat: Callable[[Any], None]) -> _Outcome:
        """Run a body and return its value and its error, one of which is None.

        Args:
            errand: what to call.
            beat: told of each heartbeat's detail, in another thread.

        Raises:
            CancelledError: when the caller was cancelled. The process has ended then.
        """
        context = copy_context()  # a beat comes from the reader's thread, and counts for this attempt
        child = _Child(errand, lambda detail: context.run(beat, detail))
        job = self._threads.submit(child.play)
        try:
            await asyncio.wait((job.future,))
        except asyncio.CancelledError:
            if not self._threads.take_back(job):
                await _ended(child, job.future)
            raise
        outcome, broken = job.future.result()
        return outcome if broken is None else (None, broken)


async def _ended(child: _Child, over: asyncio.Future[Any]) -> None:
    """Return when a process that is not wanted any more has ended; another cancellation ends its grace."""
    child.stop(at_once=False)
    try:
        await asyncio.wait((over,), timeout=GRACE)
    finally:
        if not over.done():
            child.stop(at_once=True)
            await asyncio.wait((over,), timeout=GRACE)


class _Child:
    """One process from its start to its end; `play` runs in a thread, `stop` comes from the loop."""

    def __init__(self, errand: Errand, beat: Callable[[Any], None]) -> None:
        self._errand = errand
        self._beat = beat
        self._lock = threading.Lock()
        self._spawned: Spawned | None = None
        self._unwanted = False
        self._answer: tuple[Any, ...] | None = None

    def play(self) -> _Outcome:
        """Start the process, wait for its end, and return what it came to."""
        name = self._errand.about["name"]
        try:
            request = _request(self._errand)
            spawned = self._start()
        except Exception as error:  # noqa: BLE001 - an outcome comes back, never an exception
            return None, error
        try:
            reader = threading.Thread(
                target=self._read, args=(spawned,), name="asyncflow-answers", daemon=True
            )
            reader.start()
            spawned.tell(request)
            code = spawned.wait()
            reader.join(GRACE)  # at once, unless somebody out of our reach holds the pipe open
        finally:
            del _alive[spawned.pid]
            spawned.close()
        return self._outcome(name, code)

    def stop(self, *, at_once: bool) -> None:
        """End the process, if there is one, or keep it from starting."""
        with self._lock:
            self._unwanted = True
            if self._spawned is not None:
                self._spawned.stop(at_once=at_once)

    def _start(self) -> Spawned:
        with self._lock:
            if self._unwanted:
                raise ProcessDied("the attempt was over before its process had started")
            self._spawned = spawned = Spawned()
            _alive[spawned.pid] = spawned
            return spawned

    def _read(self, spawned: Spawned) -> None:
        """Take messages until there are no more."""
        while len(size := spawned.answers.read(_SIZE)) == _SIZE:
            data = spawned.answers.read(int.from_bytes(size, "big"))
            message = pickle.loads(data)
            if message[0] == "beat":
                self._beat(_unpacked(message[1]))
            else:
                self._answer = message

    def _outcome(self, name: str, code: int) -> _Outcome:
        match self._answer:
            case ("returned", blob):
                try:
                    return _unpacked(blob), None
                except Exception as why:  # noqa: BLE001 - unpickling calls the user's code
                    return None, stand_in(f"the result of task {name!r} was lost", why)
            case ("raised", blob, text, told):
                return None, _error(blob, text, told)
            case _:
                return None, ProcessDied(f"the process of task {name!r} died without a result: {_said(code)}")


class _Traceback(Exception):
    """The traceback of an exception that was raised in another process, as text."""

    def __str__(self) -> str:
        return f"\n\n{self.args[0]}"


def _error(blob: bytes, text: str, told: str) -> BaseException:
    """Return the exception of a body, whose traceback is its cause."""
    error: BaseException
    try:
        found = _unpacked(blob)
        error = (
            found
            if isinstance(found, BaseException)
            else stand_in(text, TypeError("it came as no exception"))
        )
    except Exception as why:  # noqa: BLE001 - unpickling calls the user's code
        error = stand_in(text, why)
    error.__cause__ = _Traceback(told)
    return error


def _said(code: int) -> str:
    """Return what an exit code means."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"


def _request(errand: Errand) -> bytes:
    """Return all that the child is sent: where modules are, then the call."""
    name = errand.about["name"]
    arguments = packed((errand.args, errand.kwargs), f"an argument of task {name!r}")
    call = packed((address_of(errand.fn), _program(), errand.about, arguments), f"task {name!r}")
    path = marshal.dumps([entry for entry in sys.path if type(entry) is str])
    return path + len(call).to_bytes(_SIZE, "big") + call


def _program() -> tuple[str, str | None] | None:
    """Return file and package of the program's own module, if it has a file."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    return None if file is None else (os.path.abspath(file), getattr(main, "__package__", None))


class _Unpickler(pickle.Unpickler):
    """Finds here what a child knows as the program's module."""

    def find_class(self, module: str, name: str) -> Any:
        return super().find_class("__main__" if module == MAIN else module, name)


def _unpacked(blob: bytes) -> Any:
    return _Unpickler(io.BytesIO(blob)).load()


def _kill_all() -> None:
    for spawned in list(_alive.values()):
        spawned.stop(at_once=True)


atexit.register(_kill_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_alive.clear)  # a fork's end is not the end of its parent's children
