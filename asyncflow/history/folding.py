"""The fold: a run's events, one at a time, into what they add up to.

One fold serves every view. It takes events as the engine made them, with a State as detail, and as a store
gives them back, with the State's JSON form; a run that is not over yet folds like any other. An event of a
kind that is not known here changes nothing, so an older view can read a newer journal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from asyncflow.events import RunHeader, plain_detail
from asyncflow.history.record import (
    PENDING,
    WAITING,
    Attempt,
    BreakerChange,
    Fault,
    Notice,
    RunHistory,
    Standing,
    TaskHistory,
    Wait,
    outcome_of,
    reason_of,
    standing,
)


class _Task:
    """A task run while it is being folded; `open` is the start of the attempt in flight, or None."""

    __slots__ = (
        "attempt_count", "attempts", "call_count", "called", "changed", "faults",
        "key", "name", "number", "open", "state", "upstream", "wait", "waits",
    )  # fmt: skip

    def __init__(self, number: int, offset: float, name: str, key: str, upstream: Iterable[int]) -> None:
        self.number = number
        self.name = name
        self.key = key
        self.upstream = list(dict.fromkeys(upstream))
        self.called = offset
        self.changed = offset
        self.state = PENDING
        self.attempts: list[Attempt] = []
        self.waits: list[Wait] = []
        self.faults: list[Fault] = []
        self.attempt_count = 0
        self.call_count = 0
        self.open: tuple[int, float] | None = None
        self.wait: Wait | None = None

    def move(self, offset: float, attempt: int, state: Standing) -> None:
        """Take a change of state."""
        if self.wait is not None:
            self.waits.append(replace(self.wait, ended=max(offset, self.wait.started), is_over=True))
            self.wait = None
        if self.open is not None:
            number, started = self.open
            self.open = None
            self._close(number, started, offset, state)
        else:
            self._unstarted(attempt, offset, state)
        if state.name == "Running":
            self.open = (attempt, offset)
        elif state.name in WAITING:
            self.wait = Wait(offset, offset, state.name, reason_of(state), state.detail, is_over=False)
        self.state = state
        self.changed = offset

    def _close(self, number: int, started: float, ended: float, state: Standing) -> None:
        """Note an attempt that has ended."""
        called = state.detail.get("called") is not False
        self.attempt_count += 1
        self.call_count += called
        mine = tuple(fault for fault in self.faults if fault.attempt == number)
        self.attempts.append(
            Attempt(
                number=number,
                started=started,
                ended=max(ended, started),
                outcome=outcome_of(state),
                called=called,
                retried=state.name == "Retrying",
                reason=reason_of(state),
                detail=state.detail,
                error=state.error,
                faults=mine,
            )
        )

    def _unstarted(self, number: int, offset: float, state: Standing) -> None:
        """Note a try that was refused before it could start, or a crashed attempt that is tried again."""
        last = self.attempts[-1] if self.attempts else None
        if state.detail.get("called") is False and (last is None or last.number < number):
            self._close(number, offset, offset, state)
        elif last is not None and last.number == number and state.name == "Retrying":
            self.attempts[-1] = replace(last, retried=True, reason=reason_of(state), detail=state.detail)

    def strike(self, fault: Fault) -> None:
        """Take a fault; one that is told late is added to its closed attempt."""
        self.faults.append(fault)
        for place in range(len(self.attempts) - 1, -1, -1):
            closed = self.attempts[place]
            if closed.number == fault.attempt:
                self.attempts[place] = replace(closed, faults=(*closed.faults, fault))
                return
            if closed.number < fault.attempt:
                return

    def forget(self, keep: int) -> None:
        """Drop all but the newest attempts, waits and faults; the counts stay."""
        del self.attempts[:-keep], self.waits[:-keep], self.faults[:-keep]

    def view(self, now: float) -> TaskHistory:
        """Return what is known at the instant `now`."""
        attempts, waits, count = tuple(self.attempts), tuple(self.waits), self.attempt_count
        if self.open is not None:
            number, started = self.open
            mine = tuple(fault for fault in self.faults if fault.attempt == number)
            attempts += (Attempt(number, started, max(now, started), "running", faults=mine),)
        if self.wait is not None:
            waits += (replace(self.wait, ended=max(now, self.wait.started)),)
        in_flight = self.open is not None
        return TaskHistory(
            number=self.number,
            name=self.name,
            key=self.key,
            upstream=tuple(self.upstream),
            state=self.state,
            called=self.called,
            changed=self.changed,
            attempts=attempts,
            waits=waits,
            attempt_count=count + in_flight,
            call_count=self.call_count + in_flight,
        )


class History:
    """The fold, one event at a time.

    Args:
        header: the run.
        keep: how many attempts, waits and faults to keep of each task, and how many faults, breaker changes
            and notices of the run; older ones are dropped and only counted. None keeps all.
    """

    def __init__(self, header: RunHeader, *, keep: int | None = None) -> None:
        self.header = header
        self._keep = keep
        self._tasks: dict[int, _Task] = {}
        self._flow = _Task(0, 0.0, header.flow, "", ())
        self._faults: list[Fault] = []
        self._breakers: list[BreakerChange] = []
        self._notices: list[Notice] = []
        self._last = 0.0
        self._ended: float | None = None
        self._scheduled: float | None = None

    def add(self, event: Iterable[Any]) -> None:
        """Take the next event, in the shape of `Event`."""
        offset, kind, task, attempt, detail = event
        self._last = max(self._last, offset)
        take = _TAKERS.get(kind)
        if take is not None:
            take(self, offset, task, attempt, detail)

    def view(self, now: float | None = None) -> RunHistory:
        """Return what has happened so far.

        Args:
            now: seconds into the run, where attempts in flight end for this view; the newest event's when
                None.
        """
        end = self._ended
        if end is None:
            end = self._last if now is None else max(now, self._last)
        return RunHistory(
            header=self.header,
            state=self._flow.state,
            tasks=tuple(task.view(end) for task in self._tasks.values()),
            faults=tuple(self._faults),
            breakers=tuple(self._breakers),
            notices=tuple(self._notices),
            ended=end,
            is_over=self._ended is not None,
            scheduled=self._scheduled,
        )

    def _task(self, number: int, offset: float) -> _Task:
        """Return a task run; one whose call is not in the record (a cut journal) is named by its number."""
        found = self._tasks.get(number)
        if found is None:
            found = self._flow if number == 0 else _Task(number, offset, f"task {number}", "", ())
            if number:
                self._tasks[number] = found
        return found

    def _called(self, offset: float, task: int, _attempt: int, call: Any) -> None:
        detail = plain_detail(call)
        name, key = str(detail.get("name", f"task {task}")), str(detail.get("key", ""))
        self._tasks[task] = _Task(task, offset, name, key, detail.get("upstream") or ())

    def _edge(self, offset: float, task: int, _attempt: int, detail: Any) -> None:
        upstream = self._task(task, offset).upstream
        if detail["upstream"] not in upstream:
            upstream.append(detail["upstream"])

    def _moved(self, offset: float, task: int, attempt: int, detail: Any) -> None:
        found = self._task(task, offset)
        found.move(offset, attempt, standing(detail))
        if self._keep is not None and len(found.attempts) > 2 * self._keep:
            found.forget(self._keep)

    def _struck(self, offset: float, task: int, attempt: int, detail: Any) -> None:
        fault = Fault(offset, task, attempt, detail.get("at"), str(detail.get("do", "")))
        self._bounded(self._faults).append(fault)
        if task:
            self._task(task, offset).strike(fault)

    def _breaker(self, offset: float, _task: int, _attempt: int, detail: Any) -> None:
        names = (str(detail.get(key, "")).replace("_", "-") for key in ("old", "new"))
        self._bounded(self._breakers).append(BreakerChange(offset, str(detail.get("breaker", "")), *names))

    def _handler(self, offset: float, task: int, _attempt: int, detail: Any) -> None:
        self._bounded(self._notices).append(Notice(offset, task, str(detail.get("error", ""))))

    def _thread(self, offset: float, task: int, _attempt: int, detail: Any) -> None:
        text = f"a thread was given up; {detail.get('threads', 'some')} are abandoned now"
        self._bounded(self._notices).append(Notice(offset, task, text))

    def _began(self, _offset: float, _task: int, _attempt: int, detail: Any) -> None:
        self._scheduled = detail.get("scheduled")

    def _over(self, offset: float, _task: int, _attempt: int, _detail: Any) -> None:
        self._ended = offset

    def _bounded(self, kept: list[Any]) -> list[Any]:
        if self._keep is not None and len(kept) >= 2 * self._keep:
            del kept[: -self._keep]
        return kept


_TAKERS = {
    "run_started": History._began,
    "task_called": History._called,
    "edge_added": History._edge,
    "state_changed": History._moved,
    "fault_injected": History._struck,
    "breaker_changed": History._breaker,
    "handler_failed": History._handler,
    "thread_abandoned": History._thread,
    "run_ended": History._over,
}


def fold(header: RunHeader, events: Iterable[Iterable[Any]], now: float | None = None) -> RunHistory:
    """Return what a run's events add up to.

    Args:
        header: the run.
        events: its events in order, as the engine made them or as a store gave them back.
        now: seconds into the run, where attempts in flight end; the newest event's when None.
    """
    history = History(header)
    for event in events:
        history.add(event)
    return history.view(now)
