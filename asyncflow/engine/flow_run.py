"""One flow run: it owns its task runs, and is not final while one of them is not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Self, cast

from asyncflow.engine import blocking, collector, leftovers
from asyncflow.engine.calling import Calling
from asyncflow.engine.conclusion import after_returned, after_signal, final_state
from asyncflow.engine.face import CANCELLED
from asyncflow.engine.handlers import consult
from asyncflow.engine.options import RunOptions
from asyncflow.engine.passes import Passes
from asyncflow.engine.pausing import ChildPaused, Pauses, paused_state
from asyncflow.engine.replay import Replay
from asyncflow.engine.resuming import found, reopened
from asyncflow.engine.rollback import rolled_back
from asyncflow.engine.shields import Shields
from asyncflow.engine.task_run import TaskRun
from asyncflow.engine.wiring import value_downstream
from asyncflow.errors import Diverged, HandlerFailed, full_text_of
from asyncflow.flow import Flow
from asyncflow.handles import Handle, find_handles, scope, substitute
from asyncflow.ports import Store
from asyncflow.signals import ENDRUN, Signal, sole_signal
from asyncflow.states import Cancelled, Failed, Paused, Running, State, Success, check_move


class FlowRun(Calling):
    """One run of a flow; what `flow.run()` and `await flow.start()` return."""

    __slots__ = ("_references", "_replay", "_shields", "parameters")

    def __init__(
        self,
        flow: Flow[..., Any],
        parameters: Mapping[str, Any],
        store: Store,
        options: RunOptions,
        owned_store: Store | None = None,
    ) -> None:
        super().__init__(flow, parameters, store, options, owned_store)
        self.parameters = parameters
        self._references: Sequence[TaskRun] | None = None
        self._shields = Shields()
        self._replay: Replay | None = None
        if options.resumption is not None:
            self._replay = Replay(self, options.resumption)
            self.state = options.resumption.past.state

    # ------------------------------------------------------------------ for those who assemble runs

    def set_reference_tasks(self, handles: Sequence[Handle[Any]]) -> None:
        """Let these task runs decide the final state, instead of the terminal ones."""
        self._references = self.own(handles)

    def abandon(self) -> None:
        """Leave the run where it is, without waiting for anything: its end will not be recorded."""
        self.record.store.abandon()
        self.limits.abandon()
        self._loop.set_exception_handler(lambda _loop, _context: None)  # what was left needs no complaint

    # ------------------------------------------------------------------ for bodies

    @property
    def resumed(self) -> bool:
        """Whether the run was paused, and somebody resumed it; its body runs again from the beginning."""
        return self._replay is not None

    @property
    def input(self) -> Any:
        """What was given when the run was resumed; None before."""
        return None if self.options.resumption is None else self.options.resumption.input

    # ------------------------------------------------------------------ the run itself

    def begin(self) -> None:
        """Start the run as an asyncio task of its own, which this object keeps."""
        self._main = self._loop.create_task(self._execute(), name=f"flow {self.flow.name}")
        self._main.add_done_callback(self._left)

    def _left(self, _main: asyncio.Task[Any]) -> None:
        """Settle what was left open by a KeyboardInterrupt, or a loop that ended before the first step."""
        if not self.state.final and not self.state.is_paused():
            self.state = Cancelled(self.cancel_reason or "The event loop ended before the run did.")

    async def finish_inside(self) -> NoReturn:
        """Run as the body of a task run of the parent flow, and end that task run in the same state."""
        self.begin()
        try:
            await self.to_its_end("The parent's task run was cancelled.")
        except Diverged as error:
            raise ChildPaused(str(error), self.id) from None
        if self.state.is_paused():
            raise ChildPaused(self.state.message, self.id)
        raise ENDRUN(self.state)

    async def child(self, flow: Flow[..., Any], parameters: Mapping[str, Any]) -> Self:
        """Return a run of a child flow: the one that paused when there is one, else a new one."""
        store, options = self.record.store, self.options.for_child(self.id)
        passes: Passes = cast("TaskRun", scope.get()).passes
        if passes.child is not None:
            child_id, passes.child = passes.child, None
            header, past = await found(store, child_id)
            options = options.for_child(self.id, await reopened(store, header, past, passes.input))
        return type(self)(flow, parameters, store, options)

    async def _execute(self) -> None:
        self._begun = True
        scope.set(self)
        self._record_begin()
        watchdog = blocking.watch()
        try:
            final = await self._final_state()
        except asyncio.CancelledError:
            # Cancelled once more while the handlers were being asked: they had their chance.
            final = self._cancelled()
        finally:
            watchdog.unwatch()
            self.unheeded.stop()
            if self._calm:
                collector.leave()
        if self._open and final.is_final():
            # A handler ended a run that was to pause.
            self._cancel_tasks(f"The flow run ended {final.name} while the task run was paused.")
            await self._wait_for_tasks()
        if self.effects and final.is_failed():
            self._ended = True  # undone is undone: a cancellation comes too late
            final = await rolled_back(self, final)
        await self._end(final)
        if self._replay is not None and self._replay.diverged is not None:
            raise self._replay.diverged

    def _record_begin(self) -> None:
        resumption = self.options.resumption
        if resumption is None:
            self.record.begin()
        else:
            going_on = [key for key, task in resumption.past.tasks.items() if resumption.goes_on(task)]
            self.record.resume(going_on, resumption.input)

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
        return Cancelled(f"{self.cancel_reason or CANCELLED}{self.unheeded.sentence()}")

    async def _body_and_tasks(self) -> State:
        """Run the body and all its task runs to their ends; return the state that the flow run goes to."""
        running = await self._after_handlers(Running())
        if running.is_final():
            return running
        check_move(self.state, running)
        self.emit("state_changed", 0, 0, running)
        self.state = running
        self._takes_calls = True
        if self._replay is not None:
            self._pauses = Pauses(self)
            self._replay.begin()
        self._in_body = True
        value, error = await self._body()
        self._in_body = False
        if self._replay is not None and not self._is_closed() and not self.cancel_reason:
            self._replay.body_ended()
        if self._replay is not None and self._replay.diverged is not None and not self.cancel_reason:
            return await self._stop()
        await self._wait_for_tasks()
        self._takes_calls = False
        self.parameters = {}  # nobody asks any more; they may be large
        if self._failed_fast is not None:
            return self._failed_fast_state(self._failed_fast)
        if self.cancel_reason:
            return self._cancelled()
        if self._open:
            return self._rest()
        try:
            return self._conclude(value, error)
        except Exception as problem:  # noqa: BLE001 - such as an element that is not there
            return Failed(f"The flow's result can't be had: {full_text_of(problem)}", problem)

    async def _body(self) -> tuple[Any, BaseException | None]:
        """Run the body; return its value and what it raised. If it was cancelled so are its task runs."""
        value: Any = None
        error: BaseException | None = None
        try:
            value = self.flow.fn(**self.parameters)
            if asyncio.iscoroutine(value):
                value = await value
        except asyncio.CancelledError:
            if not self._is_closed():
                self._cancel_tasks()
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # noqa: BLE001 - whatever the body raises is the flow's failure
            error = sole_signal(raised)
            if isinstance(error, SystemExit):
                self._leaving = error
        if self._main is not None and self._main.cancelling() > self._is_closed():
            self._cancel_tasks()  # also when the body swallowed it
        return value, error

    async def _wait_for_tasks(self) -> None:
        """Wait until every task run is final, and cancel them all when the run is cancelled meanwhile.

        A run that rests stops waiting: what is not final then is paused, or depends on what is.
        """
        while self._open and (self.cancel_reason or not self._is_closed()):
            self._idle = self._loop.create_future()
            if self._pauses is not None:
                self._pauses.look()
            try:
                await self._idle
            except asyncio.CancelledError:
                self._cancel_tasks()
        self._shields.close()

    # ------------------------------------------------------------------ pausing

    def paused(self) -> None:
        """Hear that a task run waits until somebody resumes it."""
        if self._pauses is None:
            self._pauses = Pauses(self)
        self._pauses.look()

    def body_waits(self) -> bool:
        """Whether the body is at its end, or it or an asyncio task of its own waits for a task run."""
        return self._idle is not None or any(task_run.is_awaited() for task_run in self.tasks)

    def close(self) -> None:
        """End the body where it waits, since nothing but a resume would go on; it makes no more calls."""
        self._takes_calls = False
        if self._idle is None and self._main is not None:
            self._main.cancel()
        elif self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def goes_on(self) -> bool:
        """Whether a replay has something to deliver still, although nothing is in flight."""
        return self._replay is not None and self._replay.unstick()

    async def _stop(self) -> Paused:
        """Leave the run as it was before it was resumed, since its body does not follow the journal."""
        self._takes_calls = False
        flights = [flight for task_run in self.tasks for flight in task_run.stop()]
        if flights:
            await asyncio.wait(flights)
        for task_run in self.tasks:
            task_run.let_go()
        assert self.options.resumption is not None
        before = self.options.resumption.past.state
        return Paused(before.message, None, before.detail)

    def _is_closed(self) -> bool:
        return self._pauses is not None and self._pauses.is_closed

    def _rest(self) -> Paused:
        """Return the state of a run in which only paused task runs remain, and let go of who waits."""
        left = [task_run for task_run in self.tasks if not task_run.state.final]
        for task_run in left:
            task_run.let_go()
        return paused_state([task_run for task_run in left if task_run.state.is_paused()])

    # ------------------------------------------------------------------ ending

    def _cancel_tasks(self, reason: str = CANCELLED) -> None:
        """Cancel all task runs; those that wait for others are cancelled with them and ask no trigger."""
        self.cancel_reason = self.cancel_reason or reason
        if self._replay is not None:
            self._replay.deliver_all()
        self._draining = True
        try:
            self._shields.cancel(list(self.tasks))
        finally:
            self._draining = False
        self._proceed(())

    def _failed_fast_state(self, task_run: TaskRun) -> State:
        return Failed(f"{self.cancel_reason}{self.unheeded.sentence()}", task_run.error())

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
        """Record the end or the rest, make the record last, and only then let the run be in that state."""
        if final.is_final():
            leftovers.warn(self)
        self._ended = True
        check_move(self.state, final)
        self.emit("state_changed", 0, 0, final)
        record = self.record.end if final.is_final() else self.record.rest
        try:
            attempts = sum(task_run.attempt for task_run in self._called) + self.element_attempts
            await record(len(self._called) + self.elements, attempts)
        finally:
            self.state = final
