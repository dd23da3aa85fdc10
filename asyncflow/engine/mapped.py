"""A mapped task: one task run for the flow, which runs an element for each row of its inputs.

Its own body is the window: it takes rows from the inputs while fewer than `max_running` elements are in
flight, and waits for their ends. So cancelling it, its handlers and its place in the graph are those of any
task run. An element lives from its row to its end; what is kept of it then is its value.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from asyncflow.engine.accountable import AccountableElement
from asyncflow.engine.element import Element
from asyncflow.engine.elements import Children, Counts, Outcomes
from asyncflow.engine.inputs import Link, Rows
from asyncflow.engine.mapped_end import conclusion, unpausable
from asyncflow.engine.mapped_past import recalled
from asyncflow.engine.task_run import TaskRun
from asyncflow.errors import UsageError
from asyncflow.guard.policy import Policy
from asyncflow.handles import find_handles
from asyncflow.mapping import MapPlan
from asyncflow.policy.slots import Demand
from asyncflow.signals import ENDRUN, Signal
from asyncflow.states import Cancelled, Failed, Retrying, Running, State, Success
from asyncflow.task import Task
from asyncflow.triggers import all_successful

if TYPE_CHECKING:
    from asyncflow.engine.calling import Calling
    from asyncflow.engine.past import PastTask

TOLD = 1_000
"""How many elements have events of their own, and how many more of those that do not plainly succeed."""

_BATCH = 1_000
"""After so many elements in a row the loop gets a turn."""

_OWN: Any = {"policy": Policy(), "validate": False, "nout": None, "rollback": None, "cache": None}
"""What a map as a whole has none of: its elements do."""


class MappedRun(TaskRun):
    """The run of a mapped task; also the handle that `task.map` gave.

    Attributes:
        plan: its window and tolerance.
        length: how many elements it will have, None while nobody knows.
        links: the maps that it follows element by element.
        followers: the maps that follow it.
        counts: how its elements ended.
        untold: the same of those that have no events of their own.
        is_whole: whether its inputs were consumed to their end.
    """

    __slots__ = (
        "_declared",
        "_element",
        "_gate",
        "_late",
        "_live",
        "_near",
        "_outcomes",
        "_ready",
        "_told_at",
        "_turn",
        "counts",
        "followers",
        "is_whole",
        "length",
        "links",
        "plan",
        "untold",
    )

    takes_faults = False

    def __init__(
        self,
        run: Calling,
        task: Task[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        fed_by: tuple[TaskRun, ...],
        number: int,
        place: int,
        *,
        plan: MapPlan,
        length: int | None,
        demand: Demand | None = None,
    ) -> None:
        self._declared = task
        self._element = Element if demand is None else partial(AccountableElement, demand=demand)
        self._gate = False
        self._ready: deque[int] = deque()
        self._near: dict[int, int] = {}
        self.plan = plan
        self.length = length
        self.followers: list[MappedRun] = []
        self.counts, self.untold = Counts(), Counts()
        self.is_whole = False
        self._outcomes = Outcomes()
        self._live: dict[int, Element] = {}
        self._late = TOLD
        self._told_at = TOLD
        self._turn: asyncio.Future[None] | None = None
        links = dict.fromkeys(value for value in (*args, *kwargs.values()) if isinstance(value, MappedRun))
        self.links: tuple[MappedRun, ...] = tuple(links)
        if links:
            args = tuple([_linked(value) for value in args])
            kwargs = {name: _linked(value) for name, value in kwargs.items()}
            held: list[Any] = []
            find_handles((args, kwargs), held)
            fed_by = run.own(held)
        own = replace(task, fn=self._run_elements, **_OWN)
        super().__init__(run, own, args, kwargs, cast("tuple[Any, ...]", fed_by), number, place)
        if links:
            self._follow()

    # ------------------------------------------------------------------ for the flow's body

    @property
    def declared(self) -> Task[..., Any]:
        """The task as it was mapped; an element is a run of it."""
        return self._declared

    @property
    def upstream(self) -> tuple[Any, ...]:
        """The task runs that it waits for or follows, each once."""
        return tuple(dict.fromkeys((*self.fed_by, *self.ordered_after, *self.links)))

    @property
    def children(self) -> Children:
        """All elements that were started, whatever became of them, in order."""
        return Children(self.key, self._outcomes)

    def to_json(self) -> dict[str, Any]:
        """Return the detail of the event `task_called`."""
        fed_by: dict[TaskRun, None] = dict.fromkeys((*self.fed_by, *self.links))
        return {
            "name": self.name,
            "key": self.key,
            "upstream": [other.number for other in fed_by],
            "map": {"elements": self.length, "max_running": self.plan.max_running},
        }

    # ------------------------------------------------------------------ following other maps

    def _follow(self) -> None:
        """Follow other maps; nothing starts before the first of their elements is final, or one of them."""
        for link in self.links:
            if link.dependents is None:
                link.dependents = []  # it is followed, so it is no terminal task
            link.followers.append(self)
            for index in range(len(link._outcomes)):
                if link._outcomes.is_final(index):
                    self._near_by_one(index)
        self._asked = False
        if not self._may_begin():
            self._gate = True
            self.waiting += 1

    def hear(self, index: int) -> None:
        """Hear that an element of a map that is followed is final."""
        if self._near_by_one(index):
            self.move_on()

    def _near_by_one(self, index: int) -> bool:
        """Count one more of the maps that are followed as final at `index`; return whether all are."""
        if len(self.links) > 1:
            self._near[index] = near = self._near.get(index, 0) + 1
            if near < len(self.links):
                return False
            del self._near[index]
        self._ready.append(index)
        return True

    def move_on(self) -> None:
        """Look again whether there is something to do: a map that is followed has moved or ended."""
        if self._gate and self._may_begin():
            self._gate = False
            self.run.released(self)
        self._wake()

    def _may_begin(self) -> bool:
        """Whether no map that is followed can be held up any more by what has not begun, such as a pause."""
        return bool(self._ready) or all(link.state.final for link in self.links)

    def downstream(self, index: int) -> Any:
        """Return what the element with that index hands down."""
        return self._outcomes.downstream(index, f"{self.name}[{index}]")

    def states_above(self, index: int) -> list[State] | None:
        """Return the states that an element's trigger is asked about; None when there is nothing to ask."""
        if not self.links:
            return None  # the map has asked, once for all
        others = (*self.fed_by, *self.ordered_after)
        plain = not others and all(link._outcomes.is_plain(index) for link in self.links)
        if plain and self.task.trigger is all_successful:
            return None
        return [
            *(other.state for other in others),
            *(link._outcomes.ending(index)[0] for link in self.links),
        ]

    def _refused_by_upstream(self) -> State | None:
        """Ask the trigger for the whole map, unless its elements are asked one by one."""
        if not self.links:
            return super()._refused_by_upstream()
        if all(link.is_whole or not link.state.final for link in self.links):
            return None
        return self._refused_by([other.state for other in self.upstream])

    def _commit(self, state: State) -> None:
        super()._commit(unpausable(state, self.name) if self._outcomes else state)

    def recall(self, past: PastTask) -> None:
        """Be final as the journal has it, with the elements that it tells of."""
        self.is_whole = recalled(past, self._outcomes, self.counts)
        for follower in self.followers:
            for index in range(len(self._outcomes)):
                follower.hear(index)
        super().recall(past)

    def _settle(self) -> None:
        self.run.elements += self.counts.total
        self.run.element_attempts += self.counts.attempts
        super()._settle()
        for follower in self.followers:
            follower.move_on()

    # ------------------------------------------------------------------ the body: a window over the inputs

    def attempt_started(self, attempt: int) -> Any:
        """Move to Running; attempts are made and counted by the elements."""
        del attempt
        return super().attempt_started(0)

    async def _after_handlers(self, proposed: State) -> State:
        left = await super()._after_handlers(proposed)
        if isinstance(left, Retrying) and isinstance(self.state, Running):
            return Failed(
                f"A handler asked to retry the map {self.name!r}; its elements are retried, not the map: "
                "let the handler look for the element's task run."
            )
        return left

    def _where(self) -> str:
        return f"in the inputs of map {self.key!r}, of flow run {self.run.name!r}"

    async def _run_elements(self, *args: Any, **kwargs: Any) -> None:
        """Run the elements and end in the state that they amount to."""
        rows = Rows(self.name, args, kwargs)
        if rows.length is not None:
            self.length = rows.length
        broken: BaseException | None = None
        try:
            try:
                await self._take(rows)
                self.is_whole = all(link.is_whole for link in self.links)
            except (Exception, Signal) as error:  # noqa: BLE001 - an input broke off; its elements still end
                broken = error
            await self._wait_for_elements()
        except KeyboardInterrupt:
            raise  # it stops the loop, so there is nothing to wait with
        except BaseException:
            await self._cancel_elements()
            if self.run.fails_fast_for(self):
                raise ENDRUN(conclusion(self, self._outcomes)) from None
            raise
        finally:
            self._tell_counts()
            if not self.is_whole:
                self._outcomes.close(Cancelled(self.run.cancel_reason or "Its map ended before it started."))
                await rows.close()
        if broken is not None:
            raise broken
        raise ENDRUN(conclusion(self, self._outcomes) if self.is_whole else self._cut_short())

    def _cut_short(self) -> State:
        """Return the state after a map that is followed broke off before its inputs were consumed."""
        why = "A map that it follows broke off before its end."
        return self._refused_by([other.state for other in self.upstream]) or Failed(why)

    async def _take(self, rows: Rows) -> None:
        """Start elements as long as there are rows, never more at once than the window holds."""
        in_a_row = 0
        while True:
            if len(self._live) >= self.plan.max_running:
                await self._next_turn()
                in_a_row = 0
                continue
            index = await self._next_index()
            row = None if index is None else await rows.at(index)
            if index is None or row is None:
                break
            self._outcomes.open(index)
            element = self._element(self, *row, index, is_told=index < TOLD)
            self._live[index] = element
            element.begin()
            in_a_row += 1
            if in_a_row == _BATCH:
                in_a_row = 0
                await asyncio.sleep(0)
        if self.links and all(link.is_whole for link in self.links):
            await rows.check_over(self._even_links(rows))

    async def _next_index(self) -> int | None:
        """Return which row to take next, None when those that are followed are over."""
        if not self.links:
            return len(self._outcomes)
        while not self._ready:
            if all(link.state.final for link in self.links):
                return None
            await self._next_turn()
        return self._ready.popleft()

    def _even_links(self, rows: Rows) -> int:
        """Return how many elements each followed map had; a difference breaks the map."""
        lengths = [len(link._outcomes) for link in self.links]
        if min(lengths) < max(lengths):
            raise UsageError(rows.uneven(min(lengths)))
        return lengths[0]

    async def _wait_for_elements(self) -> None:
        while self._live:
            await self._next_turn()

    async def _next_turn(self) -> None:
        """Wait until an element has ended or a map that is followed has moved."""
        self._turn = self.run.create_future()
        try:
            await self._turn
        finally:
            self._turn = None

    def _wake(self) -> None:
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)

    async def _cancel_elements(self) -> None:
        """Cancel what is in flight and wait for it; each further cancellation is handed on once."""
        while self._live:
            for element in list(self._live.values()):
                element.cancel()
            try:
                await self._wait_for_elements()
            except asyncio.CancelledError:
                continue

    # ------------------------------------------------------------------ hearing of its elements

    def element_settled(self, element: Element) -> None:
        """Keep what an element came to; the element itself is forgotten."""
        index, state = element.index, element.state
        del self._live[index]
        counts, untold = self.counts, self.untold
        # Not by the properties of a state: for a plain success every microsecond counts.
        if element.attempt == 1 and type(state) is Success and state._detail is None and not state._message:
            self._outcomes.put_value(index, state._result)
            counts.plain += 1
            untold.plain += not element.number
        else:
            self._outcomes.put(index, state, element.attempt)
            counts.add(state, element.attempt)
            if not element.number:
                untold.add(state, element.attempt)
            if state.is_failed() and self.run.flow.fail_fast and self.is_beyond_tolerance():
                self.run.fail_fast(self)
        if untold.plain + untold.others >= self._told_at:
            self._told_at += max(TOLD, self._told_at // 10)
            self._tell_counts()
        for follower in self.followers:
            follower.hear(index)
        self._wake()

    def is_beyond_tolerance(self) -> bool:
        """Whether more elements have failed than may; of a share, as soon as the number of all is known."""
        total = len(self._outcomes) if self.is_whole else self.length
        if total is None and isinstance(self.plan.tolerate, float):
            return False
        return self.counts.failed > self.plan.allows(total or 0)

    def may_tell(self) -> bool:
        """Whether one more element beyond the first ones may have events of its own."""
        self._late -= 1
        return self._late >= 0

    def _tell_counts(self) -> None:
        """Record how the elements without events of their own have ended."""
        if self.untold.total:
            self.run.emit("elements_counted", self.number, 0, self.untold.to_json())


def _linked(value: Any) -> Any:
    return Link(value) if isinstance(value, MappedRun) else value
