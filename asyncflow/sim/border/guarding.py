"""The border of the simulated world: real sockets, processes and threads are refused at the call.

The interpreter reports such calls to audit hooks. A hook can't be taken out again, so there is one for the
process, put in when the first simulation begins; with none going on it does one look-up in an empty table.
Other threads of the process are left alone.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial, wraps
from threading import Thread
from typing import Any

from asyncflow.sim.border import watchdog
from asyncflow.sim.border.escapes import Escapes
from asyncflow.sim.entropy import inside
from asyncflow.sim.entropy.swaps import Swap, swapped
from asyncflow.sim.threads import Threads

_NETWORK = (
    "what goes through the event loop is: asyncio's streams, aiohttp; "
    "a client of another kind needs the real world, or a function that stands in for it"
)
_PROCESS = "run this part in the real world, or replace it with a function that stands in for it"
_THREAD = "asyncio.to_thread and `def` tasks are; a timer is loop.call_later"
_WAITING = (
    "nothing else happens while this thread waits, so it would wait for ever: make the body `async def`"
)
_LOOP = "the program's own is: make the body `async def` and await instead of asyncio.run"

_RULES: Mapping[str, tuple[str, str]] = {
    "socket.connect": ("a real connection", _NETWORK),
    "socket.bind": ("a real address", _NETWORK),
    "socket.sendto": ("a real datagram", _NETWORK),
    "socket.sendmsg": ("a real message on a socket", _NETWORK),
    "socket.getaddrinfo": ("a real look-up of a name", _NETWORK),
    "socket.gethostbyname": ("a real look-up of a name", _NETWORK),
    "socket.gethostbyaddr": ("a real look-up of an address", _NETWORK),
    "socket.getnameinfo": ("a real look-up of an address", _NETWORK),
    "subprocess.Popen": ("a process", _PROCESS),
    "os.system": ("a process", _PROCESS),
    "os.fork": ("a process", _PROCESS),
    "os.forkpty": ("a process", _PROCESS),
    "os.posix_spawn": ("a process", _PROCESS),
    "os.spawn": ("a process", _PROCESS),
    "os.exec": ("a process", _PROCESS),
    "os.startfile": ("a process", _PROCESS),
    "_thread.start_new_thread": ("a thread", _THREAD),
    "_thread.start_joinable_thread": ("a thread", _THREAD),
}
"""For each audited event what it is and the way out."""

_rules: Mapping[str, tuple[str, str]] = {}
_escapes: Escapes | None = None
_is_installed = False


@contextmanager
def guarded(escapes: Escapes, threads: Threads, progress: Callable[[], object]) -> Iterator[None]:
    """Refuse what is not simulated inside the `with` block, and watch over a loop that is blocked.

    Enter it in the loop's thread, inside of `patched` and outside of the runner of the loop.

    Args:
        escapes: refuses, and remembers.
        threads: where the loop's thread waits for bodies; their bound is the one for the loop, too.
        progress: returns something else after each callback of the loop; called in another thread.

    Raises:
        Escaped: when code that blocked the loop has been interrupted.
    """
    _install()
    with _standing(escapes), swapped(_STAND_INS):
        if threads.bound is None:
            yield
            return
        # While the loop's thread waits for a body it is not blocked: the threads see to that themselves.
        marks = partial(_mark, threads, progress)
        with watchdog.watching(escapes, marks, bound=threads.bound):
            yield


def _mark(threads: Threads, progress: Callable[[], object]) -> object:
    return object() if threads.busy else progress()


def _install() -> None:
    global _is_installed
    if not _is_installed:
        _is_installed = True
        sys.addaudithook(_audit)


@contextmanager
def _standing(escapes: Escapes) -> Iterator[None]:
    global _rules, _escapes
    _escapes, _rules = escapes, _RULES
    try:
        yield
    finally:
        _rules, _escapes = {}, None


def _audit(event: str, _args: tuple[Any, ...]) -> None:
    rule = _rules.get(event)
    if rule is not None and inside.here() is not None:
        _refuse(*rule)


def _refuse(what: str, way_out: str) -> None:
    if _escapes is not None:
        _escapes.refuse(what, way_out)


def _starting(real: Callable[[Thread], None]) -> Callable[[Thread], None]:
    """Wrap `Thread.start`, which Python 3.11 does not report to audit hooks."""

    @wraps(real)
    def start(thread: Thread) -> None:
        if inside.here() is not None:
            _refuse("a thread", _THREAD)
        real(thread)

    return start


def _waiting(real: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method with which a thread waits for the loop, which in turn waits for the thread."""

    @wraps(real)
    def wait(future: Future[Any], timeout: float | None = None) -> Any:
        if timeout != 0 and not future.done() and inside.here() is not None:
            _refuse("waiting in a thread for a future that is not done", _WAITING)
        return real(future, timeout)

    return wait


def _making(real: Callable[[], asyncio.AbstractEventLoop]) -> Callable[[], asyncio.AbstractEventLoop]:
    """Wrap what `asyncio.run` makes its loop with, which in a body would wait in real time."""

    @wraps(real)
    def new_event_loop() -> asyncio.AbstractEventLoop:
        if inside.here() is not None:
            _refuse("another event loop", _LOOP)
        return real()

    return new_event_loop


_STAND_INS: list[Swap] = [
    (asyncio, "new_event_loop", _making(asyncio.new_event_loop)),
    (asyncio.events, "new_event_loop", _making(asyncio.events.new_event_loop)),
    (Thread, "start", _starting(Thread.start)),
    (Future, "result", _waiting(Future.result)),
    (Future, "exception", _waiting(Future.exception)),
]
