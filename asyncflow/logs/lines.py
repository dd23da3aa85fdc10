"""Run events as log lines, in the words that the tutorial's readers know.

The level is asked before anything is built, so events that nobody wants to read cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from asyncflow import ambient
from asyncflow.events import RunHeader
from asyncflow.history.decisions import DECISIONS
from asyncflow.history.notices import NOTICES
from asyncflow.history.record import Standing, standing, strike_text
from asyncflow.human import duration
from asyncflow.signals import TRIGGERFAIL, Signal
from asyncflow.states import BY_NAME, State

FLOW, TASK = "asyncflow.flow", "asyncflow.task"
NAMES = frozenset((FLOW, TASK))
"""The loggers of lines that are made from events."""

_DEBUG, _INFO, _WARNING, _ERROR = 10, 20, 30, 40
_CLOSED = 1000
_MOST_RUNS = 1000
_PACKAGE = Path(__file__).parent.parent
_GUESTS = ("examples", "tasks")

_TOLD_ALREADY = ("loop_blocked", "cancel_swallowed")
"""Events that the engine logs by itself, at once: what they tell of may keep the loop from telling."""

_FLOW_ENDS = {"success": "all reference tasks succeeded", "failure": "some reference tasks failed."}


class _Run:
    """What must be known of a run to tell its events: names and states of the tasks that are not final."""

    __slots__ = ("header", "tasks")

    def __init__(self, header: RunHeader) -> None:
        self.header = header
        self.tasks: dict[int, list[str]] = {}


class _Desk:
    """The one place that turns events into lines; closed until `configure` opens it."""

    def __init__(self) -> None:
        self.least = _CLOSED
        self.loggers: dict[str, Any] = {}
        self.runs: dict[str, _Run] = {}


_desk = _Desk()


def open_at(least: int, get_logger: Callable[[str], Any]) -> None:
    """Begin to write lines of at least that level.

    Args:
        least: the level, as the standard library's logging counts.
        get_logger: structlog's.
    """
    _desk.least = least
    _desk.loggers = {name: get_logger(name) for name in (FLOW, TASK)}


def close() -> None:
    """Stop writing lines, and forget the runs that were going on."""
    _desk.least = _CLOSED
    _desk.loggers.clear()
    _desk.runs.clear()


def attach(world: ambient.World | None = None) -> None:
    """Make a world's runs tell their events as log lines; doing so again changes nothing.

    Args:
        world: the world; the current one when None.
    """
    listeners = (ambient.world() if world is None else world).listeners
    if listener not in listeners:
        listeners.append(listener)


def listener(header: RunHeader, _seq: int, event: Any) -> None:
    """Take an event of any run."""
    if _desk.least >= _CLOSED:
        return
    _, kind, task, attempt, detail = event
    teller = _TELLERS.get(kind)
    if teller is None and kind not in DECISIONS and (kind not in NOTICES or kind in _TOLD_ALREADY):
        return
    run = _desk.runs.get(header.id)
    if run is None:
        if len(_desk.runs) >= _MOST_RUNS:
            del _desk.runs[next(iter(_desk.runs))]
        run = _desk.runs[header.id] = _Run(header)
    if teller is not None:
        teller(run, task, attempt, detail)
    elif kind in DECISIONS:
        _decided(run, kind, task, attempt, detail)
    else:
        _noticed(run, kind, task, attempt, detail)


def _say(run: _Run, level: int, task: int, attempt: int, text: str, **fields: Any) -> None:
    """Write a line; callers have asked for the level where building the text costs anything."""
    if level < _desk.least:
        return
    place: dict[str, Any] = {"flow": run.header.flow, "run": run.header.name, "run_id": run.header.id}
    name = FLOW
    if task:
        name, text = TASK, f"Task {_name(run, task)!r}: {text}"
        place["task"] = _name(run, task)
        if attempt:
            place["attempt"] = attempt
    _desk.loggers[name].log(level, text, **place, **fields)


def _name(run: _Run, task: int) -> str:
    known = run.tasks.get(task)
    return known[0] if known else f"task {task}"


def _started(run: _Run, _task: int, _attempt: int, _detail: Any) -> None:
    _say(run, _INFO, 0, 0, f"Beginning Flow run for {run.header.flow!r}")


def _called(run: _Run, task: int, _attempt: int, detail: Mapping[str, Any]) -> None:
    run.tasks[task] = [str(detail.get("name", "")), "Pending", ""]


def _moved(run: _Run, task: int, attempt: int, detail: Any) -> None:
    """Tell a change of state."""
    name = detail.name if isinstance(detail, State) else str(detail.get("state", ""))
    kind = getattr(BY_NAME.get(name), "kind", "waiting")
    if not task:
        if kind in _FLOW_ENDS:
            _flow_ended(run, kind, detail)
        return
    known = run.tasks.setdefault(task, [f"task {task}", "Pending", ""])
    if _desk.least <= _DEBUG:
        _say(run, _DEBUG, task, attempt, f"Handling state change from {known[1]} to {name}.")
    known[1] = name
    if kind == "active":
        if not known[2]:
            _say(run, _INFO, task, attempt, "Starting task run...")
        known[2] = "started"
    elif kind == "waiting":
        _waits(run, task, attempt, name, detail)
    else:
        _ended(run, task, attempt, name, detail, is_failed=kind == "failure")
        if name != "Crashed":
            del run.tasks[task]


def _waits(run: _Run, task: int, attempt: int, name: str, detail: Any) -> None:
    """Tell why a task waits."""
    if name == "Retrying":
        if _desk.least <= _WARNING:
            state = standing(detail)
            delay = state.detail.get("delay")
            when = f"in {duration(delay)}" if isinstance(delay, int | float) and delay > 0 else "at once"
            fields = {"delay_s": delay, "reason": state.detail.get("reason")}
            told = {key: value for key, value in fields.items() if value is not None}
            _say(run, _WARNING, task, attempt, f"Retrying {when}: {_cause(state)}", **told)
    elif name in ("Paused", "Scheduled"):
        _say(run, _INFO, task, attempt, f"{name}: {standing(detail).message}")
    elif _desk.least <= _INFO and (state := standing(detail)).detail.get("slots"):
        _say(run, _INFO, task, attempt, state.message)


def _cause(state: Standing) -> str:
    """Return what a retry is for: the error, else the decision's reason, else the state's message."""
    return str(state.error or state.detail.get("reason") or state.message)


def _ended(run: _Run, task: int, attempt: int, name: str, detail: Any, *, is_failed: bool) -> None:
    """Tell the end of a task run, and of its failure when it has one of its own."""
    if is_failed:
        _failed(run, task, attempt, detail, "Exception encountered during task execution: ")
    if _desk.least <= _INFO:
        text = f"Finished task run for task with final state: {name!r}"
        _say(run, _INFO, task, attempt, text, state=name)


def _failed(run: _Run, task: int, attempt: int, detail: Any, text: str) -> None:
    """Tell an exception, with the user's part of its traceback; a refusing trigger is told by its state."""
    if _desk.least > _ERROR:
        return
    error = standing(detail).error
    if error is not None and error.type != TRIGGERFAIL.__name__:
        trace = own_trace(getattr(detail, "result", None))
        fields = {"exc_info": trace} if trace else {}
        _say(run, _ERROR, task, attempt, f"{text}{error}", **fields)


