"""Task runs that have something to give back: slots while they work, their effect when the flow run fails."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from asyncflow.engine.element import Element
from asyncflow.engine.hedged import HedgeRun
from asyncflow.engine.rollback import Effect
from asyncflow.engine.task_run import TaskRun
from asyncflow.outcomes import Decision
from asyncflow.policy.slots import Demand, Request
from asyncflow.states import Pending, Running, State, Success

if TYPE_CHECKING:
    from asyncflow.engine.past import PastTask


class Account:
    """What a task run takes and owes.

    Attributes:
        demand: the slots that an attempt takes.
        request: its wish for them, or what it has; None while it has none and wants none.
        is_rolling_back: whether its effect is being undone.
        rolled_back: whether it was.
    """

    __slots__ = ("demand", "is_rolling_back", "request", "rolled_back")

    def __init__(self, demand: Demand) -> None:
        self.demand = demand
        self.request: Request | None = None
        self.is_rolling_back = self.rolled_back = False


class Accountable(TaskRun):
    """The part that a task run and an element of a map have in common.

    An attempt asks for its slots when it could begin, and has them until it ends in any way: a task run that
    waits for what is upstream, or between two attempts, has none.
    """

    __slots__ = ()

    account: Account

    @property
    def rolled_back(self) -> bool:
        """Whether its effect was undone after the flow run failed."""
        return self.account.rolled_back

    def attempt_started(self, attempt: int) -> Awaitable[Decision | None] | None:
        """Take the slots, waiting for them if need be, and move to Running."""
        granted = None if self.task.is_attended else self._take_slots()
        return super().attempt_started(attempt) if granted is None else self._start_when(granted, attempt)

    async def _start_when(self, granted: Awaitable[None], attempt: int) -> Decision | None:
        await granted
        started = super().attempt_started(attempt)
        return None if started is None else await started

    def _take_slots(self) -> Awaitable[None] | None:
        """Ask for the slots; return what to wait for until they are granted, unless they are at once."""
        if not self.account.demand:
            return None
        self.account.request, granted = self.run.limits.ask(self.account.demand)
        return None if granted is None else self._until(granted)

    async def _have_slots(self) -> None:
        """Take the slots, waiting for them if need be; the attempt has not begun before."""
        granted = self._take_slots()
        if granted is not None:
            self.attempt -= 1
            await granted
            self.attempt += 1

    async def _until(self, granted: Awaitable[None]) -> None:
        assert self.account.request is not None
        labels = [limit.label for limit in self.account.request.obstacles]
        self._wait(Pending(f"Waits for a slot of {', '.join(labels)}.", None, {"slots": labels}))
        try:
            await granted
        except BaseException:
            self._give_back()
            raise

    def hedged(self, number: int) -> HedgeRun | None:
        """Return who follows a hedge, if its slots are free: a hedge keeps nobody else waiting."""
        if not self.account.demand or super().hedged(number) is None:
            return super().hedged(number)
        request, granted = self.run.limits.ask(self.account.demand)
        if granted is None:
            return HedgeRun(self, number, request)
        self.run.limits.give_back(request)
        return None

    def _wait(self, state: State) -> None:
        """Say what is waited for; the handlers are not asked, since nothing was decided."""
        super()._commit(state)

    def _give_back(self) -> None:
        account = self.account
        if account.request is not None:
            request, account.request = account.request, None
            self.run.limits.give_back(request)

    def _commit(self, state: State) -> None:
        if type(state) is not Running:
            self._give_back()
            self._register(state)
        super()._commit(state)

    def recall(self, past: PastTask) -> None:
        """Be final as the journal has it; what was done before the pause can be undone after it."""
        self.attempt = past.attempt
        if all(other.state.final for other in self.fed_by):
            self._register(past.state)
        super().recall(past)

    def _register(self, state: State) -> None:
        """Let what a success did be undone should the flow run fail; a fallback stands for nothing done."""
        done = type(state) is Success and not state.fell_back
        if done and (self.attempt or state.how == "by hedge") and self.task.rollback is not None:
            args, kwargs = self._arguments() if self.fed_by else (self.args, self.kwargs)
            self.run.effects.append(Effect(self, args, kwargs, state.result))

    def note_rollback(self, kind: str, detail: dict[str, Any]) -> None:
        """Record what became of undoing its effect."""
        self.note(kind, detail)

    @property
    def idempotency_key(self) -> str:
        """Names this task run for other systems; undoing its effect has a key of its own."""
        key = super().idempotency_key
        return f"{key}/rollback" if self.account.is_rolling_back else key


class AccountableRun(Accountable):
    """The run of a task under limits, or of one that can be rolled back."""

    __slots__ = ("account",)

    def __init__(self, *args: Any, demand: Demand) -> None:
        super().__init__(*args)
        self.account = Account(demand)


class AccountableElement(Accountable, Element):
    """The same for one element of a map."""

    __slots__ = ("account",)

    def __init__(self, *args: Any, demand: Demand, **options: Any) -> None:
        super().__init__(*args, **options)
        self.account = Account(demand)

    def _wait(self, state: State) -> None:
        if self.number:
            super()._wait(state)
        else:
            self.state = state  # to wait is no story of its own

    def note_rollback(self, kind: str, detail: dict[str, Any]) -> None:
        """Record it for the map when this element has no events of its own: it was counted already."""
        if self.number:
            self.note(kind, detail)
        else:
            self.parent.note(kind, {**detail, "index": self.index})
