"""Where task runs ask for slots and wait for them; who gets them is decided in `policy.slots`."""

from __future__ import annotations

import asyncio
from threading import Lock
from typing import Any

from asyncflow.ambient import World
from asyncflow.flow import Flow
from asyncflow.policy.slots import Demand, Limit, Request, Slots
from asyncflow.task import Task


class RunLimits:
    """The limits under which the task runs of one flow run are.

    Args:
        flow: whose own limits hold for this run alone.
        world: where the limits of resources are shared.

    Attributes:
        are_own: whether the flow has limits of its own, so that every call has to be looked at.
    """

    __slots__ = ("_all", "_open", "_tags", "_world", "are_own")

    def __init__(self, flow: Flow[..., Any], world: World) -> None:
        self._world = world
        self._all = None if flow.max_running is None else Limit(f"flow {flow.name!r}", flow.max_running)
        self._tags = {
            tag: Limit(f"tag {tag!r}", limit) if isinstance(limit, int) else limit.limit(world)
            for tag, limit in flow.limits.items()
        }
        self._open: dict[Request, None] = {}
        self.are_own = self._all is not None or bool(self._tags)

    def demand(self, task: Task[..., Any]) -> Demand:
        """Return the slots that an attempt of a task takes.

        Raises:
            InvalidPolicy: when a resource's name is in use with another capacity.
        """
        slots = {resource.limit(self._world): wanted for resource, wanted in task.uses}
        for tag in task.tags:
            if tag in self._tags:
                slots.setdefault(self._tags[tag], 1)
        if self._all is not None:
            slots[self._all] = 1
        return tuple(slots.items())

    def ask(self, demand: Demand) -> tuple[Request, asyncio.Future[None] | None]:
        """Return a request, and what to wait for until it is granted: None when it is."""
        request, future = _desk_of(self._world).ask(demand)
        self._open[request] = None
        return request, future

    def give_back(self, request: Request) -> None:
        """Give the slots of a request back, or withdraw it."""
        self._open.pop(request, None)
        _desk_of(self._world).give_back(request)

    def abandon(self) -> None:
        """Give back what task runs have that will never take another step."""
        while self._open:
            self.give_back(self._open.popitem()[0])


class Desk:
    """The one place in a world where slots are asked for and given back; runs on several loops share it."""

    def __init__(self) -> None:
        self._slots = Slots()
        self._lock = Lock()
        self._waiting: dict[Request, asyncio.Future[None]] = {}

    def ask(self, demand: Demand) -> tuple[Request, asyncio.Future[None] | None]:
        """Return a request, and what to wait for on the running loop until it is granted."""
        with self._lock:
            request = self._slots.ask(demand)
            if request.is_granted:
                return request, None
            self._waiting[request] = future = asyncio.get_running_loop().create_future()
            return request, future

    def give_back(self, request: Request) -> None:
        """Give the slots of a request back, or withdraw it, and wake those that have theirs now."""
        returned = [request]
        while returned:
            with self._lock:
                over = returned.pop()
                self._waiting.pop(over, None)
                granted = [(each, self._waiting.pop(each)) for each in self._slots.give_back(over)]
            returned += [each for each, future in granted if not _woken(future)]

    def forked(self) -> None:
        """Begin afresh in a child process, where neither those who wait are nor who held the lock."""
        self.__init__()  # type: ignore[misc]


def _desk_of(world: World) -> Desk:
    return world.shared("slots", "", None, Desk)


def _woken(future: asyncio.Future[None]) -> bool:
    """Tell a future that its time has come; False when its loop was closed and nobody waits any more."""
    loop = future.get_loop()
    if loop is _running_loop():
        _wake(future)
        return True
    try:
        loop.call_soon_threadsafe(_wake, future)
    except RuntimeError:
        return False
    return True


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