def _flow_ended(run: _Run, kind: str, detail: Any) -> None:
    """Tell the end of the flow run."""
    state = standing(detail)
    # The failure of a task was told when the task failed; only the body's own is named in the message.
    if kind == "failure" and state.error is not None and state.error.text in state.message:
        _failed(run, 0, 0, detail, "Exception encountered in the flow's body: ")
    word = "SUCCESS" if kind == "success" else "CANCELLED" if state.name == "Cancelled" else "FAILED"
    level = _INFO if kind == "success" else _ERROR
    _say(run, level, 0, 0, f"Flow run {word}: {_end_text(state, kind)}", state=state.name)


def _end_text(state: Standing, kind: str) -> str:
    """Return the sentence for the end of a flow run: the tutorial's, unless the state has more to say."""
    usual = _FLOW_ENDS[kind]
    known = BY_NAME.get(state.name)
    is_usual = state.message.rstrip(".").lower() == usual.rstrip(".")
    return usual if is_usual or (known and state.message == known.default_message) else state.message


def own_trace(error: Any) -> tuple[type[BaseException], BaseException, TracebackType] | None:
    """Return an exception with its traceback from the first frame that is not asyncflow's own.

    None for a signal, and where there is no such frame: an injected fault has no code of the user's to show.
    """
    if not isinstance(error, BaseException) or isinstance(error, Signal):
        return None
    trace = error.__traceback__
    while trace is not None and _is_ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return None if trace is None else (type(error), error, trace)


