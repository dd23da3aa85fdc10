"""A service with a fixed number of workers and a queue, which the examples about storms call."""

from __future__ import annotations

import asyncio
from collections import deque


class Service:
    """Answers requests in the order in which they came, a few at a time.

    It never learns that a client has given up: what is in the queue is worked on, whoever still waits for it.

    Args:
        workers: how many requests are worked on at once.
        seconds: how long each of them takes.
        room: how many more may wait; the others are refused. None for any number.
    """

    def __init__(self, workers: int, seconds: float, room: int | None = None) -> None:
        self._workers = workers
        self._seconds = seconds
        self._room = room
        self._queue: deque[asyncio.Future[None]] = deque()
        self._busy = 0

    async def ask(self) -> None:
        """Wait for an answer.

        Raises:
            ConnectionRefusedError: when there is no room to wait in.
        """
        if self._room is not None and len(self._queue) >= self._room:
            raise ConnectionRefusedError(f"the queue of {self._room} is full")
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(answer)
        self._work()
        await answer

    def employ(self, workers: int) -> None:
        """Go on with so many workers; those who are busy finish first."""
        self._workers = workers
        self._work()

    def _work(self) -> None:
        while self._queue and self._busy < self._workers:
            self._busy += 1
            asyncio.get_running_loop().call_later(self._seconds, self._answer, self._queue.popleft())

    def _answer(self, answer: asyncio.Future[None]) -> None:
        self._busy -= 1
        if not answer.done():
            answer.set_result(None)
        self._work()
