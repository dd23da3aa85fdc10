"""One task run: from its call to its final state.

A task run is a handle while it is wired, a record while it runs, and the observer of its own attempts: the
guard tells it how each one began and ended, and it turns that into states, asks the handlers and commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from typing import TYPE_CHECKING, Any, NoReturn, cast

from asyncflow.engine.bodies import body_of
from asyncflow.engine.handlers import consult
from asyncflow.errors import HandlerFailed, InvalidFlow, LateEdge, NotInFlow, TaskFailed
from asyncflow.events import Kind
from asyncflow.guard.pipeline import outcome_of
from asyncflow.handles import Handle, scope, substitute
from asyncflow.outcomes import (
    ENOUGH,
    Again,
    Decision,
    Enough,
    Outcome,
    Raised,
    Refused,
    Returned,
    Signalled,
    TimedOut,
)
from asyncflow.policy.retry import decide
from asyncflow.signals import Signal
from asyncflow.states import (
    Cancelled,
    Failed,
    Pending,
    Retrying,
    Running,
    Skipped,
    State,
    Success,
    TriggerFailed,
    check_move,
)
from asyncflow.states import TimedOut as TimedOutState
from asyncflow.task import Task
from asyncflow.triggers import all_successful

if TYPE_CHECKING:
    from asyncflow.engine.flow_run import FlowRun

_PENDING = Pending()
_RUNNING = Running()
_NO_KWARGS: dict[str, Any] = {}
_BEGUN = -1
"""What `waiting` says once a task run has taken its first step: no edge can be added any more."""


class TaskRun(Handle[Any]):
    """One run of a task inside a flow run; also the handle that calling the task gave.

    Attributes:
        run: the flow run that owns it.
        task: what is run.
        number: its place among the flow run's calls, from 1.
        place: which call of that name it is, from 1; negative when another asyncio task than the flow's
            body made the call, so that the order may differ from run to run.
        fed_by: the task runs whose values are in the arguments, each once.
        ordered_after: the task runs that only have to be final first.
        state: where it is now.
        attempt: the number of the newest attempt, 0 before the first.
        awaited: whether the flow's body awaited it, and so got to know its failure.
    """

    __slots__ = (
        "_asked",
        "_asyncio",
        "_started",
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

    def __init__(
        self,
        run: FlowRun,
        task: Task[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        fed_by: tuple[TaskRun, ...],
        number: int,
        place: int,
    ) -> None:
        self.run = run
        self.task = task
        self.args = args
        self.kwargs = kwargs or _NO_KWARGS
        self.number = number
        self.place = place
        self.state: State = _PENDING
        self.attempt = 0
        self._asked = False
        self.awaited = False
        self.dependents: list[TaskRun] | None = None
        self.waiting = 0
        self._asyncio: asyncio.Task[None] | None = None
        self._waiters: list[asyncio.Future[None]] | None = None
        self.fed_by = fed_by
        self.ordered_after: tuple[TaskRun, ...] = ()
        if fed_by:
            self._wait_for(fed_by)

    # ------------------------------------------------------------------ as a handle

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
    def upstream(self) -> tuple[TaskRun, ...]:
        """The task runs that have to be final first, each once."""
        return self.fed_by + self.ordered_after if self.ordered_after else self.fed_by

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
        if self.waiting == _BEGUN or self.state.final:
            raise LateEdge(
                f"task {self.name!r} has already started; set_upstream belongs right after the call, "
                "before anything is awaited"
            )
        for other in self.run.own(others):
            if other is self or self._leads_to(other):
                raise InvalidFlow(
                    f"Cycle found; flows must be acyclic: {other.name!r} can't be upstream of {self.name!r}, "
                    f"which it waits for itself"
                )
            if other not in self.upstream:
                self.ordered_after = (*self.ordered_after, other)
                self._asked = False
                self._wait_for((other,))
                self.run.emit("edge_added", self.number, 0, {"upstream": other.number})

    def _wait_for(self, others: tuple[TaskRun, ...]) -> None:
        for other in others:
            if other.dependents is None:
                other.dependents = []  # final or not: it has a dependent, so it is no terminal task
            if not other.state.final:
                other.dependents.append(self)
                self.waiting += 1

    def _leads_to(self, other: TaskRun) -> bool:
        """Whether `other` waits for this one, directly or through others."""
        seen = {self.number}
        ahead = [self]
        for task_run in ahead:
            for dependent in task_run.dependents or ():
                if dependent is other:
                    return True
                if dependent.number not in seen:
                    seen.add(dependent.number)
                    ahead.append(dependent)
        return False

    def __await__(self) -> Generator[Any, None, Any]:
        if scope.get() is self.run:
            self.awaited = True
        if not self.state.final:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            if self._waiters is None:
                self._waiters = [future]
            else:
                self._waiters.append(future)
            yield from future
        return self.value()

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
        raise error.with_traceback(error.__traceback__)

    def error(self) -> BaseException | None:
        """Return what awaiting this handle raises; None unless the task run has failed."""
        state = self.state
        if not state.is_failed():
            return None
        result = state.result
        if isinstance(result, BaseException) and not isinstance(result, Signal):
            return result
        signal = result if isinstance(result, Signal) else None
        return TaskFailed(f"task {self.name!r} ended {state.name}: {state.message}", state, signal)

    def is_success(self) -> bool:
        """Whether the state counts as success."""
        return self.state.is_success()

    def is_failed(self) -> bool:
        """Whether the state counts as failure."""
        return self.state.is_failed()

    def is_final(self) -> bool:
        """Whether the task run has ended."""
        return self.state.is_final()

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

    def call_flow(self, flow: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> NoReturn:
        """Refuse: only a flow's body calls child flows."""
        del args, kwargs
        raise NotInFlow(
            f"flow {flow.name!r} was called inside the body of task {self.name!r}; call it in a flow's body"
        )

    @property
    def remaining(self) -> float | None:
        """Seconds until the running attempt times out; None when it has no timeout."""
        timeout = self.task.policy.plan.timeout
        return None if timeout is None else max(0.0, self._started + timeout - self.run.offset())

    @property
    def idempotency_key(self) -> str:
        """Names this task run for other systems: the same over all its attempts."""
        return f"{self.run.id}/{self.key}"

    def log_context(self) -> dict[str, Any]:
        """Return where a log line of the body belongs."""
        return {**self.run.log_context(), "task": self.name, "attempt": self.attempt}

    # ------------------------------------------------------------------ from pending to running

    def start(self) -> None:
        """Start the asyncio task; edges may still be added until its first step, on the next loop turn."""
        self._asyncio = self.run.spawn(self._play(), self.task.name)

    def proceed(self) -> None:
        """Ask the trigger and start, now that everything upstream is final."""
        if self.waiting or self._asyncio is not None or self.state is not _PENDING:
            return
        refused = self._refused_by_upstream()
        if refused is None:
            self._asked = True
            self.start()
        else:
            self._end_unstarted(refused)

    def _end_unstarted(self, state: State) -> None:
        """Go to `state` without an attempt; handlers, which may wait, are asked in an asyncio task."""
        if not self.task.has_handlers:
            self._commit(state)
            return
        self.waiting = _BEGUN
        self._asyncio = self.run.spawn(self._play(state), self.task.name)
        self._asyncio.add_done_callback(self._left)

    def _left(self, _task: asyncio.Task[None]) -> None:
        """Commit what a cancellation before the asyncio task's first step left open."""
        if not self.state.final:
            self._commit(Cancelled(self.run.cancel_reason))

    def _refused_by_upstream(self) -> State | None:
        """Return the state that a skip upstream or the trigger asks for, or None to run."""
        upstream = self.upstream if self.ordered_after else self.fed_by
        if self.task.trigger is all_successful:
            for other in upstream:
                if type(other.state) is not Success:
                    break
            else:
                return None
        states = [other.state for other in upstream]
        if self.task.skip_on_upstream_skip and any(type(state) is Skipped for state in states):
            return Skipped("Something upstream was skipped; skip_on_upstream_skip=False would run the task.")
        try:
            if self.task.trigger(states):
                return None
        except Signal as signal:
            return self._state_after(signal)
        except Exception as error:  # noqa: BLE001 - a broken trigger refuses, and says why
            return TriggerFailed(f"Unexpected error while checking task trigger: {error!r}", error)
        name = getattr(self.task.trigger, "__name__", "trigger")
        return TriggerFailed(f'Trigger was "{name}" and said no.')

    def _state_after(self, signal: Signal) -> State:
        """Return the state that a signal asks for where no attempt was made."""
        decision = decide(None, Signalled(signal), 0, self.run.chance, self.run.wall())
        return self._proposal(Signalled(signal), decision)

    async def _play(self, instead: State | None = None) -> None:
        """Run the attempts; the one asyncio task of this task run does nothing else.

        Args:
            instead: the state to go to without any attempt, for the handlers to see first.
        """
        if instead is None:
            if self.waiting:
                self._asyncio = None  # an edge was added since the start; `proceed` will start it again
                return
            self.waiting = _BEGUN
            if not self._asked and (self.fed_by or self.ordered_after):
                instead = self._refused_by_upstream()
        scope.set(self)
        try:
            if instead is None or await self._goes_on_after(instead):
                args, kwargs = self._arguments() if self.fed_by else (self.args, self.kwargs)
                await outcome_of(self.task.policy, body_of(self), args, kwargs, self, self._asyncio)
        except BaseException as error:
            if await self._leaves(error):
                raise
        finally:
            self._asyncio = None
            if not self.state.final:
                # Cancelled once more while the handlers were being asked: they had their chance.
                self._commit(Cancelled(self.run.cancel_reason))

    async def _leaves(self, error: BaseException) -> bool:
        """Record what ended the attempts from outside the guard; return whether it travels on."""
        if isinstance(error, Exception):
            # An element of an argument that is not there: `handle["key"]` found no such key.
            await self._consult_and_commit(self._failed(error))
            return False
        if not self.state.final:
            if isinstance(error, asyncio.CancelledError):
                await self._consult_and_commit(Cancelled(self.run.cancel_reason))
            else:
                self._commit(Failed(f"{type(error).__name__} left the run.", error))
        if isinstance(error, SystemExit):
            self.run.leave(error)
            return False
        return True

    async def _goes_on_after(self, proposed: State) -> bool:
        await self._consult_and_commit(proposed)
        if not isinstance(self.state, Retrying):
            return False
        await asyncio.sleep(self.state.detail.get("delay", 0.0))
        return True

    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args = tuple(
            [
                value.state.result
                if type(value) is TaskRun and type(value.state) is Success
                else substitute(value, value_downstream)
                for value in self.args
            ]
        )
        kwargs = {name: substitute(value, value_downstream) for name, value in self.kwargs.items()}
        return args, kwargs

    # ------------------------------------------------------------------ as the observer of attempts

    def attempt_started(self, attempt: int) -> Awaitable[Decision | None] | None:
        """Move to Running, unless a handler has other plans."""
        self.attempt = attempt
        if self.task.policy.timeout is not None:
            self._started = self.run.offset()
        if self.task.has_handlers:
            return self._start_with_handlers()
        self._commit(_RUNNING)
        return None

    async def _start_with_handlers(self) -> Decision | None:
        await self._consult_and_commit(_RUNNING)
        return None if self.state is _RUNNING else self._decision()

    def attempt_ended(
        self, attempt: int, outcome: Outcome, decision: Decision
    ) -> Awaitable[Decision] | Decision:
        """Turn what the attempt came to into a state, ask the handlers and commit."""
        if type(outcome) is Returned and type(decision) is Enough:
            proposed: State = Success("", outcome.value, None if attempt == 1 else {"how": "after retry"})
        else:
            proposed = self._proposal(outcome, decision)
        if self.task.has_handlers:
            return self._end_with_handlers(proposed)
        self._commit(proposed)
        return decision

    async def _end_with_handlers(self, proposed: State) -> Decision:
        await self._consult_and_commit(proposed)
        return self._decision()

    def _decision(self) -> Decision:
        """Return the committed state as the guard's order to go on or to stop."""
        if isinstance(self.state, Retrying):
            return Again(float(self.state.detail.get("delay", 0.0)), self.state.message)
        return ENOUGH

    def note(self, kind: str, detail: dict[str, Any]) -> None:
        """Record what is not an attempt."""
        self.run.emit(cast("Kind", kind), self.number, self.attempt, detail)

    def _proposal(self, outcome: Outcome, decision: Decision) -> State:
        if isinstance(decision, Again):
            detail = {"delay": decision.delay, "reason": decision.reason, **(decision.detail or {})}
            if isinstance(outcome, Refused):
                detail["called"] = False
            return Retrying(decision.reason, _error_in(outcome), detail)
        return self._final_state(outcome, decision)

    def _final_state(self, outcome: Outcome, decision: Enough) -> State:
        detail = {"reason": decision.reason, **(decision.detail or {})} if decision.reason else None
        match outcome:
            case Signalled(signal):
                return signal.to_state()
            case TimedOut(error):
                self._add_note(error)
                return TimedOutState(str(error), error, detail)
            case Refused(rejection):
                return Failed(str(rejection), rejection, {**(detail or {}), "called": False})
            case Raised(raised):
                return self._failed(raised, detail)
            case Returned(value):
                return Failed("The result was not acceptable and no attempts were left.", value, detail)

    def _failed(self, error: BaseException, detail: dict[str, Any] | None = None) -> Failed:
        self._add_note(error)
        return Failed(f"{type(error).__name__}: {error}", error, detail)

    def _add_note(self, error: BaseException) -> None:
        note = f"in task {self.name!r}, attempt {self.attempt}, of flow run {self.run.name!r}"
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)

    # ------------------------------------------------------------------ changing state

    async def _consult_and_commit(self, proposed: State) -> None:
        """Let the handlers have their say, then commit what they left."""
        if self.task.has_handlers:
            proposed = await self._after_handlers(proposed)
        self._commit(proposed)

    async def _after_handlers(self, proposed: State) -> State:
        task = self.task
        try:
            return await consult(self, task.state_handlers, task.on_failure, self.state, proposed)
        except Signal as signal:
            outcome = Signalled(signal)
            decision = decide(task.policy.plan.retry, outcome, self.attempt, self.run.chance, self.run.wall())
            return self._proposal(outcome, decision)
        except HandlerFailed as error:
            self.note("handler_failed", {"error": str(error)})
            return Failed(str(error), error)

    def _commit(self, state: State) -> None:
        if type(state) not in self.state.leads_to:
            check_move(self.state, state)
        self.state = state
        self.run.emit("state_changed", self.number, self.attempt, state)
        if state.final:
            self._settle()

    def _settle(self) -> None:
        """Tell those who wait for this task run; its arguments are of no more use."""
        self.args, self.kwargs = (), _NO_KWARGS
        if self._waiters is not None:
            for future in self._waiters:
                if not future.done():
                    future.set_result(None)
            self._waiters = None
        self.run.settled(self)

    def cancel(self) -> None:
        """Cancel the task run: at once when it waits, by cancelling its attempt when it runs."""
        if self.state.final:
            return
        starting, begun = self._asyncio, self.waiting == _BEGUN
        if starting is not None:
            starting.cancel()
        if not begun:
            self._end_unstarted(Cancelled(self.run.cancel_reason))

    # ------------------------------------------------------------------ as data

    def to_json(self) -> dict[str, Any]:
        """Return the detail of the event `task_called`."""
        return {"name": self.name, "key": self.key, "upstream": [other.number for other in self.fed_by]}


def value_downstream(handle: Handle[Any]) -> Any:
    """Return what a dependent receives: the result, or the exception of a failure that it chose to run on."""
    task_run = cast("TaskRun", handle)
    return task_run.state.result if task_run.state.is_success() else task_run.error()


def _error_in(outcome: Outcome) -> BaseException | None:
    match outcome:
        case Raised(error) | TimedOut(error) | Refused(error):
            return error
        case Signalled(signal):
            return signal
        case Returned():
            return None
