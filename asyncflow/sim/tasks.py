"""Tasks and futures of a simulated world: sets of them iterate in the same order in every run.

The ordinary hash is an address. `TaskGroup`, `asyncio.wait` and `as_completed` keep sets, so the order in
which they cancel and answer would differ from run to run. Here it follows from the order of making.
"""

from __future__ import annotations

import asyncio
import re
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from asyncflow.sim.private import StockLoop

_MADE_UP_NAME = re.compile(r"Task-\d+")
"""What asyncio calls a task that nobody named, by its number in this process."""

_EAGER = getattr(asyncio, "eager_task_factory", object())
"""asyncio's own eager factory, from 3.12 on."""


class SimTask(asyncio.Task[Any]):
    """A task with a number.

    Args:
        coro: what it runs.
        number: how many tasks and futures its loop made so far.
        options: those of `asyncio.Task`.
    """

    __slots__ = ("_number",)

    def __init__(self, coro: Any, number: int, **options: Any) -> None:
        self._number = number  # first: asyncio puts the task into a set before it is complete
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number


class SimFuture(asyncio.Future[Any]):
    """A future with a number, which the loop sets as soon as it is made."""

    __slots__ = ("_number",)

    _number: int

    def __hash__(self) -> int:
        return self._number


class Numbering(StockLoop):
    """The part of a loop that makes tasks and futures, and knows them in order.

    Tasks of a user's own factory keep the class that it gives them, and with it a hash that is an address;
    asyncio's eager factory (3.12 and newer) makes numbered ones.
    """

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count(1)
        self._task_numbers = count(1)
        self._strangers: WeakKeyDictionary[asyncio.Future[Any], int] = WeakKeyDictionary()
        self._asyncgens = InOrder()

    def create_future(self) -> SimFuture:
        """Return a new future of this loop."""
        future = SimFuture(loop=self)
        future._number = next(self._numbers)
        return future

    def create_task(self, coro: Any, *, name: object = None, **options: Any) -> Any:
        """Start a task, named `Task-N` for its N in this loop unless it has a name."""
        self._check_closed()
        number = next(self._numbers)
        known_as = f"Task-{next(self._task_numbers)}" if name is None else name
        if self._task_factory is None:
            return SimTask(coro, number, loop=self, name=known_as, **options)
        if self._task_factory is _EAGER:
            return SimTask(coro, number, loop=self, name=known_as, eager_start=True, **options)
        given = {key: value for key, value in options.items() if value is not None}
        task = self._task_factory(self, coro, **given)
        self._strangers[task] = number
        if isinstance(task, asyncio.Task) and (name is not None or _MADE_UP_NAME.fullmatch(task.get_name())):
            task.set_name(known_as)
        return task

    def unfinished(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that have not ended, in the order in which they were made."""
        return sorted(asyncio.all_tasks(self), key=self._number_of)

    def _number_of(self, task: asyncio.Task[Any]) -> int:
        if isinstance(task, SimTask):
            return task._number
        return self._strangers.get(task, 0)  # 0: made without the loop's help


class InOrder(WeakKeyDictionary[Any, None]):
    """A weak set that iterates in the order in which things were added, for asyncio's set of generators."""

    def add(self, item: Any) -> None:
        """Add an item at the end."""
        self[item] = None

    def discard(self, item: Any) -> None:
        """Take an item out if it is there."""
        self.pop(item, None)
