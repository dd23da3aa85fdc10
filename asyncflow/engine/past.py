"""What a run's journal says of each of its task runs, read before the body runs again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from asyncflow.events import Event, RunStarted, plain_detail
from asyncflow.signals import LOOP
from asyncflow.states import Pending, State


@dataclass(slots=True)
class PastTask:
    """One task run as far as the journal has it.

    Attributes:
        number: its number in the flow run.
        name: the task's name.
        key: names it in every run of the same code.
        upstream: the numbers of what it waits for.
        state: its newest state; a value or failure is in it, unless it could not be kept.
        attempt: the number of its newest attempt.
        counted: how many attempts the retry policy has counted, since the last iteration of a loop.
        neutral: how many attempts ended in a LOOP or a PAUSE.
        loop_count, loop_result: where a loop is.
        elements: of a mapped task, its elements that have events of their own, by index.
    """

    number: int
    name: str
    key: str
    upstream: set[int] = field(default_factory=set)
    state: State = field(default_factory=Pending)
    attempt: int = 0
    counted: int = 0
    neutral: int = 0
    loop_count: int = 1
    loop_result: Any = None
    elements: dict[int, PastTask] = field(default_factory=dict)

    @property
    def in_order(self) -> bool:
        """Whether the body's own coroutine made the call, so that its place among such calls is known."""
        return self.key == self.name or self.key.startswith(f"{self.name}#")

    @property
    def resumable(self) -> bool:
        """Whether the key finds it again."""
        return not self.key.startswith(f"{self.name}?")

    @property
    def is_known(self) -> bool:
        """Whether its outcome is, so that it need not run again."""
        return self.state.final and not self.unkept

    @property
    def unkept(self) -> str:
        """Why its value could not be kept; empty when it was."""
        return str(self.state.detail.get("unkept", ""))

    @property
    def made(self) -> tuple[int, int]:
        """How many attempts there were, and how many of them the retry policy does not count."""
        return self.attempt, self.attempt - self.counted

    def move(self, attempt: int, state: State) -> None:
        """Take the next change of state."""
        self.attempt = max(self.attempt, attempt)
        self.state = state
        if state.is_paused():
            self.neutral += attempt > 0
        elif state.is_retrying():
            self._again(state)

    def _again(self, state: State) -> None:
        if "iteration" not in state.detail:
            self.counted += 1
            return
        self.neutral += 1
        self.counted = 0
        if not self.unkept:
            self.loop_count = state.detail["iteration"]
            self.loop_result = state.result.result if isinstance(state.result, LOOP) else None


class Past:
    """A run's journal, taken apart.

    Args:
        events: with states that carry their results.

    Attributes:
        state: the flow run's newest state.
        arguments: its parameters themselves, as far as they could be kept.
        unkept: of parameters that could not, why.
        tasks: the task runs by key; of several with one key the newest, which a resume made.
        script: keys in the order of what happened, each with whether it was called or became final.
        in_order: the keys of the calls of the body's own coroutine, in order.
        events: the journal.
        last: seconds into the run of the newest event.
        newest: the highest number of a task run.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.state: State = Pending()
        self.arguments: dict[str, Any] = {}
        self.unkept: dict[str, str] = {}
        self.tasks: dict[str, PastTask] = {}
        self.last = 0.0
        by_number: dict[int, PastTask] = {}
        elements: dict[int, PastTask] = {}
        happened: list[tuple[PastTask, bool]] = []
        for offset, kind, number, attempt, detail in events:
            self.last = max(self.last, offset)
            if kind == "run_started" and isinstance(detail, RunStarted):
                self.arguments = dict(detail.arguments)
                self.unkept = dict(detail.said.get("unkept", {}))
            elif kind == "task_called":
                called = plain_detail(detail)
                task = PastTask(number, called["name"], called["key"], set(called["upstream"]))
                if "element_of" in called:
                    by_number[called["element_of"]].elements[called["index"]] = elements[number] = task
                    continue
                by_number[number] = self.tasks[task.key] = task
                happened.append((task, False))
            elif kind == "edge_added":
                by_number[number].upstream.add(detail["upstream"])
            elif kind == "state_changed" and number in elements:
                elements[number].move(attempt, detail)
            elif kind == "state_changed" and number:
                by_number[number].move(attempt, detail)
                if detail.final:
                    happened.append((by_number[number], True))
            elif kind == "state_changed":
                self.state = detail
        self.newest = max((*by_number, *elements), default=0)
        self.script = self._script(happened)
        self.in_order = [key for key, is_end in self.script if not is_end and self.tasks[key].in_order]

    def _script(self, happened: Iterable[tuple[PastTask, bool]]) -> list[tuple[str, bool]]:
        """Return what a replay goes by: the first call of each key, and the end of its newest task run."""
        called: set[str] = set()
        script = []
        for task, is_end in happened:
            if not task.resumable or (self.tasks[task.key] is not task if is_end else task.key in called):
                continue
            called.add(task.key)
            script.append((task.key, is_end))
        return script
