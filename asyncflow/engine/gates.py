"""Gates: task runs upstream that decide whether another one runs at all, before its trigger is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from asyncflow.states import Skipped, State, TriggerFailed

if TYPE_CHECKING:
    from asyncflow.engine.task_run import TaskRun


def refused_by(gates: Sequence[TaskRun]) -> State | None:
    """Return the state of a task run behind closed gates, or None when all of them are open.

    Args:
        gates: final task runs, outermost first: the first closed one decides.
    """
    for gate in gates:
        state = gate.state
        if state.is_skipped():
            return Skipped(f"Runs only if {gate.name!r} succeeds, which was skipped.")
        if not state.is_success():
            return TriggerFailed(f"Runs only if {gate.name!r} succeeds, which ended {state.name}.")
    return None
