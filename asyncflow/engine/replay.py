"""Runs a flow's body again on what the journal has: each call that is known there gets its recorded outcome.

Outcomes are delivered in the order of the journal, one per turn of the loop, and none before the calls that
came ahead of it have been made again. Handlers are not asked, bodies do not run, nothing is recorded twice. A
call that the journal does not expect stops the run with an error that shows both. What was paused goes on
when everything ahead of it is as it was.

The body's own coroutine is what has to make the same calls again. Calls from other asyncio tasks are found
by their `key=`; those without one run again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asyncflow.engine.passes import Passes
from asyncflow.engine.past import Past, PastTask
from asyncflow.errors import Diverged
from asyncflow.events import RunHeader
from asyncflow.ports import Journal

if TYPE_CHECKING:
    from asyncflow.engine.calling import Calling
    from asyncflow.engine.task_run import TaskRun


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a run goes on from.

    Attributes:
        header: the run.
        journal: its journal, open again.
        past: what the journal says.
        input: what the paused task runs are given.
        chosen: the keys of those that go on; all of them when empty.
    """

    header: RunHeader
    journal: Journal
    past: Past
    input: Any = None
    chosen: Collection[str] = ()

    def goes_on(self, task: PastTask) -> bool:
        """Whether a task run is paused and meant to go on."""
        return task.state.is_paused() and (not self.chosen or task.key in self.chosen)


class Replay:
    """Meets the calls of one run's body with the journal.

    Args:
        run: the flow run, whose events it passes on when they are new.
        resumption: what the run goes on from.

    Attributes:
        diverged: the error that stopped the run, or None.
    """

    def __init__(self, run: Calling, resumption: Resumption) -> None:
        self.diverged: Diverged | None = None
        self._run = run
        self._emit = run.emit
        self._resumption = resumption
        self._past = resumption.past
        self._next = 0
        self._calls_in_order = 0
        self._met: dict[str, TaskRun] = {}
        self._paused: list[tuple[TaskRun, PastTask]] = []
        self._is_stepping = False
        self._loop = asyncio.get_running_loop()
        run.emit = self._heard
        run.numbers = self._past.newest

    # ------------------------------------------------------------------ what the run tells

    def _heard(self, kind: Any, number: int, attempt: int, detail: Any) -> None:
        """Pass an event on, unless the journal has it: a call, an edge."""
        if kind == "task_called":
            known = self._meet(detail)
            number = detail.number
            if known:
                self._step_soon()
                return
        elif kind == "edge_added" and detail["upstream"] in self._upstream_of(number):
            return
        self._emit(kind, number, attempt, detail)
        if kind == "state_changed" and number and detail.final:
            self._step_soon()

    def _upstream_of(self, number: int) -> Collection[int]:
        return next((task.upstream for task in self._past.tasks.values() if task.number == number), ())

    def _meet(self, task_run: TaskRun) -> bool:
        """Give a call the number that it had, or a new one; return whether the journal has the call."""
        past = self._past.tasks.get(task_run.key) if task_run.resumable else None
        if task_run.place > 0 and task_run.task.key is None:
            self._check(task_run)
        if past is None or (past.state.final and not past.is_known):
            self._met[task_run.key] = task_run
            return False
        self._run.numbers -= 1
        task_run.number = past.number
        self._met[past.key] = task_run
        if past.is_known:
            task_run.hold()
        elif past.state.is_paused():
            task_run.hold()
            task_run.state = past.state
            task_run.attempt = past.attempt
            if self._resumption.goes_on(past):
                self._paused.append((task_run, past))
                if self.is_over:
                    self._let_go_on()
        return True

    def _check(self, task_run: TaskRun) -> None:
        """Hold a call of the body's own coroutine against the one that the journal has in its place."""
        place = self._calls_in_order
        self._calls_in_order += 1
        expected = self._past.in_order
        if place < len(expected) and expected[place] != task_run.key:
            self._run.forget(task_run)
            raise self._diverge(
                f"call {place + 1} of its body was {expected[place]!r}, and is {task_run.key!r} now"
            )

    def body_ended(self) -> None:
        """Hear that the body is at its end: it has made all calls that the journal has."""
        missing = self._past.in_order[self._calls_in_order :]
        if missing and self.diverged is None:
            place = self._calls_in_order + 1
            self._diverge(f"call {place} of its body was {missing[0]!r}, and the body is at its end now")

    def _diverge(self, what: str) -> Diverged:
        self.diverged = Diverged(
            f"flow run {self._resumption.header.name!r} can't be resumed, since its body does something else "
            f"than the journal has: {what}. It is paused as before; resume it with the code that it ran with"
        )
        return self.diverged

    # ------------------------------------------------------------------ delivering

    @property
    def is_over(self) -> bool:
        """Whether the run is where the journal ends."""
        return self._next == len(self._past.script)

    def begin(self) -> None:
        """Deliver what there is; a body without calls has nothing to wait for."""
        self._step_soon()

    def _step_soon(self) -> None:
        if not self._is_stepping:
            self._is_stepping = True
            self._loop.call_soon(self._step)

    def _step(self) -> None:
        """Go on to the next outcome and deliver it, unless a call that came ahead of it is still missing."""
        self._is_stepping = False
        while not self.is_over:
            key, is_end = self._past.script[self._next]
            task_run = self._met.get(key)
            if task_run is None:
                return
            if is_end and not task_run.state.final:
                if not self._past.tasks[key].is_known:
                    return  # it runs again, since its value was not kept; its end calls for the next step
                self._next += 1
                self._deliver(task_run)
                self._step_soon()
                return
            self._next += 1
        self._let_go_on()

    def _deliver(self, task_run: TaskRun) -> None:
        past = self._past.tasks[task_run.key]
        task_run.recall(past)

    def _let_go_on(self) -> None:
        """Run the bodies of what was paused, as far as everything upstream is final."""
        ready = [pair for pair in self._paused if all(up.state.final for up in pair[0].upstream)]
        self._paused = [pair for pair in self._paused if pair not in ready]
        for task_run, past in ready:
            if not task_run.state.final:
                task_run.go_on(self._passes_of(past), past.made)

    def _passes_of(self, past: PastTask) -> Passes:
        passes = Passes()
        passes.neutral = past.neutral
        passes.loop_count, passes.loop_result = past.loop_count, past.loop_result
        passes.resumed, passes.input = True, self._resumption.input
        passes.child = past.state.detail.get("run")
        return passes

    def unstick(self) -> bool:
        """Go on although a call is missing, since nothing else does; return whether there was a way.

        A task run whose value was not kept has run again, and may have led the body elsewhere.
        """
        waiting = len(self._paused)
        self._let_go_on()
        if len(self._paused) < waiting:
            return True
        held = self._held()
        if held:
            self._deliver(held[0])
        return bool(held)

    def deliver_all(self) -> None:
        """Deliver every outcome at once: what the journal has as final can't be cancelled any more."""
        for task_run in self._held():
            self._deliver(task_run)

    def _held(self) -> list[TaskRun]:
        """Return the task runs whose outcome is known and not delivered, in the order of the journal."""
        ends = [key for key, is_end in self._past.script[self._next :] if is_end and key in self._met]
        known = [self._met[key] for key in ends if self._past.tasks[key].is_known]
        return [task_run for task_run in known if not task_run.state.final]
