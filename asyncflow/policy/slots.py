"""Who may be at work at once: limits with slots, handed out in the order in which they were asked for.

A state machine that never waits: a request is granted when it is made or queues up, and whoever gives slots
back learns which requests are granted now. All slots of a request are taken at once, so nobody holds one
while it waits for another and no two can wait for each other.

The order is fair. A request that finds a limit taken closes it to all that come after it, however few slots
they want; and what is free of a limit that once held it up is kept for it, so that two limits can't take
turns at holding it up for ever. What waits for one limit holds up nothing in another: ten tasks that wait for
the database don't keep the eleventh, which does not need it, from running.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asyncflow.ambient import World, world
from asyncflow.errors import InvalidPolicy
from asyncflow.policy.checks import checked_whole


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that only so many task runs may use at once: a warehouse, a licence, a graphics card.

    Uses of the same name share its slots, over all runs of a world.

    Args:
        name: what is used.
        capacity: how many slots it has.

    Raises:
        InvalidPolicy: when a setting is out of range.
    """

    name: str
    capacity: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise InvalidPolicy(
                f"name={self.name!r} must be a text that says what is used, such as 'warehouse'"
            )
        checked_count(self.capacity, "capacity")

    def limit(self, where: World | None = None) -> Limit:
        """Return the limit of this name in a world, by default the current one; made on first use.

        Raises:
            InvalidPolicy: when the name is already in use with another capacity.
        """
        home = where or world()
        return home.shared(
            "resource", self.name, self, lambda: Limit(f"resource {self.name!r}", self.capacity)
        )


def checked_count(count: int, setting: str) -> int:
    """Return a number of slots, of which there must be at least one.

    Raises:
        InvalidPolicy: when it is not a whole number, 1 or more.
    """
    checked_whole(count, setting, 1, "use 1 for one at a time")
    return count


Uses = Resource | Sequence[Resource] | Mapping[Resource, int]
"""What a task may use: a slot of one resource, a slot of each of several, or as many slots as is said."""


def checked_uses(uses: Uses | None) -> tuple[tuple[Resource, int], ...]:
    """Return the resources that a task uses, each once and with how many of its slots.

    Raises:
        InvalidPolicy: for what is no Resource, and for more slots than a resource has.
    """
    if uses is None:
        return ()
    several = (uses,) if isinstance(uses, Resource) else uses
    pairs = list(several.items()) if isinstance(several, Mapping) else [(each, 1) for each in several]
    for resource, units in pairs:
        if not isinstance(resource, Resource):
            raise InvalidPolicy(f"uses={uses!r}: {resource!r} is no Resource; write Resource('warehouse', 4)")
        if checked_count(units, f"uses={{{resource.name!r}: ...}}, with") > resource.capacity:
            raise InvalidPolicy(
                f"uses={{{resource.name!r}: {units}}} can never be granted: the resource has "
                f"{resource.capacity}; use fewer, or give it more"
            )
    return tuple(dict(pairs).items())


def checked_tags(tags: Sequence[str] | None) -> tuple[str, ...]:
    """Return the tags of a task, each once.

    Raises:
        InvalidPolicy: for what is no list of words.
    """
    if isinstance(tags, str) or not all(isinstance(tag, str) and tag for tag in tags or ()):
        raise InvalidPolicy(f"tags={tags!r} must be a list of words, such as tags=['db']")
    return tuple(dict.fromkeys(tags or ()))


def checked_limits(limits: Mapping[str, int | Resource] | None) -> dict[str, int | Resource]:
    """Return the limits of a flow by tag.

    Raises:
        InvalidPolicy: for what is neither a number of slots nor a Resource.
    """
    checked: dict[str, int | Resource] = {}
    for tag, limit in (limits or {}).items():
        checked[tag] = limit if isinstance(limit, Resource) else checked_count(limit, f"limits[{tag!r}]")
    return checked


class Limit:
    """How many slots there are and how many are taken.

    Args:
        label: what it limits, for people: `tag 'db'`.
        capacity: how many slots there are.

    Attributes:
        taken: how many are taken.
        waiting: how many requests for its slots are not granted.
    """

    __slots__ = ("capacity", "label", "taken", "waiting")

    def __init__(self, label: str, capacity: int) -> None:
        self.label = label
        self.capacity = capacity
        self.taken = 0
        self.waiting = 0

    @property
    def free(self) -> int:
        """How many slots are not taken."""
        return self.capacity - self.taken

    def forked(self) -> None:
        """Begin afresh in a child process: who had slots there is not here to give them back."""
        self.taken = self.waiting = 0

    def __repr__(self) -> str:
        return f"<Limit of {self.label}: {self.taken}/{self.capacity} taken, {self.waiting} waiting>"


