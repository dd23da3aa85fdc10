"""Holds a scenario's expectations against what a run came to: one checkable claim, one check."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from asyncflow.events import Event
from asyncflow.history import RunHistory, TaskHistory
from asyncflow.human import duration
from asyncflow.scenario.format import EventCount, Expectations, Rows
from asyncflow.scenario.values import Count, Range, counts


@dataclass(frozen=True, slots=True)
class Check:
    """One claim and whether it held.

    Attributes:
        what: the claim, such as `parse_complaints ends Failed`.
        held: whether it is true.
        detail: what was found instead; empty when it held.
    """

    what: str
    held: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run came to.

    Attributes:
        history: its events, folded.
        result: the flow's value, or None when it failed.
        home: the folder in which it ran.
        events: its events.
    """

    history: RunHistory
    result: Any
    home: Path
    events: Sequence[Event] = ()


def check_all(expected: Expectations, facts: Facts, *, at_the_end: bool = True) -> list[Check]:
    """Return a check for each claim, in the order of the format.

    Args:
        expected: the claims.
        facts: what the run came to, so far or in the end.
        at_the_end: whether the run is over, so that a task which was not called never will be.
    """
    return list(_checks(expected, facts, "ends" if at_the_end else "is"))


def _checks(expected: Expectations, facts: Facts, verb: str) -> Iterator[Check]:
    yield from _states(expected, facts.history, verb)
    for what in ("attempts", "calls"):
        for name, count in getattr(expected, what).items():
            yield _count_of(what, name, count, _runs_of(facts.history, name))
    for rows in expected.rows:
        yield from _rows(rows, facts.home)
    for wanted in expected.events:
        yield _event_count(wanted, facts)
    for name, in_order in expected.breaker.items():
        yield _breaker(name, in_order, facts.history)
    yield from _ends(expected, facts)


def _states(expected: Expectations, history: RunHistory, verb: str) -> Iterator[Check]:
    if expected.flow is not None:
        wanted = _names(expected.flow)
        yield _check(f"the flow {verb} {_either(wanted)}", history.state.name in wanted, history.state.name)
    for name, states in expected.tasks.items():
        runs = _runs_of(history, name)
        if runs or verb == "ends":
            yield _task_states(name, verb, _names(states), runs)


def _ends(expected: Expectations, facts: Facts) -> Iterator[Check]:
    if expected.result is not msgspec.UNSET:
        found = _as_data(facts.result)
        yield _check(f"the flow's value is {expected.result!r}", found == expected.result, repr(found))
    if expected.within is not None:
        took = facts.history.ended
        within = f"the run ends within {expected.within}"
        yield _check(within, took <= float(expected.within), f"took {duration(took)}")


def _check(what: str, held: bool, found: str) -> Check:  # noqa: FBT001 - one private constructor
    return Check(what, held, "" if held else found)


def _names(said: str | Sequence[str]) -> Sequence[str]:
    return [said] if isinstance(said, str) else said


def _either(words: Sequence[str]) -> str:
    return " or ".join(words)


def _runs_of(history: RunHistory, name: str) -> list[TaskHistory]:
    """Return all runs of a task, or for a key such as `parse#2` that one."""
    return [task for task in history.tasks if name in (task.name, task.key)]


def _task_states(name: str, verb: str, wanted: Sequence[str], runs: list[TaskHistory]) -> Check:
    found = [run.state.name for run in runs]
    held = bool(found) and all(state in wanted for state in found)
    return _check(
        f"{name} {verb} {_either(wanted)}", held, ", ".join(dict.fromkeys(found)) or "was never called"
    )


def _count_of(what: str, name: str, wanted: Count, runs: list[TaskHistory]) -> Check:
    found = sum(run.attempt_count if what == "attempts" else run.call_count for run in runs)
    return _check(f"{name} has {_said(wanted)} {what}", counts(wanted, found), str(found))


def _event_count(wanted: EventCount, facts: Facts) -> Check:
    numbers = {task.number: task.name for task in facts.history.tasks}
    found = sum(
        event.kind == wanted.kind
        and wanted.task in (None, numbers.get(event.task))
        and wanted.attempt in (None, event.attempt)
        for event in facts.events
    )
    count = Range(min=1) if wanted.count is None else wanted.count
    whose = f" of {wanted.task}" if wanted.task else ""
    which = f", attempt {wanted.attempt}" if wanted.attempt else ""
    return _check(
        f"{wanted.kind}{whose}{which} happens {_said(count)} times", counts(count, found), str(found)
    )


def _said(count: Count) -> str:
    if isinstance(count, int):
        return str(count)
    if count.max is None:
        return f"at least {count.min or 0}"
    return f"at most {count.max}" if count.min is None else f"{count.min} to {count.max}"


def _as_data(value: Any) -> Any:
    try:
        return msgspec.to_builtins(value)
    except TypeError:
        return value


def _breaker(name: str, wanted: list[Any], history: RunHistory) -> Check:
    changes = [change for change in history.breakers if change.breaker == name]
    found = [changes[0].old, *(change.new for change in changes)] if changes else ["closed"]
    return _check(f"breaker {name} goes {' > '.join(wanted)}", found == wanted, " > ".join(found))


# ---------------------------------------------------------------------- rows of a database


def _rows(rows: Rows, home: Path) -> Iterator[Check]:
    where = f" where {rows.where}" if rows.where else ""
    place = f"{rows.table} in {rows.database}{where}"
    claims = list(_claims(rows))
    try:
        for what, sql, holds in claims:
            number = _ask(home / rows.database, sql)
            yield _check(f"{place} {what}", holds(number), str(number))
    except sqlite3.Error as error:
        yield Check(f"{place} can be asked", held=False, detail=str(error))


def _claims(rows: Rows) -> Iterator[tuple[str, str, Any]]:
    """Yield a sentence, a query for one number, and whether a number is as claimed."""
    table, where = _quoted(rows.table), f"({rows.where})" if rows.where else "1"
    everything = f"SELECT count(*) FROM {table} WHERE {where}"
    if rows.count is not None:
        yield f"has {rows.count} rows", everything, lambda number: number == rows.count
    if rows.min is not None:
        yield f"has at least {rows.min} rows", everything, lambda number: number >= rows.min
    if rows.max is not None:
        yield f"has at most {rows.max} rows", everything, lambda number: number <= rows.max
    for column in _columns(rows.null):
        query = f"{everything} AND {_quoted(column)} IS NOT NULL"
        yield f"has no {column} that is filled", query, lambda number: number == 0
    for column in _columns(rows.not_null):
        query = f"{everything} AND {_quoted(column)} IS NULL"
        yield f"has no {column} that is NULL", query, lambda number: number == 0


def _columns(said: str | Sequence[str] | None) -> Sequence[str]:
    return [] if said is None else _names(said)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _ask(database: Path, sql: str) -> int:
    """Return the number that a query gives; the file is only read, and not made when it is not there."""
    if not database.is_file():
        raise sqlite3.OperationalError(f"there is no file {database.name}")
    connection = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)
    try:
        number: int = connection.execute(sql).fetchone()[0]
        return number
    finally:
        connection.close()
