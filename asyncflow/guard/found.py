"""Where the states of a policy's parts were found last: they are not looked up for every call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncflow.ambient import World
from asyncflow.errors import UsageError
from asyncflow.guard.deadlines import AsyncioTask, DeadlineQueue, queue_for
from asyncflow.guard.running import NoLoop, to_ask
from asyncflow.policy.budget import Spending
from asyncflow.policy.bulkhead import Places
from asyncflow.policy.circuit import Circuit
from asyncflow.policy.rate_limit import Limiter
from asyncflow.policy.throttle import Throttler

if TYPE_CHECKING:
    from asyncflow.guard.plan import Plan


class Found:
    """The states in one world, for calls on one loop. It is replaced as a whole, and never changed.

    Args:
        plan: the policies whose states they are.
        home: the world; None for no states, before the first call.
        task: the asyncio task that makes a call.

    Attributes:
        world: the world.
        loop: what `running_on` is asked about.
        queue: the deadlines of calls on that loop; None without an attempt timeout.
        circuit: the breaker's, None without one.
        spending: the budget's, None without one.
        throttler: the throttle's, None without one.
        limiter: the rate limit's, None without one.
        places: the bulkhead's, None without one.

    Raises:
        InvalidPolicy: when the name of a policy is in use with other settings.
        UsageError: when there is an attempt timeout, and no asyncio task.
    """

    __slots__ = ("circuit", "limiter", "loop", "places", "queue", "spending", "throttler", "world")

    def __init__(self, plan: Plan, home: World | None = None, task: AsyncioTask | None = None) -> None:
        self.world = home
        self.loop: Any = NoLoop
        self.queue: DeadlineQueue | None = None
        self.circuit: Circuit | None = None
        self.spending: Spending | None = None
        self.throttler: Throttler | None = None
        self.limiter: Limiter | None = None
        self.places: Places | None = None
        if home is not None:
            self._look(plan, home, task)

    def is_for(self, task: AsyncioTask | None) -> bool:
        """Whether they are for calls on the loop of an asyncio task."""
        if task is None:
            return self.loop is NoLoop and self.queue is None
        loop = task.get_loop()
        return self.loop is to_ask(loop) and (self.queue is None or self.queue.loop is loop)

    def _look(self, plan: Plan, home: World, task: AsyncioTask | None) -> None:
        if plan.timeout is not None:
            if task is None:
                raise UsageError("a timeout needs an asyncio task to cancel; start one with asyncio.run")
            self.queue = queue_for(task.get_loop(), plan.timeout)
        if task is not None:
            self.loop = to_ask(task.get_loop())
        if plan.breaker is not None:
            self.circuit = plan.breaker.circuit(home)
        if plan.budget is not None:
            self.spending = plan.budget.spending(home)
        if plan.throttle is not None:
            self.throttler = plan.throttle.throttler(home)
        if plan.rate_limit is not None:
            self.limiter = plan.rate_limit.limiter(home)
        if plan.bulkhead is not None:
            self.places = plan.bulkhead.places(home)