Demand = tuple[tuple[Limit, int], ...]
"""How many slots of which limits, each limit once."""


class Request:
    """Somebody's wish for slots.

    Attributes:
        demand: what is wished for.
        number: its place in the order of requests.
        is_granted: whether the slots are taken for it.
        is_over: whether it was withdrawn, or its slots given back.
        obstacles: the limits for which it could not be granted at once.
        kept: the limits that have held it up since it was the next in line for them.
    """

    __slots__ = ("demand", "is_granted", "is_over", "kept", "number", "obstacles")

    def __init__(self, demand: Demand, number: int) -> None:
        self.demand = demand
        self.number = number
        self.is_granted = self.is_over = False
        self.obstacles: tuple[Limit, ...] = ()
        self.kept: set[Limit] = set()

    def __repr__(self) -> str:
        state = "over" if self.is_over else "granted" if self.is_granted else "waiting"
        wish = ", ".join(f"{units} of {limit.label}" for limit, units in self.demand)
        return f"<Request {self.number} for {wish}: {state}>"


class Slots:
    """The state machine: requests that are granted, and those that queue up."""

    def __init__(self) -> None:
        self._queues: dict[Demand, deque[Request]] = {}  # of equal demands only the first can be next
        self._count = 0

    def ask(self, demand: Demand) -> Request:
        """Return a request, granted if it can be without overtaking anybody.

        Args:
            demand: each limit once, with at most as many slots as it has.
        """
        self._count += 1
        request = Request(demand, self._count)
        if not self._queues and all(units <= limit.free for limit, units in demand):
            _take(request)
            return request
        self._queue(request)
        if len(self._queues[demand]) == 1:
            self._grant()  # which grants it, or notes what it is held up by
        return request

    def give_back(self, request: Request) -> list[Request]:
        """Give back the slots of a request or withdraw it; return the requests that are granted now.

        A request that is over already changes nothing.
        """
        if request.is_over:
            return []
        request.is_over = True
        if request.is_granted:
            for limit, units in request.demand:
                limit.taken -= units
        else:
            self._withdraw(request)
        return self._grant()

    def _queue(self, request: Request) -> None:
        obstacles = [limit for limit, units in request.demand if units > limit.free or limit.waiting]
        request.obstacles = tuple(obstacles)
        self._queues.setdefault(request.demand, deque()).append(request)
        for limit, _ in request.demand:
            limit.waiting += 1

    def _withdraw(self, request: Request) -> None:
        queue = self._queues[request.demand]
        queue.remove(request)
        if not queue:
            del self._queues[request.demand]
        for limit, _ in request.demand:
            limit.waiting -= 1

    def _grant(self) -> list[Request]:
        """Go through those that are first of their demand, the longest waiting first, and grant what fits.

        `left` is what those who come later may still take; below zero the limit is closed to them.
        """
        granted: list[Request] = []
        left: dict[Limit, int] = {}
        firsts = [queue[0].number for queue in self._queues.values()]
        by_number = {queue[0].number: queue for queue in self._queues.values()}
        heapq.heapify(firsts)
        while firsts:
            queue = by_number[heapq.heappop(firsts)]
            request = queue[0]
            rest = {limit: left.get(limit, limit.free) - units for limit, units in request.demand}
            short = [limit for limit in rest if rest[limit] < 0]
            if not short:
                self._withdraw(request)
                _take(request)
                granted.append(request)
                left.update({limit: rest[limit] for limit in rest if limit in left})
                if queue:
                    by_number[queue[0].number] = queue
                    heapq.heappush(firsts, queue[0].number)
            elif all(left.get(limit, 0) >= 0 for limit in short):  # it is the next in line
                request.kept.update(short)
                left.update({limit: rest[limit] for limit in rest if limit in request.kept})
        return granted


def _take(request: Request) -> None:
    request.is_granted = True
    for limit, units in request.demand:
        limit.taken += units
