"""What ends a flow run: the states of its reference tasks, a state that its body returned, or a signal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from asyncflow.errors import UsageError
from asyncflow.signals import LOOP, RETRY, Signal
from asyncflow.states import Cancelled, Failed, State, Success, TriggerFailed

if TYPE_CHECKING:
    from asyncflow.engine.task_run import TaskRun


def final_state(references: Sequence[TaskRun]) -> State:
    """Return Failed when a reference task failed, else Cancelled when one was cancelled, else Success."""
    kinds = {type(task_run.state) for task_run in references}
    if any(kind.kind == "failure" and kind is not Cancelled for kind in kinds):
        return Failed("Some reference tasks failed.", _failure_of(references))
    if Cancelled in kinds:
        return Cancelled("Some reference tasks were cancelled.")
    return Success("All reference tasks succeeded.")


def after_returned(state: State) -> State:
    """Return the state that a body returned, or Failed for one in which no flow run ends."""
    if state.is_final() and not state.is_crashed():  # Crashed is assigned by recovery only
        return state
    return _refused(
        f"the flow's body returned {state!r}; return a final state such as Success() or Failed('why'), "
        "or handles, whose states decide"
    )


def after_signal(signal: Signal) -> State:
    """Return the state that a signal in the body or in a handler gives a flow run."""
    if isinstance(signal, RETRY | LOOP):
        name = type(signal).__name__
        return _refused(f"{name} was raised in the body or a handler of a flow; only task runs are repeated")
    return signal.to_state()


def _refused(why: str) -> Failed:
    return Failed(why, UsageError(why))


def _failure_of(references: Sequence[TaskRun]) -> BaseException | None:
    """Return one failure as itself, several as an ExceptionGroup."""
    known: dict[int, BaseException] = {}  # by identity: exceptions may be equal, and need not be hashable
    for task_run in _origins(references):
        error = task_run.error()
        if error is not None:
            known.setdefault(id(error), error)
    errors = list(known.values())
    if len(errors) > 1:
        return BaseExceptionGroup(f"{len(errors)} tasks failed", errors)
    return errors[0] if errors else None


def _origins(references: Sequence[TaskRun]) -> list[TaskRun]:
    """Walk upstream from what a trigger refused to the failures that made it refuse."""
    origins: list[TaskRun] = []
    ahead = [task_run for task_run in references if task_run.state.is_failed()]
    seen = {task_run.number for task_run in ahead}
    for task_run in ahead:
        above = [up for up in task_run.upstream if up.state.is_failed()]
        if not (isinstance(task_run.state, TriggerFailed) and above):
            origins.append(task_run)
            continue
        for up in above:
            if up.number not in seen:
                seen.add(up.number)
                ahead.append(up)
    return sorted(origins, key=lambda task_run: task_run.number)
