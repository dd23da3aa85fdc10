"""Holds a scenario's expectations against what a run came to: one claim, one check."""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from asyncflow.events import Event
from asyncflow.history import RunHistory, TaskHistory
from asyncflow.human import duration, plural
from asyncflow.scenario.check import Check, counted, either, listed
from asyncflow.scenario.format import EventCount, Expectations
from asyncflow.scenario.rows import check_rows
from asyncflow.scenario.values import Count, Range, counts, task_of

_TELLER = reprlib.Repr()
_TELLER.maxstring = _TELLER.maxother = 100


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run came to.

    Attributes:
        history: its events, folded.
        result: the flow's value, or None when it failed.
        home: the folder in which it ran.
        events: its events.
        breakers: the names of the breakers around its tasks, used or not.
        runs: where a schedule was followed, what each of its runs came to, in order, this last one included.
    """

    history: RunHistory
    result: Any
    home: Path
    events: Sequence[Event] = ()
    breakers: Collection[str] = ()
    runs: Sequence[Facts] = ()


def check_all(expected: Expectations, facts: Facts) -> list[Check]:
    """Return a check for each claim about a run that is over, in the order of the format."""
    return list(_at_the_end(expected, facts))


def check_now(expected: Expectations, history: RunHistory) -> list[Check]:
    """Return a check for each claim that can be made at any moment of a run.

    Of a task that was not called yet no state is claimed: it may still be.
    """
    return [*_flow(expected, history, "is"), *_tasks(expected, history, "is"), *_counts(expected, history)]


def _at_the_end(expected: Expectations, facts: Facts) -> Iterator[Check]:
    yield from _flow(expected, facts.history, "ends")
    yield from _tasks(expected, facts.history, "ends")
    yield from _counts(expected, facts.history)
    for rows in expected.rows:
        yield from check_rows(rows, facts.home)
    if expected.result is not msgspec.UNSET:
        yield _result(expected.result, facts)
    for wanted in expected.events:
        yield _events(wanted, facts)
    for name, in_order in expected.breaker.items():
        yield _breaker(name, in_order, facts)
    if expected.within is not None:
        took = facts.history.ended
        what = f"the run takes at most {duration(expected.within)}"
        yield Check.of(what, held=took <= float(expected.within), found=duration(took))


def _flow(expected: Expectations, history: RunHistory, verb: str) -> Iterator[Check]:
    if expected.flow is not None:
        found = history.state.name
        what = f"the flow {verb} {either(expected.flow)}"
        yield Check.of(what, held=found in listed(expected.flow), found=found)


def _tasks(expected: Expectations, history: RunHistory, verb: str) -> Iterator[Check]:
    for name, wanted in expected.tasks.items():
        found = dict.fromkeys(run.state.name for run in _runs_of(history, name))
        if found or verb == "ends":
            held = bool(found) and all(state in listed(wanted) for state in found)
            what = f"{name} {verb} {either(wanted)}"
            yield Check.of(what, held=held, found=", ".join(found) or "no call of it")


def _counts(expected: Expectations, history: RunHistory) -> Iterator[Check]:
    for name, wanted in expected.attempts.items():
        found = sum(run.attempt_count for run in _runs_of(history, name))
        yield _count(name, "has", wanted, found, "attempt")
    for name, wanted in expected.calls.items():
        found = sum(run.call_count for run in _runs_of(history, name))
        yield _count(name, "has", wanted, found, "call")


def _count(whose: str, verb: str, wanted: Count, found: int, word: str) -> Check:
    what = f"{whose} {verb} {counted(wanted, word)}"
    return Check.of(what, held=counts(wanted, found), found=plural(found, word))


def _runs_of(history: RunHistory, name: str) -> list[TaskHistory]:
    """Return all runs of a task; of `parse#2` the second alone, of `parse[0]` the first element of a map."""
    first = name.replace("#1[", "[").removesuffix("#1")
    known = history.elements if name.endswith("]") else history.tasks
    if first != name:
        return [run for run in known if run.key == first]
    return [run for run in known if name in (run.name, run.key)]


def _events(wanted: EventCount, facts: Facts) -> Check:
    history = facts.history
    names = {task.number: (task.name, task_of(task.name)) for task in (*history.tasks, *history.elements)}
    found = sum(
        event.kind == wanted.kind
        and (wanted.task is None or wanted.task in names.get(event.task, ()))
        and wanted.attempt in (None, event.attempt)
        for event in facts.events
    )
    whose = f" of {wanted.task}" if wanted.task else ""
    which = f", attempt {wanted.attempt}," if wanted.attempt else ""
    count = Range(min=1) if wanted.count is None else wanted.count
    return _count(f"{wanted.kind}{whose}{which}", "happens", count, found, "time")


def _breaker(name: str, wanted: Sequence[str], facts: Facts) -> Check:
    what = f"breaker {name} goes {' > '.join(wanted)}"
    if name not in facts.breakers:
        known = ", ".join(facts.breakers) or "none"
        return Check(what, held=False, detail=f"no such breaker; around the tasks there are: {known}")
    changes = [change for change in facts.history.breakers if change.breaker == name]
    found = [changes[0].old, *(change.new for change in changes)] if changes else ["closed"]
    return Check.of(what, held=found == wanted, found=" > ".join(found))


def _result(wanted: Any, facts: Facts) -> Check:
    what = f"the flow's value is {_shown(wanted)}"
    if facts.history.state.is_failed or not facts.history.is_over:
        return Check(what, held=False, detail=f"none, since the flow ended {facts.history.state.name}")
    found = _as_json(facts.result)
    return Check.of(what, held=_same(_as_json(wanted), found), found=_shown(found))


def _as_json(value: Any) -> Any:
    """Return a value as JSON gives it back: tuples as lists, dates as texts; what JSON can't say as it is."""
    # Sets come out in order where that can be had, which is without keys that are no texts.
    for order in ("deterministic", None):
        try:
            return msgspec.json.decode(msgspec.json.encode(value, order=order))
        except Exception:  # noqa: BLE001 - the value is the user's, and JSON may be unable to say it
            continue
    return value


def _same(wanted: Any, found: Any) -> bool:
    try:
        return bool(wanted == found)
    except Exception:  # noqa: BLE001 - a comparison that is made by user code
        return False


def _shown(value: Any) -> str:
    """Return a short text of any value."""
    try:
        return _TELLER.repr(value)
    except Exception as error:  # noqa: BLE001 - the text is made by user code
        return f"a value of {type(value).__name__} whose text can't be made: {type(error).__name__}"
