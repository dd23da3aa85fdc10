"""What assembly code may ask of a run beyond the flow and its parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from asyncflow.engine.replay import Resumption
from asyncflow.ports import FaultSource
from asyncflow.task import Task


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run differs from a plain one.

    Attributes:
        run_id: the run's id, when assembly code needs to know it before; drawn when None.
        parent: the id of the flow run that calls this one.
        scenario: the name of the scenario that rehearses it.
        variant: which variant of it is played.
        world: `real` or `simulated`.
        faults: who is asked whether a fault strikes.
        adapt: changes tasks for this run, such as giving them a scenario's policies.
        scheduled: the fire that the run was made for, UTC epoch seconds.
        target: where the flow is, `module:name` or `file.py:name`, so that others can resume the run.
        resumption: what the run goes on from, when it was paused.
    """

    run_id: str | None = None
    parent: str | None = None
    scenario: str | None = None
    variant: str | None = None
    world: str = "real"
    faults: FaultSource | None = None
    adapt: Callable[[Task[..., Any]], Task[..., Any]] | None = None
    scheduled: float | None = None
    target: str | None = None
    resumption: Resumption | None = None

    def for_child(self, parent: str, resumption: Resumption | None = None) -> RunOptions:
        """Return the options of a child run: the same faults and policies, another parent."""
        return replace(self, run_id=None, parent=parent, scheduled=None, target=None, resumption=resumption)


PLAIN = RunOptions()
"""A run as the flow's author wrote it."""
