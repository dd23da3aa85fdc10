"""Notices that an event loop does not turn any more: a thread, one per process, that asks it to now and then.

Some time after the last run the thread sleeps until the next one. While runs go on it wakes their loops four
times in the time after which a loop counts as blocked; a task costs nothing.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from asyncflow import ambient
from asyncflow.places import frame_of, step_of

_IDLE_LOOKS = 40
_IDLE_PAUSE = 0.25

Place = tuple[str, list[str]]
Told = Callable[[Any, float, Place], None]
"""Called on the loop, once it turns again, with the asyncio task that blocked it, the seconds, and where."""

Noticed = Callable[[Any, float, Place], None]
"""Called at once, in the watchdog's thread, with the same."""


class _Watched:
    """One event loop on which runs are going on."""

    def __init__(self, loop: asyncio.AbstractEventLoop, after: float, told: Told, noticed: Noticed) -> None:
        self.runs = 0
        self.after = after
        self._loop = loop
        self._thread = threading.get_ident()
        self._told = told
        self._noticed = noticed
        self._clock = ambient.process_world().monotonic
        self._asked: float | None = self._clock()  # the first answer comes in the turn after this one
        loop.call_soon(self.answer)
        self._found: tuple[asyncio.Task[Any], Place] | None = None

    def look(self) -> None:
        """Ask the loop to answer, or see whether it has taken too long over it; in the watchdog's thread."""
        if self._asked is None:
            self._asked = self._clock()
            self._loop.call_soon_threadsafe(self.answer)
        elif self._found is None and self._clock() - self._asked >= self.after:
            self._find()

    def _find(self) -> None:
        """Take note of what the loop is doing; an idle one is only short of processor time."""
        place = step_of(frame_of(self._thread))
        task = asyncio.current_task(self._loop)
        asked = self._asked
        if task is None or asked is None:
            return
        self._found = (task, place)
        self._noticed(task, self._clock() - asked, place)

    def answer(self) -> None:
        """Hear of the loop again; on the loop."""
        asked, found = self._asked, self._found
        self._asked = self._found = None
        if asked is not None and found is not None:
            self._told(found[0], self._clock() - asked, found[1])


class Watchdog:
    """Watches the event loops on which runs are going on; get it from `of_process`.

    Args:
        noticed: told at once of each loop that is blocked, in the watchdog's own thread.
    """

    def __init__(self, noticed: Noticed) -> None:
        self._noticed = noticed
        self._watched: dict[asyncio.AbstractEventLoop, _Watched] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_asleep = False

    def watch(self, after: float, told: Told) -> None:
        """Watch the running loop until `unwatch` was called as often.

        Args:
            after: seconds after which it counts as blocked; 0 switches the watch off.
            told: told of each time that it was blocked, when it turns again.
        """
        loop = asyncio.get_running_loop()
        with self._changed:
            watched = self._watched.get(loop)
            if watched is None:
                watched = self._watched[loop] = _Watched(loop, after, told, self._noticed)
            watched.runs += 1
            if after and self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="asyncflow-blocked-loops", daemon=True
                )
                self._thread.start()
            elif self._is_asleep:
                self._changed.notify()

    def unwatch(self) -> None:
        """Let go of the running loop, unless other runs are going on there; what was found is told before."""
        loop = asyncio.get_running_loop()
        watched = self._watched.get(loop)
        if watched is None:
            return
        watched.answer()
        with self._changed:
            watched.runs -= 1
            if not watched.runs:
                del self._watched[loop]

    def forked(self) -> None:
        """Begin afresh in a child process, to which the thread is not copied, and the lock as it was."""
        self.__init__(self._noticed)  # type: ignore[misc]

    def _work(self) -> None:
        idle = 0
        while True:
            with self._changed:
                # For good only when nothing was watched for a while: to wake it costs a short run more than
                # all the rest.
                pauses = [watched.after / 4 for watched in self._watched.values() if watched.after]
                idle = 0 if pauses else idle + 1
                self._is_asleep = idle > _IDLE_LOOKS
                self._changed.wait(None if self._is_asleep else min(pauses, default=_IDLE_PAUSE))
                self._is_asleep = False
                looked_at = [watched for watched in self._watched.values() if watched.after]
            for watched in looked_at:
                try:
                    watched.look()
                except RuntimeError:  # the loop was closed while a run of it was going on
                    continue
            del looked_at
