"""A server with a fixed capacity, and a crowd of clients that call it under a policy, in virtual time.

The crowd is open: calls arrive at random (Poisson), however the ones before fare. The server works through
its queue and never learns that a client has given up, so it spends its time on answers nobody waits for.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any

from asyncflow import Policy
from asyncflow.sim import Simulation


class Overloaded(Exception):
    """The server's queue is full."""


@dataclass(frozen=True)
class Serving:
    """How a server treats its queue.

    Attributes:
        bound: how many requests may wait; the others are refused. None for any number.
        newest_first: whether the newest request is taken first, and not the oldest.
        drops_expired: whether a request whose client has given up by the deadline it sent is thrown away.
        workers: how many requests are worked on at once.
        seconds: how long one takes, give or take a fifth.
    """

    bound: int | None = None
    newest_first: bool = False
    drops_expired: bool = False
    workers: int = 30
    seconds: float = 0.1


@dataclass(frozen=True)
class Trigger:
    """What goes wrong, and passes: for a time the server has a part of its workers only."""

    name: str
    share: float
    start: float = 10.0
    end: float = 20.0


class Server:
    """A queue and its workers; `begin` and `end` of a trigger change how many there are."""

    def __init__(self, serving: Serving, random: Random) -> None:
        self._serving = serving
        self._random = random
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._workers = serving.workers
        self._busy = 0

    async def ask(self, expires: float) -> None:
        """Wait for an answer.

        Args:
            expires: when the client gives up, in the loop's time.

        Raises:
            Overloaded: when no more requests may wait.
        """
        if self._serving.bound is not None and len(self._queue) >= self._serving.bound:
            await asyncio.sleep(0.005)
            raise Overloaded
        answer: asyncio.Future[None] = self._loop.create_future()
        self._queue.append((expires, answer))
        self._take()
        await answer

    def have(self, share: float) -> None:
        """Go on with a share of the workers; whoever is busy finishes first."""
        self._workers = int(self._serving.workers * share)
        self._take()

    def _take(self) -> None:
        while self._queue and self._busy < self._workers:
            expires, answer = self._queue.pop() if self._serving.newest_first else self._queue.popleft()
            if self._serving.drops_expired and self._loop.time() >= expires:
                continue
            self._busy += 1
            seconds = self._serving.seconds * self._random.uniform(0.8, 1.2)
            self._loop.call_later(seconds, self._answer, answer)

    def _answer(self, answer: asyncio.Future[None]) -> None:
        self._busy -= 1
        if not answer.done():
            answer.set_result(None)
        self._take()


@dataclass(frozen=True)
class Counted:
    """What was counted in each second of a run: calls that arrived, requests sent, calls that succeeded."""

    arrived: Counter[int]
    sent: Counter[int]
    succeeded: Counter[int]

    def a_second(self, what: Counter[int], start: int, end: int) -> float:
        """Return how many of them there were in a second, from one second of the run to another."""
        return sum(what[second] for second in range(start, end)) / (end - start)


def crowd(
    policy: Policy, serving: Serving, trigger: Trigger, *, rate: float, seconds: int, seed: int = 1
) -> Counted:
    """Let a crowd call a server for a time, and return what was counted.

    Args:
        policy: what every call is made under, with a timeout.
        serving: how the server treats its queue.
        trigger: what goes wrong.
        rate: how many calls arrive in a second.
        seconds: for how long.
        seed: decides arrivals, service times and the policy's chance.
    """
    return Simulation(seed).run(_crowd(policy, serving, trigger, rate, seconds, Random(seed)))


async def _crowd(
    policy: Policy, serving: Serving, trigger: Trigger, rate: float, seconds: int, random: Random
) -> Counted:
    counted = Counted(Counter(), Counter(), Counter())
    loop = asyncio.get_running_loop()
    server, began = Server(serving, random), loop.time()
    loop.call_at(began + trigger.start, server.have, trigger.share)
    loop.call_at(began + trigger.end, server.have, 1.0)
    patience = float(policy.timeout)  # type: ignore[arg-type]  # a Policy has made seconds of it

    async def ask() -> None:
        now = loop.time()
        counted.sent[int(now - began)] += 1
        await server.ask(now + patience)

    async def client() -> None:
        try:
            await policy.call(ask)
        except Exception:  # noqa: BLE001 - a call that failed is what is not counted
            return
        counted.succeeded[int(loop.time() - began)] += 1

    async with _Crowd() as clients:
        arrival = random.expovariate(rate)
        while arrival < seconds:
            await asyncio.sleep(began + arrival - loop.time())
            counted.arrived[int(arrival)] += 1
            clients.start(client())
            arrival += random.expovariate(rate)
    return counted


class _Crowd:
    """Clients on their way; those that are left in the end are sent home."""

    def __init__(self) -> None:
        self._clients: set[asyncio.Task[None]] = set()

    def start(self, client: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(client)
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def __aenter__(self) -> _Crowd:
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in list(self._clients):
            client.cancel()
        if self._clients:
            await asyncio.wait(self._clients)
