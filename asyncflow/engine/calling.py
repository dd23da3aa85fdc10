"""A flow run as the scope of its body's calls: it makes task runs of them, and hears when they are final."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from threading import get_ident
from typing import Any, NoReturn, Self, cast

from asyncflow import ambient
from asyncflow.engine import collector
from asyncflow.engine.accountable import AccountableRun
from asyncflow.engine.face import RunFace
from asyncflow.engine.limits import RunLimits
from asyncflow.engine.mapped import MappedRun
from asyncflow.engine.mapped_length import known_length
from asyncflow.engine.options import RunOptions
from asyncflow.engine.pausing import Pauses
from asyncflow.engine.record import Record
from asyncflow.engine.rollback import ChildEffects, Effect
from asyncflow.engine.task_run import TaskRun
from asyncflow.engine.task_runs import TaskRuns
from asyncflow.engine.unheeded import Unheeded
from asyncflow.errors import InvalidFlow, UsageError
from asyncflow.events import Kind
from asyncflow.flow import Flow
from asyncflow.handles import PLAIN, Handle, find_handles, scope, source_of
from asyncflow.mapping import MapPlan
from asyncflow.policy.slots import Demand
from asyncflow.ports import Store
from asyncflow.states import Pending, State
from asyncflow.task import Task


class ChildRun(TaskRun):
    """The task run whose body is a run of a child flow: that takes slots, this one does not."""

    __slots__ = ()


class Calling(RunFace):
    """The part of a flow run that its body's calls and its task runs speak to.

    Attributes:
        emit: appends an event to the record.
        wall: the world's wall clock.
        chance: the random stream from which backoff is drawn.
        numbers: the highest number of a task run.
        elements: how many elements its maps had.
        element_attempts: how many attempts these made.
        effects: what its task runs did that can be undone, in the order of their ends.
        unheeded: told of what is cancelled, and finds what goes on nevertheless.
        beats: the detail of the last heartbeat, by the number of the task run.
        faults: who is asked whether a fault strikes, or None.
        parameters: the flow's parameters, until all its task runs are final.
        gates: by task run, those upstream that decide whether it runs at all; outermost first.
        limits: who may be at work at once.
    """

    __slots__ = (
        "_adapt",
        "_called",
        "_calm",
        "_counts",
        "_draining",
        "_failed_fast",
        "_foreign_counts",
        "_idle",
        "_in_body",
        "_keys",
        "_looks_at_calls",
        "_loop",
        "_open",
        "_pauses",
        "_ready",
        "_takes_calls",
        "_thread",
        "beats",
        "chance",
        "create_future",
        "effects",
        "element_attempts",
        "elements",
        "emit",
        "faults",
        "gates",
        "limits",
        "numbers",
        "options",
        "unheeded",
        "wall",
    )

    parameters: Mapping[str, Any]

    def __init__(
        self,
        flow: Flow[..., Any],
        parameters: Mapping[str, Any],
        store: Store,
        options: RunOptions,
        owned_store: Store | None = None,
    ) -> None:
        self.flow = flow
        self.options = options
        self._adapt = options.adapt
        world = ambient.world()
        self.limits = RunLimits(flow, world)
        self._looks_at_calls = self._adapt is not None or self.limits.are_own
        self.effects: list[Effect | ChildEffects] = []
        self.wall = world.wall
        self.chance = world.stream("backoff")
        self.faults = options.faults
        self.record = Record(flow.name, parameters, store, options, world, owned_store)
        self.emit = self.record.emit
        self.state: State = Pending()
        self._called: list[TaskRun] = []
        self.numbers = self.elements = self.element_attempts = 0
        self.tasks = TaskRuns(self._called)
        self.cancel_reason = ""
        self._loop = asyncio.get_running_loop()
        self.create_future = self._loop.create_future
        self._thread = get_ident()
        self._main: asyncio.Task[Any] | None = None
        self._begun = self._ended = False
        self._takes_calls = self._in_body = False
        self._counts: dict[str, int] = {}
        self._foreign_counts: dict[str, int] = {}
        self._keys: set[tuple[str, str]] = set()
        self._ready: deque[TaskRun] = deque()
        self._draining = False
        self._open = 0
        self._idle: asyncio.Future[None] | None = None
        self._leaving: SystemExit | None = None
        self._failed_fast: TaskRun | None = None
        self._calm = False
        self._pauses: Pauses | None = None
        self.gates: dict[TaskRun, list[TaskRun]] = {}
        self.beats: dict[int, Any] = {}
        self.unheeded = Unheeded(self)

    # ------------------------------------------------------------------ as the scope of calls

    def call(
        self,
        task: Task[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        kind: Callable[..., TaskRun] = TaskRun,
    ) -> TaskRun:
        """Make a task run of a call; it starts at the earliest on the next turn of the loop."""
        if not self._takes_calls:
            raise UsageError(self._too_late(task.name))
        if get_ident() != self._thread:
            # The loop would not notice it before it wakes by itself.
            raise UsageError(
                f"task {task.name!r} was called in another thread than the one of flow run {self.name!r}; "
                "call tasks in the flow's body, or make what runs in the thread a task itself"
            )
        if task.is_particular or self._looks_at_calls:
            task, kind = self._looked_at(task, kind)
        fed_by = self._sources_of(args, kwargs) if args or kwargs else ()
        foreign = asyncio.current_task(self._loop) is not self._main
        counts = self._foreign_counts if foreign else self._counts
        name = task.name
        counts[name] = count = counts.get(name, 0) + 1
        self.numbers = number = self.numbers + 1
        task_run = kind(self, task, args, kwargs, fed_by, number, -count if foreign else count)
        self._called.append(task_run)
        self._open += 1
        if number == collector.LARGE:
            self._calm = collector.enter()
        self.emit("task_called", number, 0, task_run)
        if not task_run.waiting:
            task_run.start()
        return task_run

    def map(
        self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], plan: MapPlan
    ) -> TaskRun:
        """Make a task run that runs the task once per element of its arguments."""
        length = known_length(task.name, args, kwargs)
        demand = self._demand(task)
        return self.call(task, args, kwargs, partial(MappedRun, plan=plan, length=length, demand=demand))

    def next_number(self) -> int:
        """Return a number for what is not a call but has events of its own: an element of a map."""
        self.numbers = number = self.numbers + 1
        if number == collector.LARGE:
            self._calm = collector.enter()
        return number

    def _looked_at(
        self, task: Task[..., Any], kind: Callable[..., TaskRun]
    ) -> tuple[Task[..., Any], Callable[..., TaskRun]]:
        """Return what a call is made of where that is not plainly its task."""
        if task.key is not None:
            self._claim(task.name, task.key)
        if kind is TaskRun and (demand := self._demand(task)) is not None:
            kind = partial(AccountableRun, demand=demand)
        return task if self._adapt is None else self._adapt(task), kind

    def _demand(self, task: Task[..., Any]) -> Demand | None:
        """Return the slots that an attempt of a task takes; None when its run has nothing to give back."""
        demand = self.limits.demand(task) if task.is_particular or self.limits.are_own else ()
        return demand if demand or task.rollback is not None else None

    def _too_late(self, name: str) -> str:
        if self._pauses is not None and self._pauses.is_closed:
            return (
                f"task {name!r} was called while flow run {self.name!r} is being paused; its body runs again "
                "when it is resumed, so what it does in `finally` must do without tasks"
            )
        return (
            f"task {name!r} was called before or after the body of flow run {self.name!r}; "
            "call tasks in the body, not in the flow's state handlers or when it has ended"
        )

    def forget(self, task_run: TaskRun) -> None:
        """Take back the newest call, which is refused."""
        assert self._called[-1] is task_run
        self._called.pop()
        self._open -= 1

    def _claim(self, name: str, key: str) -> None:
        """Take a key for a call: two calls with one would share an idempotency key."""
        if (name, key) in self._keys:
            raise UsageError(
                f"task {name!r} was called twice with key={key!r} in flow run {self.name!r}; give each "
                "call a key of its own with with_options(key=...)"
            )
        self._keys.add((name, key))

    def log_context(self) -> dict[str, Any]:
        """Return where a log line of the body belongs."""
        return {"flow": self.flow.name, "run": self.name}

    def call_flow(self, flow: Flow[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> TaskRun:
        """Make a task run whose body is a run of a child flow."""

        async def child(*args: Any, **kwargs: Any) -> None:
            run = await self.child(flow, flow.bind(args, kwargs))
            try:
                await run.finish_inside()
            finally:
                if run.effects and (run.is_success() or run.is_paused()):
                    self.effects.append(ChildEffects(cast("TaskRun", scope.get()), run.id, run.effects))

        return self.call(Task(child, name=flow.name), args, kwargs, ChildRun)

    def _sources_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[TaskRun, ...]:
        """Return the task runs whose values the arguments hold, each once."""
        sources: dict[TaskRun, None] = {}
        for value in (*args, *kwargs.values()) if kwargs else args:
            if type(value) is TaskRun and value.run is self:
                sources[value] = None
            elif type(value) not in PLAIN:
                nested: list[Handle[Any]] = []
                find_handles(value, nested)
                sources.update(dict.fromkeys(self.own(nested)))
        return tuple(sources)

    def note(self, kind: Kind, task: int, attempt: int, detail: dict[str, Any]) -> None:
        """Append an event of what may outlast the run, unless it comes too late for the run's record."""
        if not self._ended:
            self.emit(kind, task, attempt, detail)

    def own(self, handles: Iterable[Handle[Any]]) -> tuple[TaskRun, ...]:
        """Return the task runs behind handles, each once.

        Raises:
            InvalidFlow: when one belongs to another flow run.
        """
        task_runs: dict[TaskRun, None] = {}
        for handle in handles:
            source = source_of(handle)
            if not isinstance(source, TaskRun) or source.run is not self:
                raise InvalidFlow(f"{handle.name!r} belongs to another flow run than {self.name!r}")
            task_runs[source] = None
        return tuple(task_runs)

    def _proceed(self, task_runs: Iterable[TaskRun]) -> None:
        """Let task runs count one thing less to wait for, without recursion down a long chain."""
        for task_run in task_runs:
            task_run.waiting -= 1
            if not task_run.waiting:
                self._ready.append(task_run)
        if self._draining or not self._ready:
            return
        self._draining = True
        try:
            while self._ready:
                self._ready.popleft().proceed()
        finally:
            self._draining = False

    def released(self, task_run: TaskRun) -> None:
        """Let one task run count one thing less to wait for."""
        self._proceed((task_run,))

    def settled(self, task_run: TaskRun) -> None:
        """Hear that a task run is final."""
        self._open -= 1
        if task_run.state.is_failed():
            self.fail_fast(task_run)
        if task_run.dependents:
            self._proceed(task_run.dependents)
        if not self._open and self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def paused(self) -> None:
        """Hear that a task run waits until somebody resumes it."""
        raise AssertionError(f"every kind of flow run can pause, {type(self).__name__} too")

    def stepped_back(self) -> None:
        """Hear that a task run, which could have begun, waits for something upstream again."""
        if self._pauses is not None:
            self._pauses.look()

    def fail_fast(self, task_run: TaskRun) -> None:
        """Cancel everything because of a task run that has failed or will, if the flow fails fast."""
        if not self.flow.fail_fast or self.cancel_reason:
            return
        self._failed_fast = task_run
        self.cancel_reason = f"Task {task_run.name!r} failed and the flow fails fast."
        self._cancel_main()

    def _cancel_main(self) -> None:
        if self._main is not None and self._begun:
            self._main.cancel()
            self.unheeded.add(None)

    def body_task(self) -> asyncio.Task[Any] | None:
        """Return the asyncio task that runs the flow's body while it does."""
        return self._main if self._in_body else None

    def fails_fast_for(self, task_run: TaskRun) -> bool:
        """Whether everything is being cancelled because of this task run."""
        return self._failed_fast is task_run

    def leave(self, error: SystemExit) -> None:
        """End the run because a body called `sys.exit`; whoever waits for the run gets the SystemExit."""
        self._leaving = error
        self.cancel("A task called sys.exit.")

    def spawn(
        self, coroutine: Coroutine[Any, Any, None], name: str, context: contextvars.Context | None
    ) -> asyncio.Task[None]:
        """Start the asyncio task of a task run, which keeps it, in the context of its call."""
        return self._loop.create_task(coroutine, name=name, context=context)

    async def child(self, flow: Flow[..., Any], parameters: Mapping[str, Any]) -> Self:
        """Return a run of a child flow, ready to begin."""
        raise AssertionError(f"no run can be made of {flow!r} with {parameters}: this class is not whole")

    async def finish_inside(self) -> NoReturn:
        """Run as the body of a task run of the parent flow, and end that task run in the same state."""
        raise AssertionError(f"every kind of flow run can be a child, {type(self).__name__} too")
