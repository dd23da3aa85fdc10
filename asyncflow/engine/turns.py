"""One at a time for the same thing: who comes second waits until the first has left."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from weakref import WeakKeyDictionary

from asyncflow import ambient

_Queues = dict[Hashable, deque[asyncio.Future[None]]]


class Turns:
    """Who is at which place, and who waits there, in the order in which they came.

    Each event loop has its own queues: loops in other threads, and other processes, are not waited for.
    """

    def __init__(self) -> None:
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queues] = WeakKeyDictionary()

    async def take(self, place: Hashable) -> bool:
        """Return when it is the caller's turn, and whether it had to wait; `leave` has to follow.

        A caller that is cancelled meanwhile leaves the queue, and the others keep their places.
        """
        loop = asyncio.get_running_loop()
        queues = self._loops.setdefault(loop, {})
        queue = queues.get(place)
        if queue is None:
            queues[place] = deque()
            return False
        turn: asyncio.Future[None] = loop.create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.leave(place)  # its turn had come in the same instant
            elif turn in queue:
                queue.remove(turn)
            raise
        return True

    def leave(self, place: Hashable) -> None:
        """Let the next one have its turn."""
        queues = self._loops[asyncio.get_running_loop()]
        queue = queues[place]
        while queue:
            turn = queue.popleft()
            if not turn.cancelled():  # one may be cancelled that has not left the queue yet
                turn.set_result(None)
                return
        del queues[place]


def turns_of(world: ambient.World) -> Turns:
    """Return the turns at computing results in a world."""
    return world.shared("turns", "cache", None, Turns)
