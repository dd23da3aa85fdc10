"""The events of runs as lines of a trace."""

from __future__ import annotations

from asyncflow.events import Event, RunHeader, plain_detail
from asyncflow.sim.trace.trace import Trace


class EventLines:
    """A view that adds a line for each event: kind, the flow's name, the task run's key, attempt, detail.

    What a header says of the scenario stays out, since the trace of a scenario has it at its top. So do names
    and ids of runs, which another seed draws otherwise: two seeds part where they really do.

    Args:
        trace: takes the lines.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._keys: dict[tuple[str, int], str] = {}

    def hear(self, header: RunHeader, _seq: int, event: Event) -> None:
        """Add the line of an event, as `ports.Listener` is called."""
        detail = plain_detail(event.detail)
        if event.kind == "run_started":
            detail = {"flow": detail["flow"], "parameters": detail["parameters"]}
        elif event.kind == "task_called":
            self._keys[header.id, event.task] = str(detail["key"])
        key = self._keys.get((header.id, event.task))
        self._trace.emit(f"event.{event.kind}", header.flow, key, event.attempt, detail)
