"""One element of a map: a task run that its map starts, hears the end of, and then forgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncflow.engine.elements import Counts
from asyncflow.engine.mapped_end import unpausable
from asyncflow.engine.task_run import TaskRun
from asyncflow.engine.wiring import NO_KWARGS, PENDING
from asyncflow.states import Running, State, Success, check_move

if TYPE_CHECKING:
    from asyncflow.engine.mapped import MappedRun


class Element(TaskRun):
    """The run of a mapped task for one element of its arguments.

    Attributes:
        parent: the map.
        index: its place, from 0.
        number: 0 unless it has events of its own.
    """

    __slots__ = ("_is_outside", "index", "parent")

    index: int

    def __init__(
        self, parent: MappedRun, args: tuple[Any, ...], kwargs: dict[str, Any], index: int, *, is_told: bool
    ) -> None:
        # Not by the constructor of a call's task run: nothing is wired here, and there may be very many.
        self.parent = parent
        self.index = index
        self.run = parent.run
        self.task = parent.declared
        self.args = args
        self.kwargs = kwargs or NO_KWARGS
        self.number = 0
        self.place = parent.place
        self.state = PENDING
        self.attempt = 0
        self._is_outside = False  # whether the attempt's wait to be admitted was in vain
        self._asked = True
        self.awaited = False
        self.dependents = None
        self.waiting = 0
        self._asyncio = self._context = self._waiters = None
        self.fed_by = self.ordered_after = ()
        if is_told:
            self._tell()

    @property
    def name(self) -> str:
        """The task's name with the index in brackets."""
        return f"{self.task.name}[{self.index}]"

    @property
    def key(self) -> str:
        """The map's key with the index in brackets."""
        return f"{self.parent.key}[{self.index}]"

    def start(self) -> None:
        """Start the asyncio task, whose context is a copy of the map's."""
        self._asyncio = self.run.spawn(self._play(), self.name, None)

    def begin(self) -> None:
        """Ask the trigger about the elements that this one follows, and start or end."""
        refused = self._refused_by_upstream()
        if refused is None:
            self.start()
        else:
            self._end_unstarted(refused)

    def _waits_for_somebody(self) -> bool:
        return False  # the map did

    def _refused_by_upstream(self) -> State | None:
        states = self.parent.states_above(self.index)
        return None if states is None else self._refused_by(states)

    def _tell(self) -> None:
        """Begin to have events of its own."""
        self.number = self.run.next_number()
        self.run.emit("task_called", self.number, 0, self)
        if self.state is not PENDING:
            self.run.emit("state_changed", self.number, self.attempt, self.state)

    def note(self, kind: str, detail: dict[str, Any]) -> None:
        """Record what is not an attempt, for the map when there is no room to tell of this element."""
        if not self.number and self.parent.may_tell():
            self._tell()
        if kind == "hedge_ended":
            for counts in self._counts():
                counts.hedge_calls += detail["calls"]
        elif kind == "admission_waited" and "hedge" not in detail:
            self._is_outside = not detail["admitted"]
        if self.number:
            super().note(kind, detail)
        else:
            self.parent.note(kind, {**detail, "index": self.index})

    def _counts(self) -> tuple[Counts, ...]:
        """Return where its bodies are counted."""
        return (self.parent.counts,) if self.number else (self.parent.counts, self.parent.untold)

    def _commit(self, state: State) -> None:
        if type(state) not in self.state.leads_to:
            check_move(self.state, state)
        if type(state) is not Running and type(state) is not Success:
            state = unpausable(state, self.name)
            if not self.number and self.parent.may_tell():
                self._tell()
        if self._is_outside or (state._detail is not None and state._detail.get("called") is False):
            self._is_outside = False
            for counts in self._counts():
                counts.refused += 1
        self.state = state
        if self.number:
            self.run.emit("state_changed", self.number, self.attempt, state)
        if state.final:
            self.args, self.kwargs = (), NO_KWARGS
            self.parent.element_settled(self)

    def to_json(self) -> dict[str, Any]:
        """Return the detail of the event `task_called`."""
        return {
            "name": self.name,
            "key": self.key,
            "upstream": [],
            "element_of": self.parent.number,
            "index": self.index,
        }
