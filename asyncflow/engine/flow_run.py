"""One flow run: it owns its task runs, and is not final while one of them is not."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from threading import get_ident
from typing import Any, NoReturn

from asyncflow import ambient
from asyncflow.engine import collector
from asyncflow.engine.conclusion import after_returned, after_signal, final_state
from asyncflow.engine.face import CANCELLED, RunFace
from asyncflow.engine.handlers import consult
from asyncflow.engine.options import RunOptions
from asyncflow.engine.record import Record
from asyncflow.engine.task_run import TaskRun
from asyncflow.engine.task_runs import TaskRuns
from asyncflow.engine.wiring import value_downstream
from asyncflow.errors import HandlerFailed, InvalidFlow, UsageError, full_text_of
from asyncflow.flow import Flow
from asyncflow.handles import PLAIN, Handle, find_handles, scope, source_of, substitute
from asyncflow.ports import Store
from asyncflow.signals import ENDRUN, Signal, sole_signal
from asyncflow.states import Cancelled, Failed, Pending, Running, State, Success, check_move
from asyncflow.task import Task


class FlowRun(RunFace):
    """One run of a flow; what `flow.run()` and `await flow.start()` return.

    Attributes:
        emit: appends an event to the record.
        wall: the world's wall clock.
        chance: the random stream from which backoff is drawn.
        faults: who is asked whether a fault strikes, or None.
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
        "_keys",
        "_loop",
        "_open",
        "_parameters",
        "_ready",
        "_references",
        "_takes_calls",
        "_thread",
        "chance",
        "create_future",
        "emit",
        "faults",
        "options",
        "wall",
    )

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
        self._parameters = parameters
        world = ambient.world()
        self.wall = world.wall
        self.chance = world.stream("backoff")
        self.faults = options.faults
        self.record = Record(flow.name, parameters, store, options, world, owned_store)
        self.emit = self.record.emit
        self.state: State = Pending()
        self._called: list[TaskRun] = []
        self.tasks = TaskRuns(self._called)
        self.cancel_reason = ""
        self._loop = asyncio.get_running_loop()
        self.create_future = self._loop.create_future
        self._thread = get_ident()
        self._main: asyncio.Task[Any] | None = None
        self._begun = self._ended = False
        self._takes_calls = False
        self._counts: dict[str, int] = {}
        self._foreign_counts: dict[str, int] = {}
        self._keys: set[tuple[str, str]] = set()
        self._ready: deque[TaskRun] = deque()
        self._draining = False
        self._open = 0
        self._idle: asyncio.Future[None] | None = None
        self._references: Sequence[TaskRun] | None = None
        self._failed_fast: TaskRun | None = None
        self._leaving: SystemExit | None = None
        self._calm = False

    # ------------------------------------------------------------------ for those who assemble runs

    def set_reference_tasks(self, handles: Sequence[Handle[Any]]) -> None:
        """Let these task runs decide the final state, instead of the terminal ones."""
        self._references = self.own(handles)

    def leave(self, error: SystemExit) -> None:
        """End the run because a body called `sys.exit`; whoever waits for the run gets the SystemExit."""
        self._leaving = error
        self.cancel("A task called sys.exit.")

    def abandon(self) -> None:
        """Leave the run where it is, without waiting for anything: its end will not be recorded."""
        self.record.store.abandon()
        self._loop.set_exception_handler(lambda _loop, _context: None)  # what was left needs no complaint

    # ------------------------------------------------------------------ as the scope of calls

    def call(self, task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> TaskRun:
        """Make a task run of a call; it starts at the earliest on the next turn of the loop."""
        if not self._takes_calls:
            raise UsageError(
                f"task {task.name!r} was called before or after the body of flow run {self.name!r}; "
                "call tasks in the body, not in the flow's state handlers or when it has ended"
            )
        if get_ident() != self._thread:
            # The loop would not notice it before it wakes by itself.
            raise UsageError(
                f"task {task.name!r} was called in another thread than the one of flow run {self.name!r}; "
                "call tasks in the flow's body, or make what runs in the thread a task itself"
            )
        if task.key is not None:
            self._claim(task.name, task.key)
        if self._adapt is not None:
            task = self._adapt(task)
        fed_by = self._sources_of(args, kwargs) if args or kwargs else ()
        foreign = asyncio.current_task(self._loop) is not self._main
        counts = self._foreign_counts if foreign else self._counts
        name = task.name
        counts[name] = count = counts.get(name, 0) + 1
        number = len(self._called) + 1
        task_run = TaskRun(self, task, args, kwargs, fed_by, number, -count if foreign else count)
        self._called.append(task_run)
        self._open += 1
        if number == collector.LARGE:
            self._calm = collector.enter()
        self.emit("task_called", number, 0, task_run)
        if not task_run.waiting:
            task_run.start()
        return task_run

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
            run = FlowRun(flow, flow.bind(args, kwargs), self.record.store, self.options.for_child(self.id))
            await run.finish_inside()

        return self.call(Task(child, name=flow.name), args, kwargs)

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

    def settled(self, task_run: TaskRun) -> None:
        """Hear that a task run is final."""
        self._open -= 1
        if self.flow.fail_fast and not self.cancel_reason and task_run.state.is_failed():
            self._fail_fast(task_run)
        if task_run.dependents:
            self._proceed(task_run.dependents)
        if not self._open and self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def spawn(
        self, coroutine: Coroutine[Any, Any, None], name: str, context: contextvars.Context | None
    ) -> asyncio.Task[None]:
        """Start the asyncio task of a task run, which keeps it, in the context of its call."""
        return self._loop.create_task(coroutine, name=name, context=context)

    # ------------------------------------------------------------------ the run itself

    def begin(self) -> None:
        """Start the run as an asyncio task of its own, which this object keeps."""
        self._main = self._loop.create_task(self._execute(), name=f"flow {self.flow.name}")
        self._main.add_done_callback(self._left)

    def _left(self, _main: asyncio.Task[Any]) -> None:
        """Settle what was left open by a KeyboardInterrupt, or a loop that ended before the first step."""
        if not self.state.final:
            self.state = Cancelled(self.cancel_reason or "The event loop ended before the run did.")

    async def finish_inside(self) -> NoReturn:
        """Run as the body of a task run of the parent flow, and end that task run in the same state."""
        self.begin()
        await self.to_its_end("The parent's task run was cancelled.")
        raise ENDRUN(self.state)

    async def _execute(self) -> None:
        self._begun = True
        scope.set(self)
        self.record.begin()
        try:
            final = await self._final_state()
        except asyncio.CancelledError:
            # Cancelled once more while the handlers were being asked: they had their chance.
            final = self._cancelled()
        finally:
            if self._calm:
                collector.leave()
        await self._end(final)

    async def _final_state(self) -> State:
        """Return the state in which the run ends, after the handlers."""
        proposed: State | None = None
        try:
            # The reason is there already when the run was cancelled before its first step.
            proposed = self._cancelled() if self.cancel_reason else await self._body_and_tasks()
            return await self._after_handlers(proposed)
        except asyncio.CancelledError:
            if proposed is not None and proposed.is_cancelled():
                raise
            return await self._after_handlers(self._cancelled())

    def _cancelled(self) -> Cancelled:
        return Cancelled(self.cancel_reason or CANCELLED)

    async def _body_and_tasks(self) -> State:
        """Run the body and all its task runs to their ends; return the state that the flow run goes to."""
        running = await self._after_handlers(Running())
        if running.is_final():
            return running
        check_move(self.state, running)
        self.emit("state_changed", 0, 0, running)
        self.state = running
        self._takes_calls = True
        value, error = await self._body()
        await self._wait_for_tasks()
        self._takes_calls = False
        if self._failed_fast is not None:
            return self._failed_fast_state(self._failed_fast)
        if self.cancel_reason:
            return self._cancelled()
        try:
            return self._conclude(value, error)
        except Exception as problem:  # noqa: BLE001 - such as an element that is not there
            return Failed(f"The flow's result can't be had: {full_text_of(problem)}", problem)

    async def _body(self) -> tuple[Any, BaseException | None]:
        """Run the body; return its value and what it raised. If it was cancelled so are its task runs."""
        value: Any = None
        error: BaseException | None = None
        try:
            value = self.flow.fn(**self._parameters)
            self._parameters = {}  # the body has them; they may be large
            if asyncio.iscoroutine(value):
                value = await value
        except asyncio.CancelledError:
            self._cancel_tasks()
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # noqa: BLE001 - whatever the body raises is the flow's failure
            error = sole_signal(raised)
            if isinstance(error, SystemExit):
                self._leaving = error
        if self._main is not None and self._main.cancelling():
            self._cancel_tasks()  # also when the body swallowed it
        return value, error

    async def _wait_for_tasks(self) -> None:
        """Wait until every task run is final, and cancel them all when the run is cancelled meanwhile."""
        while self._open:
            self._idle = self._loop.create_future()
            try:
                await self._idle
            except asyncio.CancelledError:
                self._cancel_tasks()

    def _cancel_tasks(self) -> None:
        """Cancel all task runs; those that wait for others are cancelled with them and ask no trigger."""
        self.cancel_reason = self.cancel_reason or CANCELLED
        self._draining = True
        try:
            for task_run in list(self.tasks):
                task_run.cancel()
        finally:
            self._draining = False
        self._proceed(())

    def _fail_fast(self, task_run: TaskRun) -> None:
        self._failed_fast = task_run
        self.cancel_reason = f"Task {task_run.name!r} failed and the flow fails fast."
        if self._main is not None:
            self._main.cancel()

    def _failed_fast_state(self, task_run: TaskRun) -> State:
        return Failed(f"Task {task_run.name!r} failed and the flow fails fast.", task_run.error())

    def _conclude(self, value: Any, error: BaseException | None) -> State:
        if isinstance(error, Signal):
            return after_signal(error)
        if error is not None:
            return Failed(f"The flow's body raised {full_text_of(error)}", error)
        if isinstance(value, State):
            return after_returned(value)
        returned: list[Handle[Any]] = []
        find_handles(value, returned)
        references = self._references if self._references is not None else self.own(returned)
        references = references or self.tasks.terminal()
        state = final_state(references)
        if not state.is_success():
            return state
        return Success(state.message, substitute(value, value_downstream))

    async def _after_handlers(self, proposed: State) -> State:
        flow = self.flow
        if not flow.state_handlers and flow.on_failure is None:
            return proposed
        try:
            return await consult(
                self, flow.state_handlers, flow.on_failure, self.state, proposed, retries=False
            )
        except Signal as signal:
            return after_signal(signal)
        except HandlerFailed as error:
            self.emit("handler_failed", 0, 0, {"error": str(error)})
            return Failed(str(error), error)

    async def _end(self, final: State) -> None:
        """Record the end, make the record last, and only then let the run be final."""
        self._ended = True
        check_move(self.state, final)
        self.emit("state_changed", 0, 0, final)
        try:
            await self.record.end(len(self._called), sum(task_run.attempt for task_run in self._called))
        finally:
            self.state = final
