"""The task runs of one flow run, in the order of their calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from asyncflow.control.resources import Cleanup
from asyncflow.errors import NotFound, did_you_mean
from asyncflow.recording import Call

if TYPE_CHECKING:
    from asyncflow.engine.task_run import TaskRun


class TaskRuns(Sequence["TaskRun"]):
    """A sequence of task runs that can also be asked by name, key or recorded call."""

    def __init__(self, task_runs: list[TaskRun]) -> None:
        self._all = task_runs

    @overload
    def __getitem__(self, which: int | str | Call) -> TaskRun: ...

    @overload
    def __getitem__(self, which: slice) -> list[TaskRun]: ...

    def __getitem__(self, which: int | str | Call | slice) -> Any:
        """Return one task run: by position, by the handle that a recorded flow gave, or by name or key.

        Raises:
            NotFound: when no task run has that name; the text offers the nearest.
        """
        if isinstance(which, (int, slice)):
            return self._all[which]
        if isinstance(which, Call):
            return self._all[which.number - 1]
        for task_run in self._all:
            if which in (task_run.key, task_run.name):
                return task_run
        names = dict.fromkeys(task_run.name for task_run in self._all)
        raise NotFound(f"no task run is named {which!r}.{did_you_mean(which, names)}")

    def __contains__(self, which: object) -> bool:
        """Whether a task run is there: itself, by the handle of a recorded flow, or by name or key."""
        if isinstance(which, str):
            return any(which in (task_run.key, task_run.name) for task_run in self._all)
        if isinstance(which, Call):
            return which.number <= len(self._all)
        return any(which is task_run for task_run in self._all)

    def __iter__(self) -> Iterator[TaskRun]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __repr__(self) -> str:
        return repr(self._all)

    def terminal(self) -> list[TaskRun]:
        """Return the task runs that nothing depends on and whose failure the body was not told.

        The cleanup of a resource is none of them, and does not count as what depends on others.
        """
        ends = [task_run for task_run in self._all if task_run.dependents is None and not task_run.awaited]
        if Cleanup not in {type(task_run.task) for task_run in ends}:
            return ends  # every block of a resource ends in a cleanup on which nothing depends
        others = [task_run for task_run in self._all if type(task_run.task) is not Cleanup]
        needed = {upstream for task_run in others for upstream in task_run.upstream}
        return [task_run for task_run in others if task_run not in needed and not task_run.awaited]
