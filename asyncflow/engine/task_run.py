"""One task run: from its call to its final state.

It is the observer of its own attempts: the guard tells it how each one began and ended, and it turns that
into states, asks the handlers and commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, cast

from asyncflow.engine.bodies import body_of
from asyncflow.engine.gates import refused_by
from asyncflow.engine.handlers import consult
from asyncflow.engine.passes import Passes, iterated
from asyncflow.engine.proposals import failed, proposal, succeeded
from asyncflow.engine.wiring import BEGUN, NO_KWARGS, PENDING, Wired, value_downstream
from asyncflow.errors import HandlerFailed, full_text_of
from asyncflow.events import Kind
from asyncflow.guard.pipeline import outcome_of
from asyncflow.handles import scope, substitute
from asyncflow.outcomes import ENOUGH, Again, Decision, Outcome, Returned, Signalled
from asyncflow.policy.retry import decide
from asyncflow.signals import LOOP, Signal, sole_signal
from asyncflow.states import (
    Cancelled,
    Failed,
    Paused,
    Retrying,
    Running,
    Skipped,
    State,
    Success,
    TriggerFailed,
    check_move,
)
from asyncflow.triggers import MANUAL, all_successful, manual_only

if TYPE_CHECKING:
    from asyncflow.engine.past import PastTask

_RUNNING = Running()


class TaskRun(Wired):
    """One run of a task inside a flow run; also the handle that calling the task gave."""

    __slots__ = ()

    # ------------------------------------------------------------------ from pending to running

    def start(self) -> None:
        """Start the asyncio task; edges may still be added until its first step, on the next loop turn."""
        self._asyncio = self.run.spawn(self._play(), self.task.name, self._context)

    def proceed(self) -> None:
        """Ask the trigger and start, now that everything upstream is final."""
        if self.waiting or self._asyncio is not None or self.state is not PENDING:
            return
        refused = self._refused_by_upstream()
        if refused is None:
            self._asked = True
            self.start()
        else:
            self._end_unstarted(refused)

    def _end_unstarted(self, state: State) -> None:
        """Go to `state` without an attempt; what may wait, such as handlers, gets an asyncio task."""
        if state.final and not self.task.has_handlers:
            self._commit(state)
            return
        self.waiting = BEGUN
        self._asyncio = self.run.spawn(self._play(state), self.task.name, self._context)
        self._asyncio.add_done_callback(self._left)

    def _left(self, _task: asyncio.Task[None]) -> None:
        """Commit what a cancellation before the asyncio task's first step left open."""
        if self._asyncio is not None and not self.state.final:
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
        if gates := self.run.gates.get(self):
            refused = refused_by(gates)
            upstream = tuple(other for other in upstream if other not in gates)
            if refused is not None or not upstream:
                return refused
        return self._refused_by([other.state for other in upstream])

    def _refused_by(self, states: list[State]) -> State | None:
        """Return the state that a skip among those upstream or the trigger asks for, or None to run."""
        if self.task.skip_on_upstream_skip and any(type(state) is Skipped for state in states):
            return Skipped("Something upstream was skipped; skip_on_upstream_skip=False would run the task.")
        try:
            if self.task.trigger(states):
                return None
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a broken trigger refuses, and says why
            return self._state_after(error)
        name = getattr(self.task.trigger, "__name__", "trigger")
        return TriggerFailed(f'Trigger was "{name}" and said no.')

    def _state_after(self, error: BaseException) -> State:
        """Return the state that a trigger's signal asks for, or the refusal of one that broke."""
        signal = sole_signal(error)
        if not isinstance(signal, Signal):
            why = f"Unexpected error while checking task trigger: {full_text_of(error)}"
            return TriggerFailed(why, error)
        decision = decide(None, Signalled(signal), 0, self.run.chance, self.run.wall())
        return proposal(Signalled(signal), decision, 0, "")

    async def _play(self, instead: State | None = None, made: tuple[int, int] = (0, 0)) -> None:
        """Run the attempts; the one asyncio task of this task run does nothing else.

        Args:
            instead: the state to go to without any attempt, for the handlers to see first.
            made: how many attempts there were before a pause, and how many of them no policy counts.
        """
        if instead is None:
            if self.waiting:
                self._asyncio = None  # an edge was added since the start; `proceed` will start it again
                self.run.stepped_back()
                return
            self.waiting = BEGUN
        scope.set(self)
        try:
            if instead is None and not self._asked:
                instead = self._refused_by_upstream()
            if instead is None or await self._goes_on_after(instead):
                args, kwargs = self._arguments() if self.fed_by else (self.args, self.kwargs)
                await outcome_of(self.task.policy, body_of(self), args, kwargs, self, self._asyncio, made)
        except BaseException as error:
            if await self._leaves(error):
                raise
        finally:
            self._asyncio = None
            if not self.state.final:
                self._stop_short()

    def _stop_short(self) -> None:
        """Wait for a resume, or be cancelled."""
        if type(self.state) is Paused and not self.run.cancel_reason:
            self.run.paused()
        else:
            # Cancelled once more while the handlers were being asked: they had their chance.
            self._commit(Cancelled(self.run.cancel_reason))

    async def _leaves(self, error: BaseException) -> bool:
        """Record what ended the attempts from outside the guard; return whether it travels on."""
        if isinstance(error, Exception):
            # An element of an argument that is not there: `handle["key"]` found no such key.
            await self._consult_and_commit(failed(error, self._where()))
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

    async def _goes_on_after(self, proposed: State | None) -> bool:
        """Go to a state without an attempt; return whether the body may run after all.

        A trigger or handler that asked for a wait is asked again after it.
        """
        while proposed is not None:
            await self._consult_and_commit(proposed)
            if self.state.final or type(self.state) is Paused:
                return False
            await asyncio.sleep(self.state.detail.get("delay", 0.0))
            proposed = self._refused_by_upstream()
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
        if not self.kwargs:
            return args, self.kwargs
        return args, {name: substitute(value, value_downstream) for name, value in self.kwargs.items()}

    # ------------------------------------------------------------------ in a run that is resumed

    def hold(self) -> None:
        """Wait, as for something upstream, until the journal's outcome is delivered or the pause is over."""
        self.waiting += 1

    def recall(self, past: PastTask) -> None:
        """Be final as the journal has it: no handler is asked, and nothing is recorded."""
        self.waiting = BEGUN
        self.attempt = past.attempt
        self.state = past.state
        self._settle()

    def go_on(self, passes: Passes, made: tuple[int, int]) -> None:
        """Run the body after a pause; whoever resumed it stands in for the trigger."""
        self._passes = passes
        self.waiting = 0
        self._asked = True
        self._asyncio = self.run.spawn(self._play(None, made), self.task.name, self._context)

    # ------------------------------------------------------------------ as the observer of attempts

    def attempt_started(self, attempt: int) -> Awaitable[Decision | None] | None:
        """Move to Running, unless a handler has other plans."""
        self.attempt = attempt
        if self.task.is_attended:
            return self._start_attended()
        self._commit(_RUNNING)
        if self.task.policy.timeout is not None:
            self._started = self.run.record.offset()
        return None

    async def _start_attended(self) -> Decision | None:
        """Start with handlers to ask, a cache to look into first, or somebody to wait for."""
        if self._waits_for_somebody():
            self.attempt = 0
            await self._consult_and_commit(Paused(MANUAL))
            return self._decision()
        if self.task.cache is not None and not hasattr(self, "_keeping"):
            hit = await self._looked()
            if hit is not None:
                await self._consult_and_commit(hit)
                return self._decision()
        await self._have_slots()
        try:
            await self._consult_and_commit(_RUNNING)
        except BaseException:
            self.attempt -= 1  # it has not begun
            raise
        self._started = self.run.record.offset()  # the time that handlers take is not the attempt's
        return None if self.state is _RUNNING else self._decision()

    async def _have_slots(self) -> None:
        """Take what an attempt needs; after the cache, since a hit needs none and nobody has one there."""

    def _waits_for_somebody(self) -> bool:
        """Whether nothing upstream was there to ask a trigger that pauses."""
        return self.task.trigger is manual_only and not self.passes.resumed and not self.upstream

    async def _looked(self) -> State | None:
        """Return the state of a cache hit; looking is no attempt."""
        from asyncflow.engine.cached import Keeping  # here, since most runs cache nothing

        attempt, self.attempt = self.attempt, 0
        self._keeping = Keeping(self)
        hit = await self._keeping.look(*self._arguments())
        if hit is None:
            self.attempt = attempt
        return hit

    def attempt_ended(
        self, attempt: int, outcome: Outcome, decision: Decision
    ) -> Awaitable[Decision] | Decision:
        """Turn what the attempt came to into a state, ask the handlers and commit."""
        if type(outcome) is Returned and decision is ENOUGH:
            proposed: State = succeeded(outcome.value, attempt if attempt == 1 else self._counted())
        else:
            proposed = self._proposed(outcome, decision)
        if self.task.is_attended:
            return self._end_attended(proposed)
        self._commit(proposed)
        return decision

    def _counted(self) -> int:
        """Return how many attempts there were, without those that only went on to another pass."""
        return self.attempt - self.passes.neutral

    def _proposed(self, outcome: Outcome, decision: Decision) -> State:
        """Return what an attempt's end makes of the task run; a LOOP takes it to the next iteration."""
        state = proposal(outcome, decision, self.attempt, self._where())
        if isinstance(state, Retrying) and isinstance(state.result, LOOP):
            if not hasattr(self, "_passes"):
                self._passes = Passes()
            self._passes.iterate(state.result.result)
            state = iterated(state, self._passes.loop_count)
        return state

    async def _end_attended(self, proposed: State) -> Decision:
        """End an attempt with handlers to ask, or a cache that keeps what they leave."""
        if self.task.cache is None:
            await self._consult_and_commit(proposed)
            return self._decision()
        proposed = self._keeping.instead_of(proposed)
        left = await self._consulted(proposed)
        if proposed.is_success():
            left = await self._keeping.keep(left)
        self._commit(left)
        if left.final:
            self._keeping.leave()
        return self._decision()

    def _decision(self) -> Decision:
        """Return the committed state as the guard's order to go on or to stop."""
        if isinstance(self.state, Retrying):
            detail = self.state.detail
            delay = float(detail.get("delay", 0.0))
            return Again(delay, self.state.message, afresh="iteration" in detail)
        return ENOUGH

    def note(self, kind: str, detail: dict[str, Any]) -> None:
        """Record what is not an attempt."""
        self.run.emit(cast("Kind", kind), self.number, self.attempt, detail)

    def _where(self) -> str:
        """Return the note that an error of the body gets."""
        return f"in task {self.name!r}, attempt {self.attempt}, of flow run {self.run.name!r}"

    # ------------------------------------------------------------------ changing state

    async def _consult_and_commit(self, proposed: State) -> None:
        """Let the handlers have their say, then commit what they left."""
        self._commit(await self._consulted(proposed))

    async def _consulted(self, proposed: State) -> State:
        """Return what the handlers leave of a state; no wait follows a cancellation."""
        if not self.task.has_handlers:
            return proposed
        left = await self._after_handlers(proposed)
        return left if left.final or not proposed.is_cancelled() else proposed

    async def _after_handlers(self, proposed: State) -> State:
        task = self.task
        try:
            return await consult(self, task.state_handlers, task.on_failure, self.state, proposed)
        except Signal as signal:
            outcome = Signalled(signal)
            retry = task.policy.plan.retry if self.attempt else None  # without an attempt none is repeated
            decision = decide(retry, outcome, self.attempt, self.run.chance, self.run.wall())
            return self._proposed(outcome, decision)
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
        self.args, self.kwargs, self._context = (), NO_KWARGS, None
        if self._waiters is not None:
            for future in self._waiters:
                if not future.done():
                    future.set_result(None)
            self._waiters = None
        self.run.settled(self)

    def asyncio_task(self) -> asyncio.Task[None] | None:
        """Return the asyncio task that makes the attempts; None before the first step and after the last."""
        return self._asyncio

    def is_in_flight(self) -> bool:
        """Whether an attempt, a wait or a handler is going on."""
        return self._asyncio is not None and not self.state.final

    def stop(self) -> list[asyncio.Task[None]]:
        """Cancel what is going on, and return it, to be waited for."""
        if self._asyncio is None or self.state.final:
            return []
        self._asyncio.cancel()
        return [self._asyncio]

    def cancel(self) -> None:
        """Cancel the task run: at once when it waits, by cancelling its attempt when it runs."""
        if self.state.final:
            return
        starting, begun = self._asyncio, self.waiting < 0
        if starting is not None:
            starting.cancel()
            if begun:
                self.run.unheeded.add(self)
        if not begun or (starting is None and type(self.state) is Paused):
            self._end_unstarted(Cancelled(self.run.cancel_reason))
