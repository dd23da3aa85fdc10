"""The fold: a run's events, one at a time, into what they add up to.

One fold serves every view. It takes events as the engine made them, with a State as detail, and as a store
gives them back, with the State's JSON form; a run that is not over yet folds like any other. An event of a
kind that is not known here changes nothing, so an older view can read a newer journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from asyncflow.events import RunHeader, plain_detail
from asyncflow.history.decisions import DECISIONS, BreakerChange, Decided, Hedge, breaker_story
from asyncflow.history.elements import MapFold
from asyncflow.history.notices import NOTICES
from asyncflow.history.record import (
    PENDING,
    Attempt,
    Fault,
    Notice,
    RunHistory,
    Standing,
    TaskHistory,
    Wait,
    is_wait,
    outcome_of,
    reason_of,
    standing,
)

KEPT_ELEMENTS = 10
"""A fold that keeps little keeps so many final elements of a map, and counts the others."""


class _Task:
    """A task run while it is being folded; `open` is the start of the attempt in flight, or None."""

    __slots__ = (
        "attempt_count", "attempts", "cache", "call_count", "called", "changed", "decisions", "element_of",
        "faults", "hedge_calls", "hedges", "held_up", "index", "is_outside", "key", "left_outside", "map",
        "name", "number", "open", "rolled_back", "state", "upstream", "wait", "waits",
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
        self.hedge_calls = 0
        self.open: tuple[int, float] | None = None
        self.wait: Wait | None = None
        self.map: MapFold | None = None
        self.element_of = 0
        self.index: int | None = None
        self.cache = ""
        self.rolled_back = False
        self.decisions: list[Decided] = []
        self.hedges: list[Hedge] = []
        self.held_up = 0.0
        self.is_outside = self.left_outside = False

    def move(self, offset: float, attempt: int, state: Standing) -> None:
        """Take a change of state."""
        if self.map is not None and state.name == "Running":
            self.map.started = offset
            self.state, self.changed = state, offset
            return
        if self.wait is not None:
            self.waits.append(replace(self.wait, ended=max(offset, self.wait.started), is_over=True))
            self.wait = None
        if self.open is not None:
            number, started = self.open
            self.open = None
            self._close(number, started, offset, state)
        elif self.map is None:
            self._unstarted(attempt, offset, state)
        if state.name == "Running":
            self.open = (attempt, offset)
        elif is_wait(state):
            self.wait = Wait(offset, offset, state.name, reason_of(state), state.detail, is_over=False)
        self.state = state
        self.changed = offset

    def _close(self, number: int, started: float, ended: float, state: Standing) -> None:
        """Note an attempt that has ended."""
        called = state.detail.get("called") is not False and not self.left_outside
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
                waited=min(self.held_up, ended - started),
            )
        )
        self.held_up, self.left_outside, self.is_outside = 0.0, False, False

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

    def decide(self, offset: float, attempt: int, kind: str, detail: Mapping[str, Any]) -> None:
        """Take what a policy decided beside the ends of attempts."""
        which = f"element {detail['index']}: " if "index" in detail else ""
        if kind == "admission_waited":
            self._forget_delay(f"{which}{DECISIONS['admission_delayed'](detail)}")
        self.decisions.append(Decided(offset, attempt, kind, f"{which}{DECISIONS[kind](detail)}"))
        if kind == "hedge_started":
            self.hedges.append(Hedge(int(detail.get("hedge", 0)), offset, offset))
        elif kind == "hedge_ended":
            self._end_hedge(offset, detail)
        elif self.open is not None and "hedge" not in detail and kind != "fell_back":
            self._wait_outside(offset - self.open[1], kind, detail)

    def _forget_delay(self, text: str) -> None:
        """Forget that there is a wait, now that it is over and its length known."""
        for place in range(len(self.decisions) - 1, -1, -1):
            if self.decisions[place].text == text:
                del self.decisions[place]
                return

    def _wait_outside(self, length: float, kind: str, detail: Mapping[str, Any]) -> None:
        """Take that the attempt in flight waits to be admitted, or waited until so long after its start."""
        self.is_outside = kind == "admission_delayed"
        if not self.is_outside:
            self.held_up = length
            self.left_outside = detail.get("admitted") is False

    def _end_hedge(self, offset: float, detail: Mapping[str, Any]) -> None:
        """Close the newest hedge of that number that is on its way."""
        for place in range(len(self.hedges) - 1, -1, -1):
            hedge = self.hedges[place]
            if hedge.number == detail.get("hedge") and not hedge.end:
                end, calls = str(detail.get("end", "")), int(detail.get("calls") or 0)
                self.hedges[place] = replace(hedge, ended=offset, end=end, calls=calls)
                self.call_count += calls
                self.hedge_calls += calls
                return

    def forget(self, keep: int) -> None:
        """Drop all but the newest attempts, waits, faults and decisions; the counts stay."""
        for kept in (self.attempts, self.waits, self.faults, self.decisions, self.hedges):
            del kept[:-keep]

    def view(self, now: float, told: Iterable[_Task] = ()) -> TaskHistory:
        """Return what is known at the instant `now`; `told` are the elements of a map."""
        attempts, waits, count = tuple(self.attempts), tuple(self.waits), self.attempt_count
        if self.open is not None:
            number, started = self.open
            mine = tuple(fault for fault in self.faults if fault.attempt == number)
            waited = max(now - started, 0.0) if self.is_outside else self.held_up
            attempts += (Attempt(number, started, max(now, started), "running", faults=mine, waited=waited),)
        if self.wait is not None:
            waits += (replace(self.wait, ended=max(now, self.wait.started)),)
        in_flight = self.open is not None
        elements = None if self.map is None else self.map.view(self.state, told)
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
            attempt_count=count + in_flight if elements is None else elements.attempts,
            call_count=self.call_count + in_flight if elements is None else elements.calls,
            elements=elements,
            element_of=self.element_of,
            index=self.index,
            cache=self.cache,
            rolled_back=self.rolled_back,
            decisions=tuple(self.decisions),
            hedges=tuple(hedge if hedge.end else replace(hedge, ended=now) for hedge in self.hedges),
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
        elif kind in DECISIONS:
            self._task(task, offset).decide(offset, attempt, kind, detail)
        elif kind in NOTICES:
            self._noticed(kind, offset, task, attempt, detail)

    def view(self, now: float | None = None) -> RunHistory:
        """Return what has happened so far.

        Args:
            now: seconds into the run, where attempts in flight end for this view; the newest event's when
                None.
        """
        end = self._ended
        if end is None:
            end = self._last if now is None else max(now, self._last)
        told: dict[int, list[_Task]] = {}
        for task in self._tasks.values():
            if task.element_of:
                told.setdefault(task.element_of, []).append(task)
        return RunHistory(
            header=self.header,
            state=self._flow.state,
            tasks=tuple(
                task.view(end, told.get(task.number, ()))
                for task in self._tasks.values()
                if not task.element_of
            ),
            faults=tuple(self._faults),
            breakers=tuple(self._breakers),
            notices=tuple(self._notices),
            ended=end,
            is_over=self._ended is not None,
            scheduled=self._scheduled,
            elements=tuple(task.view(end) for found in told.values() for task in found),
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
        made = self._tasks[task] = _Task(task, offset, name, key, detail.get("upstream") or ())
        if "map" in detail:
            made.map = MapFold(detail["map"])
        elif "element_of" in detail:
            made.element_of, made.index = detail["element_of"], detail.get("index")

    def _counted(self, offset: float, task: int, _attempt: int, detail: Any) -> None:
        found = self._task(task, offset).map
        if found is not None:
            found.count(detail)

    def _edge(self, offset: float, task: int, _attempt: int, detail: Any) -> None:
        upstream = self._task(task, offset).upstream
        if detail["upstream"] not in upstream:
            upstream.append(detail["upstream"])

    def _moved(self, offset: float, task: int, attempt: int, detail: Any) -> None:
        found = self._task(task, offset)
        found.move(offset, attempt, standing(detail))
        if self._keep is not None and len(found.attempts) > 2 * self._keep:
            found.forget(self._keep)
        if self._keep is not None and found.element_of and found.state.is_final:
            self._absorb(found)

    def _absorb(self, element: _Task) -> None:
        """Forget a final element of a map beyond the first ones, but for the counts."""
        parent = self._tasks.get(element.element_of)
        if parent is not None and parent.map is not None and (element.index or 0) >= KEPT_ELEMENTS:
            parent.map.absorb(element)
            del self._tasks[element.number]

    def _struck(self, offset: float, task: int, attempt: int, detail: Any) -> None:
        fault = Fault(offset, task, attempt, detail.get("at"), str(detail.get("do", "")))
        self._bounded(self._faults).append(fault)
        if task:
            self._task(task, offset).strike(fault)

    def _breaker(self, offset: float, _task: int, _attempt: int, detail: Any) -> None:
        old, new = (str(detail.get(key, "")).replace("_", "-") for key in ("old", "new"))
        story = breaker_story({**detail, "old": old, "new": new})
        self._bounded(self._breakers).append(
            BreakerChange(offset, str(detail.get("breaker", "")), old, new, story)
        )

    def _handler(self, offset: float, task: int, _attempt: int, detail: Any) -> None:
        self._bounded(self._notices).append(Notice(offset, task, str(detail.get("error", ""))))

    def _noticed(self, kind: str, offset: float, task: int, attempt: int, detail: Any) -> None:
        found = self._tasks.get(task)
        whose = "the flow's body" if not task else found.name if found else f"task {task}"
        which = f"{whose}, attempt {attempt}" if attempt else whose
        self._bounded(self._notices).append(Notice(offset, task, f"{which}: {NOTICES[kind](detail)}"))

    def _missed(self, offset: float, task: int, _attempt: int, detail: Any) -> None:
        self._task(task, offset).cache = str(detail.get("text", ""))

    def _not_kept(self, offset: float, task: int, _attempt: int, detail: Any) -> None:
        self._task(task, offset).cache = f"The result was not kept: {detail.get('text', '')}."

    def _undone(self, offset: float, task: int, _attempt: int, _detail: Any) -> None:
        self._task(task, offset).rolled_back = True

    def _not_undone(self, offset: float, task: int, _attempt: int, detail: Any) -> None:
        text = f"the rollback of {detail.get('key', '')!r} failed: {detail.get('error', '')}"
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
    "elements_counted": History._counted,
    "state_changed": History._moved,
    "fault_injected": History._struck,
    "breaker_changed": History._breaker,
    "handler_failed": History._handler,
    "cache_missed": History._missed,
    "cache_not_kept": History._not_kept,
    "rolled_back": History._undone,
    "rollback_failed": History._not_undone,
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
