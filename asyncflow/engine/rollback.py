"""Undoes what the task runs of a failed flow run did: the newest effect first, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from asyncflow.engine.bodies import in_thread
from asyncflow.errors import full_text_of
from asyncflow.guard.pipeline import outcome_of
from asyncflow.handles import scope
from asyncflow.human import plural
from asyncflow.outcomes import Decision, Enough, Outcome, Returned, Signalled, error_of
from asyncflow.rollback import is_async
from asyncflow.signals import SKIP, SUCCESS
from asyncflow.states import State

if TYPE_CHECKING:
    from asyncflow.engine.accountable import Accountable
    from asyncflow.engine.calling import Calling
    from asyncflow.engine.task_run import TaskRun

_MOST_NAMES = 10
_MOST_KEYS = 100

Noter = Callable[[str, dict[str, Any]], None]


class Effect:
    """What a task run did, and with what, so that it can be undone."""

    __slots__ = ("args", "kwargs", "result", "task_run")

    def __init__(
        self, task_run: Accountable, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> None:
        self.task_run = task_run
        self.args = args
        self.kwargs = kwargs
        self.result = result


class ChildEffects:
    """What a child run did that succeeded: undone as a whole, in the place of its end."""

    __slots__ = ("effects", "run_id", "task_run")

    def __init__(self, task_run: TaskRun, run_id: str, effects: Sequence[Effect | ChildEffects]) -> None:
        self.task_run = task_run
        self.run_id = run_id
        self.effects = effects


async def rolled_back(run: Calling, final: State) -> State:
    """Undo the effects of a flow run and return its final state with the story of that.

    It can't be cancelled: a half of undoing is what nobody wants. Each hook has a timeout instead.
    """
    undoing = Undoing(run.leave)
    effects, run.effects = run.effects, []
    work = asyncio.get_running_loop().create_task(undoing.undo(effects), name=f"rollback of {run.flow.name}")
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            continue  # this far only a loop that ends can come, and it cancels `work` as well
    work.result()
    return undoing.told(final)


class Undoing:
    """One rollback.

    Args:
        leave: told of a hook that calls `sys.exit`.

    Attributes:
        done: the keys of the task runs whose effects were undone.
        failed: the keys of those whose hook failed at last, with the sentence for it.
    """

    def __init__(self, leave: Callable[[SystemExit], None]) -> None:
        self._leave = leave
        self.done: list[str] = []
        self.failed: dict[str, str] = {}

    async def undo(
        self, effects: Sequence[Effect | ChildEffects], parent: ChildEffects | None = None
    ) -> None:
        """Undo effects in reverse order; one that can't be undone does not stop the others."""
        for effect in reversed(effects):
            if isinstance(effect, ChildEffects):
                await self.undo(effect.effects, effect)
            else:
                await self._undo_one(effect, parent)

    async def _undo_one(self, effect: Effect, parent: ChildEffects | None) -> None:
        task_run = effect.task_run
        rollback = task_run.task.rollback
        assert rollback is not None
        note = task_run.note_rollback if parent is None else _noter(parent)
        tries = _Tries(note)
        hook = rollback.hook
        body = hook if is_async(hook) else in_thread(hook, lambda: _HookThread(note))
        scope.set(task_run)
        task_run.account.is_rolling_back = True
        try:
            args = (effect.result, *effect.args)
            outcome = await outcome_of(rollback.policy, body, args, effect.kwargs, tries)
            why = tries.failure(outcome)
        except asyncio.CancelledError:
            why = "it was cancelled"
        except SystemExit as error:
            self._leave(error)
            why = "it called sys.exit"
        finally:
            task_run.account.is_rolling_back = False
        detail: dict[str, Any] = {"key": task_run.key, "hook": rollback.name, "attempts": tries.count}
        if why:
            self.failed[task_run.key] = f"{why} ({plural(tries.count, 'attempt')})"
            note("rollback_failed", {**detail, "error": why})
        else:
            task_run.account.rolled_back = True
            self.done.append(task_run.key)
            note("rolled_back", detail)

    def told(self, final: State) -> State:
        """Return a final state that also says what was undone and what was not."""
        parts = [final.message]
        if self.done:
            parts.append(f"Rolled back: {_names(self.done)}.")
        for key, why in list(self.failed.items())[:_MOST_NAMES]:
            parts.append(f"The rollback of {key!r} failed: {why}.")
        if len(self.failed) > _MOST_NAMES:
            parts.append(f"{len(self.failed) - _MOST_NAMES} more rollbacks failed.")
        detail = dict(final.detail)
        detail["rolled_back"] = self.done[:_MOST_KEYS]
        if self.failed:
            detail["rollback_failed"] = list(self.failed)[:_MOST_KEYS]
        return type(final)(" ".join(parts), final.result, detail)


class _HookThread:
    """Hears of the thread of a hook, should it be left behind; when it ends the run is over."""

    def __init__(self, note: Callable[[str, dict[str, Any]], None]) -> None:
        self._note = note

    def left(self, threads: int) -> None:
        self._note("thread_abandoned", {"threads": threads})

    def back(self, threads: int) -> None: ...


class _Tries:
    """Counts the attempts of a hook, and remembers what the policy made of the last one."""

    def __init__(self, note: Noter) -> None:
        self.count = 0
        self.subject = None
        self.note = note
        self._reason = ""

    def attempt_started(self, attempt: int) -> None:
        self.count = attempt

    def attempt_ended(self, attempt: int, outcome: Outcome, decision: Decision) -> Decision:
        del attempt, outcome
        self._reason = decision.reason if isinstance(decision, Enough) else ""
        return decision

    def hedged(self, number: int) -> None:
        """Have no hedge: what is undone is undone once."""

    def failure(self, outcome: Outcome) -> str:
        """Return why the hook failed; empty when it did not."""
        if isinstance(outcome, Returned):
            return f"its result was not acceptable: {self._reason}" if self._reason else ""
        if isinstance(outcome, Signalled) and isinstance(outcome.signal, SUCCESS | SKIP):
            return ""
        error = error_of(outcome)
        assert error is not None
        return full_text_of(error)


def _noter(parent: ChildEffects) -> Noter:
    """Return what records in the parent's journal: the child's own is closed."""

    def note(kind: str, detail: dict[str, Any]) -> None:
        parent.task_run.note(kind, {**detail, "run": parent.run_id})

    return note


def _names(keys: Sequence[str]) -> str:
    named = ", ".join(keys[:_MOST_NAMES])
    more = len(keys) - _MOST_NAMES
    return f"{named} and {more:,} more" if more > 0 else named
