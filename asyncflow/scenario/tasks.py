"""The tasks of a scenario's flow, and the check that those which it names are among them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from asyncflow.errors import did_you_mean
from asyncflow.flow import Flow
from asyncflow.scenario.format import Expect, Expectations, PolicyAt, Scenario
from asyncflow.scenario.load import report
from asyncflow.scenario.locate import Path
from asyncflow.scenario.values import task_of
from asyncflow.task import Task


def check_tasks(scenario: Scenario, known: Iterable[str]) -> None:
    """Check that every task that a scenario names is one of the flow's.

    Args:
        scenario: the scenario.
        known: the names of the flow's tasks.

    Raises:
        ScenarioInvalid: a line for each name that the flow does not have, with the nearest that it has.
    """
    names = tuple(known)
    problems = [
        (path, f"{scenario.flow} has no task {name!r}." + (did_you_mean(name, names) or _all_of(names)))
        for path, name in _named_tasks(scenario)
        if name not in names
    ]
    report(scenario.source, problems)


def in_reach(flow: Flow[..., Any]) -> Iterator[Task[..., Any]]:
    """Yield the tasks that the flow's module knows, itself or by an imported module.

    One of them may be expected not to be called at all: `attempts = { repair = 0 }`.
    """
    for value in getattr(inspect.unwrap(flow.fn), "__globals__", {}).values():
        for found in vars(value).values() if isinstance(value, ModuleType) else [value]:
            if isinstance(found, Task):
                yield found


def _all_of(names: tuple[str, ...]) -> str:
    return f" It has: {', '.join(names)}." if names else " It has none."


def _named_tasks(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    """Yield every task that the scenario names, and where."""
    for index, fault in enumerate(scenario.faults):
        key = "policy" if isinstance(fault.at, PolicyAt) else "task"
        name = getattr(fault.at, key, None)
        if name is not None:
            yield ("fault", index, "at", key), name
    yield from ((("policy", task), task) for task in scenario.policies)
    yield from _named_in_moments(("expect",), scenario.expect)
    for title, variant in scenario.variants.items():
        path = ("variant", title)
        if variant.policy != "none":
            yield from (((*path, "policy", task), task) for task in variant.policy)
        if variant.expect is not None:
            yield from _named_in_moments((*path, "expect"), variant.expect)


def _named_in_moments(path: Path, expect: Expect) -> Iterator[tuple[Path, str]]:
    yield from _named_in(path, expect)
    if expect.before is not None:
        yield from _named_in((*path, "before"), expect.before)
    for moment in ("always", "sometimes", "fires"):
        for index, expectations in enumerate(getattr(expect, moment)):
            yield from _named_in((*path, moment, index), expectations)


def _named_in(path: Path, expectations: Expectations) -> Iterator[tuple[Path, str]]:
    for key in ("tasks", "attempts", "calls", "signal"):
        for name in getattr(expectations, key):
            yield (*path, key, name), task_of(name)
    for index, event in enumerate(expectations.events):
        if event.task is not None:
            yield (*path, "events", index, "task"), event.task.partition("[")[0]
