"""Which threads are inside the simulated world that is going on, and what it gives them.

Everything that is replaced in the process asks here first. The loop's thread is inside, and a thread while it
runs a body for the loop. All others, such as a test runner's timer, keep real time, real chance and their
sockets. So does everybody once the world has ended: a replacement that somebody kept acts as the real thing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from threading import get_ident

from asyncflow.errors import UsageError
from asyncflow.sim.clock import Clock


@dataclass(frozen=True, slots=True)
class Inside:
    """What a simulated world gives in the place of the process's own sources.

    Attributes:
        clock: what every clock shows.
        sleep: what `time.sleep` does, with a length in seconds.
        octets: where the bytes of the operating system come from.
        seeds: what generators draw their seed from when they are given none.
    """

    clock: Clock
    sleep: Callable[[float], None]
    octets: Random
    seeds: Random


_threads: set[int] = set()
_going: Inside | None = None
_claim = threading.Lock()


def here() -> Inside | None:
    """Return what the simulated world gives to the calling thread, or None when that is not inside one."""
    return _going if get_ident() in _threads else None


@contextmanager
def going(what: Inside) -> Iterator[None]:
    """Put the calling thread into a simulated world inside the `with` block.

    Raises:
        UsageError: when another one is going on, in this thread or in any other.
    """
    global _going
    if not _claim.acquire(blocking=False):
        raise UsageError(
            "a simulation is going on in this process already, and there is one simulated world at a time; "
            "run them one after the other, or in processes of their own"
        )
    try:
        _going = what
        _threads.add(get_ident())
        yield
    finally:
        _threads.clear()
        _going = None
        _claim.release()


def admit(thread: int) -> None:
    """Let a thread in, by its number, while it works for the loop's."""
    _threads.add(thread)


def dismiss(thread: int) -> None:
    """Send a thread out again, whatever it is doing."""
    _threads.discard(thread)


@contextmanager
def stepped_out() -> Iterator[None]:
    """Act as an outsider inside the `with` block, for what the simulation itself needs of the real world."""
    me = get_ident()
    was_inside = me in _threads
    _threads.discard(me)
    try:
        yield
    finally:
        if was_inside:
            _threads.add(me)


def _forked() -> None:
    """Leave behind, in a child process, a world that goes on in threads which a fork does not copy."""
    global _claim, _going
    if get_ident() not in _threads:
        _threads.clear()
        _going = None
        _claim = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