def _is_ours(filename: str) -> bool:
    """Whether a file belongs to asyncflow's machinery, rather than to user code or ready-made bodies."""
    path = Path(filename)
    return path.is_relative_to(_PACKAGE) and path.relative_to(_PACKAGE).parts[0] not in _GUESTS


def _struck(run: _Run, task: int, attempt: int, detail: Mapping[str, Any]) -> None:
    if _desk.least <= _WARNING:
        do = str(detail.get("do", ""))
        _say(run, _WARNING, task, attempt, f"Fault injected: {strike_text(do, detail.get('at'))}", fault=do)


def _breaker(run: _Run, task: int, attempt: int, detail: Mapping[str, Any]) -> None:
    level = _INFO if detail.get("new") == "closed" else _WARNING
    if _desk.least <= level:
        why = f" {detail['why']}" if detail.get("new") == "open" and detail.get("why") else ""
        text = f"Breaker {detail.get('breaker')!r}: {detail.get('old')} -> {detail.get('new')}{why}"
        _say(run, level, task, attempt, text, breaker=detail.get("breaker"))


def _decided(run: _Run, kind: str, task: int, attempt: int, detail: Mapping[str, Any]) -> None:
    level = _WARNING if kind == "fell_back" else _INFO
    if _desk.least <= level:
        text = DECISIONS[kind](detail)
        _say(run, level, task, attempt, text[:1].upper() + text[1:])


def _handler(run: _Run, task: int, attempt: int, detail: Mapping[str, Any]) -> None:
    sentence = str(detail.get("error"))  # which names the handler
    _say(run, _ERROR, task, attempt, sentence[:1].upper() + sentence[1:])


def _noticed(run: _Run, kind: str, task: int, attempt: int, detail: Mapping[str, Any]) -> None:
    level = _INFO if kind == "thread_returned" else _WARNING
    if _desk.least <= level:
        text = NOTICES[kind](detail)
        _say(run, level, task, attempt, text[:1].upper() + text[1:])


def _missed(run: _Run, task: int, attempt: int, detail: Mapping[str, Any]) -> None:
    level = _WARNING if detail.get("reason") in ("no key", "unreadable") else _INFO
    _say(run, level, task, attempt, str(detail.get("text")), reason=detail.get("reason"))


def _not_kept(run: _Run, task: int, attempt: int, detail: Mapping[str, Any]) -> None:
    _say(run, _WARNING, task, attempt, f"The result was not kept: {detail.get('text')}")


def _undone(run: _Run, _task: int, _attempt: int, detail: Mapping[str, Any]) -> None:
    key, hook = detail.get("key"), detail.get("hook")
    _say(run, _INFO, 0, 0, f"Rolled back task run {key!r} with {hook!r}", task_run=key)


def _not_undone(run: _Run, _task: int, _attempt: int, detail: Mapping[str, Any]) -> None:
    key = detail.get("key")
    _say(run, _ERROR, 0, 0, f"The rollback of task run {key!r} failed: {detail.get('error')}", task_run=key)


def _over(run: _Run, _task: int, _attempt: int, _detail: Any) -> None:
    _desk.runs.pop(run.header.id, None)


_TELLERS: Mapping[str, Callable[[_Run, int, int, Any], None]] = {
    "run_started": _started,
    "task_called": _called,
    "state_changed": _moved,
    "fault_injected": _struck,
    "breaker_changed": _breaker,
    "handler_failed": _handler,
    "cache_missed": _missed,
    "cache_not_kept": _not_kept,
    "rolled_back": _undone,
    "rollback_failed": _not_undone,
    "run_ended": _over,
}
