"""A task run as a handle: what it waits for, what it is called, and what awaiting it gives."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast

from asyncflow.engine.heartbeats import beat
from asyncflow.engine.hedged import HedgeRun, remaining_of
from asyncflow.engine.passes import FIRST, Passes
from asyncflow.engine.stated import Stated
from asyncflow.errors import InvalidFlow, LateEdge, NotInFlow, TaskFailed
from asyncflow.handles import Block, Handle, innermost, scope
from asyncflow.mapping import MapPlan
from asyncflow.signals import Signal
from asyncflow.states import Pending, State, Success
from asyncflow.task import Task

if TYPE_CHECKING:
    from asyncflow.engine.cached import Keeping
    from asyncflow.engine.calling import Calling
    from asyncflow.engine.task_run import TaskRun

PENDING = Pending()
NO_KWARGS: dict[str, Any] = {}
BEGUN = -1
"""What `waiting` says once a task run has taken its first step: no edge can be added any more."""

_ASKED = (
    *("name", "key", "attempt", "hedge", "remaining", "idempotency_key", "heartbeat_detail"),
    *("loop_count", "loop_result", "resumed", "input"),
)
"""What the body of a task may ask of its task run."""


class Wired(Stated, Handle[Any]):
    """The part of a task run that its flow's body sees.

    Attributes:
        run: the flow run that owns it.
        task: what is run.
        number: its place among the flow run's calls, from 1.
        place: which call of that name it is, from 1; negative when another asyncio task than the flow's
            body made the call, so that the order may differ from run to run.
        fed_by: the task runs whose values are in the arguments, each once.
        ordered_after: the task runs that only have to be final first.
        dependents: the task runs that wait for this one; None when nothing depends on it.
        waiting: how many task runs upstream are not final; BEGUN after the first step.
        state: where it is now.
        attempt: the number of the newest attempt, 0 before the first.
        awaited: whether the flow's body awaited it to its end, and so got to know its failure.
    """

    __slots__ = (
        "_asked",
        "_asyncio",
        "_context",
        "_keeping",
        "_passes",
        "_started",
        "_traceback",
        "_waiters",
        "args",
        "attempt",
        "awaited",
        "dependents",
        "fed_by",
        "kwargs",
        "number",
        "ordered_after",
        "place",
        "run",
        "state",
        "task",
        "waiting",
    )

    followers: Sequence[Self] = ()
    """The maps that follow this one element by element."""
    index: int | None = None
    """Which element of a map it is."""
    takes_faults = True
    """Whether planned faults strike its attempts."""

    def __init__(
        self,
        run: Calling,
        task: Task[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        fed_by: tuple[Self, ...],
        number: int,
        place: int,
    ) -> None:
        self.run = run
        self.task = task
        self.args = args
        self.kwargs = kwargs or NO_KWARGS
        self.number = number
        self.place = place
        self.state: State = PENDING
        self.attempt = 0
        self._asked = not fed_by
        self.awaited = False
        self.dependents: list[Self] | None = None
        self.waiting = 0
        self._keeping: Keeping  # set when a task with a cache has looked into it
        self._started: float  # set when an attempt begins, if anybody may ask
        self._passes: Passes  # set by a LOOP or a resume
        self._traceback: TracebackType | None  # set when the failure is raised for the first time
        self._asyncio: asyncio.Task[None] | None = None
        self._context: contextvars.Context | None = contextvars.copy_context()
        self._waiters: list[asyncio.Future[None]] | None = None
        self.fed_by = fed_by
        self.ordered_after: tuple[Self, ...] = ()
        if fed_by:
            self._wait_for(fed_by)

    @property
    def name(self) -> str:
        """The task's name."""
        return self.task.name

    @property
    def key(self) -> str:
        """Names the task run inside its flow run, the same in every run of the same code.

        `name` for the first call of that name, `name#2` for the second, `name@key` where the call gave a
        key, and `name?1` for calls from other asyncio tasks, whose order may differ from run to run.
        """
        if self.task.key is not None:
            return f"{self.name}@{self.task.key}"
        if self.place < 0:
            return f"{self.name}?{-self.place}"
        return self.name if self.place == 1 else f"{self.name}#{self.place}"

    @property
    def resumable(self) -> bool:
        """Whether the key finds this task run again when the flow is run again."""
        return self.place > 0 or self.task.key is not None

    @property
    def upstream(self) -> tuple[Self, ...]:
        """The task runs that have to be final first, each once."""
        return self.fed_by + self.ordered_after if self.ordered_after else self.fed_by

    @property
    def declared(self) -> Task[..., Any]:
        """The task as it was called."""
        return self.task

    @property
    def nout(self) -> int | None:
        """How many values the task declares."""
        return self.task.nout

    def set_upstream(self, *others: Handle[Any]) -> None:
        """Start only after `others` are final; no data is passed.

        Raises:
            LateEdge: when this task run has already started.
            InvalidFlow: when the edge closes a cycle or joins two flow runs.
        """
        if self.waiting < 0 or self.state.final:
            raise LateEdge(
                f"task {self.name!r} has already started; set_upstream belongs right after the call, "
                "before anything is awaited"
            )
        known = set(self.upstream)
        added: list[Self] = []
        for other in cast("tuple[Self, ...]", self.run.own(others)):
            if other is self or self._leads_to(other):
                raise InvalidFlow(
                    f"Cycle found; flows must be acyclic: {other.name!r} can't be upstream of {self.name!r}, "
                    f"which it waits for itself"
                )
            if other not in known:
                added.append(other)
        if added:
            self.ordered_after = (*self.ordered_after, *added)
            self._asked = False
            self._wait_for(added)
        for other in added:
            self.run.emit("edge_added", self.number, 0, {"upstream": other.number})

    def only_if(self, gate: Handle[Any]) -> None:
        """Start only after `gate` succeeded; when it did not the trigger is not asked.

        Raises:
            LateEdge: when this task run has already started.
            InvalidFlow: when the edge closes a cycle or joins two flow runs.
        """
        self.set_upstream(gate)
        self.run.gates.setdefault(cast("TaskRun", self), []).extend(self.run.own((gate,)))

    def _wait_for(self, others: Sequence[Self]) -> None:
        for other in others:
            if other.dependents is None:
                other.dependents = []  # final or not: it has a dependent, so it is no terminal task
            if not other.state.final:
                other.dependents.append(self)
                self.waiting += 1

    def _leads_to(self, other: Self) -> bool:
        """Whether `other` waits for this one, directly or through others."""
        seen = {self.number}
        ahead = [self]
        for task_run in ahead:
            for dependent in (*(task_run.dependents or ()), *task_run.followers):
                if dependent is other:
                    return True
                if dependent.number not in seen:
                    seen.add(dependent.number)
                    ahead.append(dependent)
        return False

    def __await__(self) -> Generator[Any, None, Any]:
        if not self.state.final:
            future: asyncio.Future[None] = self.run.create_future()
            if self._waiters is None:
                self._waiters = [future]
            else:
                self._waiters.append(future)
            try:
                yield from future
            except BaseException:
                if self._waiters is not None:
                    self._waiters.remove(
                        future
                    )  # or asking again and again with a timeout would pile them up
                raise
        found = scope.get()
        if found is self.run or (type(found) is Block and innermost() is self.run):
            self.awaited = True
        state = self.state
        # Not by `value()` and the properties of a state: 4 % of a chain of awaited tasks.
        return state._result if type(state) is Success else self.value()

    def is_awaited(self) -> bool:
        """Whether somebody waits for its end."""
        return any(not future.done() for future in self._waiters or ())

    def let_go(self) -> None:
        """Cancel what waits for the task run, which does not end in this run of the body."""
        for future in self._waiters or ():
            future.cancel()

    def value(self) -> Any:
        """Return the result, or raise what made the task run fail.

        A skipped task run has the value None unless its signal gave another.

        Raises:
            TaskFailed: when it failed without an exception of its body's own.
        """
        state = self.state
        if type(state) is Success or state.is_success():
            return state.result
        error = self.error()
        assert error is not None
        try:
            raise error.with_traceback(self._traceback_of(error))
        finally:
            del error  # whose traceback holds this frame

    def _traceback_of(self, error: BaseException) -> TracebackType | None:
        """Return the error's traceback as the body left it, to which each await adds its own frames."""
        if not hasattr(self, "_traceback"):
            self._traceback = error.__traceback__
        return self._traceback

    def error(self) -> BaseException | None:
        """Return what awaiting this handle raises; None unless the task run has failed."""
        return error_after(self.name, self.state)

    def __repr__(self) -> str:
        return f"<task run {self.key} {self.state.name}>"

    # ------------------------------------------------------------------ as the current scope

    def call(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> NoReturn:
        """Refuse: the bodies of tasks call plain functions."""
        del args, kwargs
        raise NotInFlow(
            f"task {task.name!r} was called inside the body of task {self.name!r}; "
            f"call the plain function with {task.name}.fn(...), or call the task in the flow's body"
        )

    def map(
        self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], _plan: MapPlan
    ) -> NoReturn:
        """Refuse, as for a call."""
        self.call(task, args, kwargs)

    def call_flow(self, flow: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> NoReturn:
        """Refuse: only a flow's body calls child flows."""
        del args, kwargs
        raise NotInFlow(
            f"flow {flow.name!r} was called inside the body of task {self.name!r}; call it in a flow's body"
        )

    @property
    def remaining(self) -> float | None:
        """Seconds until the running attempt times out, or a deadline is over; None without either."""
        return remaining_of(self, self._started if hasattr(self, "_started") else None)

    @property
    def hedge(self) -> int:
        """Which hedge of the call the body runs for, from 1; 0 for the call itself."""
        return 0

    @property
    def subject(self) -> object:
        """What is called, for policies that remember results."""
        return self.task.fn

    def hedged(self, number: int) -> HedgeRun | None:
        """Return who follows a hedge of the call; None while the cache may still have the answer."""
        if self.task.cache is not None and self.state.name != "Running":
            return None
        return HedgeRun(cast("TaskRun", self), number)

    def heartbeat(self, detail: Any = None) -> None:
        """Say that the attempt is alive; for bodies of any kind, from any thread.

        Args:
            detail: how far it is; the next attempt finds it as `heartbeat_detail`.
        """
        beat(self, detail)

    @property
    def heartbeat_detail(self) -> Any:
        """The detail of the last heartbeat, of this attempt or of one before it; None when there was none."""
        return self.run.beats.get(self.number)

    @property
    def passes(self) -> Passes:
        """What earlier passes of the body left: iterations of a loop, a pause."""
        return self._passes if hasattr(self, "_passes") else FIRST

    @property
    def loop_count(self) -> int:
        """Which iteration of a loop the body is in, from 1; LOOP begins the next one."""
        return self.passes.loop_count

    @property
    def loop_result(self) -> Any:
        """The `result` of the LOOP that began this iteration; None in the first."""
        return self.passes.loop_result

    @property
    def resumed(self) -> bool:
        """Whether the task run was paused, and somebody resumed it."""
        return self.passes.resumed

    @property
    def input(self) -> Any:
        """What was given when the task run was resumed; None before."""
        return self.passes.input

    @property
    def idempotency_key(self) -> str:
        """Names this task run for other systems: the same over all its attempts."""
        return f"{self.run.id}/{self.key}"

    def about(self) -> dict[str, Any]:
        """Return what the body may ask of `current()`, for one that is called in another process."""
        return {**{name: getattr(self, name) for name in _ASKED}, "log": self.log_context()}

    def log_context(self) -> dict[str, Any]:
        """Return where a log line of the body belongs."""
        return {**self.run.log_context(), "task": self.name, "attempt": self.attempt}

    def to_json(self) -> dict[str, Any]:
        """Return the detail of the event `task_called`."""
        return {"name": self.name, "key": self.key, "upstream": [other.number for other in self.fed_by]}


def error_after(name: str, state: State) -> BaseException | None:
    """Return what made the task run of that name fail; None for a state that is no failure."""
    if not state.is_failed():
        return None
    result = state.result
    if isinstance(result, BaseException) and not isinstance(result, Signal):
        return result
    signal = result if isinstance(result, Signal) else None
    return TaskFailed(f"task {name!r} ended {state.name}: {state.message}", state, signal)


def value_downstream(handle: Handle[Any]) -> Any:
    """Return what a dependent receives: the result, or the exception of a failure that it chose to run on."""
    task_run = cast("Wired", handle)
    return task_run.state.result if task_run.state.is_success() else task_run.error()
