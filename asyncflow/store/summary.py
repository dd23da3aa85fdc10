"""Where a run stands, told by the few events that speak of the flow itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from asyncflow.events import RunHeader, RunSummary
from asyncflow.states import Pending, State


@dataclass(slots=True)
class Standing:
    """The part of a run's summary that changes while it runs.

    Reading the same events twice changes nothing, so a batch may be written again after a failure.
    """

    state: str = Pending.__name__
    ended: float | None = None
    tasks: int = 0
    attempts: int = 0
    faults: int = 0

    def read(self, events: Iterable[Any], started: float) -> None:
        """Take in the next events.

        Args:
            events: tuples in the shape of `Event`, in order.
            started: wall-clock time of the run's start, UTC epoch seconds.
        """
        for event in events:
            if event[2]:  # of a task run; a run has few events of its own
                continue
            if event[1] == "state_changed":
                self.state = _name(event[4])
            elif event[1] == "run_ended":
                self.ended = started + event[0]
                self._count(event[4])
            elif event[1] == "run_paused":
                self._count(event[4])

    def _count(self, detail: Any) -> None:
        self.tasks = detail.get("tasks", 0)
        self.attempts = detail.get("attempts", 0)
        self.faults = detail.get("faults", 0)

    def summary(self, header: RunHeader) -> RunSummary:
        """Return the run's line in the list of runs."""
        return RunSummary(header, self.state, self.ended, self.tasks, self.attempts, self.faults)


def _name(state: Any) -> str:
    return state.name if isinstance(state, State) else str(state["state"])
