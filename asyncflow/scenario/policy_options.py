"""What a scenario says about the policies of its tasks, as plain values: seconds, names, exception classes.

What a file names in code is looked up here, and a name that leads nowhere is an error with its place in the
file. `asyncflow.scenario.policies` makes the policies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_args

from msgspec import UNSET, Struct

from asyncflow.errors import AsyncflowError, NotFound, did_you_mean
from asyncflow.guard.policy import Policy
from asyncflow.scenario.exceptions import error_class
from asyncflow.scenario.format import PolicyOptions, PolicyPart, Scenario
from asyncflow.scenario.load import report
from asyncflow.scenario.locate import Path
from asyncflow.scenario.shape import Problem
from asyncflow.scenario.values import Delay, Duration, Reference, said
from asyncflow.targets import load_module, split

EVERY_TASK = "*"
"""The key of `policy_options` for what a variant says about all tasks."""

_KNOWN = {setting.name for setting in fields(Policy)}
PARTS: tuple[str, ...] = tuple(part for part in get_args(PolicyPart) if part in _KNOWN)
"""The parts of a task's policies, the outermost first."""


def policy_options(scenario: Scenario, variant: str | None = None) -> dict[str, dict[str, Any]]:
    """Return what a scenario, or one of its variants, says about the policies of each task.

    A part that is None is taken away from what the code declares; a part that is missing stays as it is. A
    variant's parts stand above the scenario's, task by task and part by part. `policy = "none"` takes all
    parts away, under the key EVERY_TASK.

    Args:
        scenario: the scenario.
        variant: the variant's name, or None for the scenario itself.

    Raises:
        NotFound: when it has no variant of that name.
        ScenarioInvalid: when what it names in code can't be found; all of them in one message.
    """
    problems: list[Problem] = []
    options = _of_tasks(("policy",), scenario.policies, problems)
    if variant is not None:
        chosen = _variant(scenario, variant)
        if isinstance(chosen, str):
            return {EVERY_TASK: dict.fromkeys(PARTS)}
        for task, parts in _of_tasks(("variant", variant, "policy"), chosen, problems).items():
            options[task] = options.get(task, {}) | parts
    report(scenario.source, problems)
    return options


def _variant(scenario: Scenario, name: str) -> Mapping[str, PolicyOptions] | str:
    if name not in scenario.variants:
        hint = did_you_mean(name, scenario.variants) or f" It has: {', '.join(scenario.variants) or 'none'}."
        raise NotFound(f"{scenario.source.file} has no variant {name!r}.{hint}")
    return scenario.variants[name].policy


def _of_tasks(
    path: Path, policies: Mapping[str, PolicyOptions], problems: list[Problem]
) -> dict[str, dict[str, Any]]:
    return {task: _parts((*path, task), task, told, problems) for task, told in policies.items()}


def _parts(path: Path, task: str, told: PolicyOptions, problems: list[Problem]) -> dict[str, Any]:
    """Return the parts of one task's policies; a breaker without a name has the task's."""
    parts: dict[str, Any] = dict.fromkeys(told.without)
    for part in (*PARTS, "when_rejected"):
        value = getattr(told, part)
        if value is not None:
            parts[part] = _plain((*path, part), value, problems)
    if parts.get("breaker") is not None:
        parts["breaker"] = {"name": task} | parts["breaker"]
    return parts


def _plain(path: Path, value: Any, problems: list[Problem]) -> Any:
    """Return a value of a policy's table as plain data."""
    match value:
        case Struct():
            return {
                key: _LOOKED_UP[key]((*path, key), item, problems)
                if key in _LOOKED_UP
                else _plain((*path, key), item, problems)
                for key, item in said(value).items()
            }
        case Delay():
            return _delay(value)
        case Duration():
            return float(value)
    return value


def _delay(delay: Delay) -> dict[str, Any]:
    if delay.kind == "custom":
        return {"kind": delay.kind, "delays": tuple(float(one) for one in delay.delays)}
    cap = None if delay.cap is None else float(delay.cap)
    return {"kind": delay.kind, "base": float(delay.base), "cap": cap}


def _classes(path: Path, names: list[str], problems: list[Problem]) -> tuple[type[BaseException], ...]:
    found = []
    for index, name in enumerate(names):
        try:
            found.append(error_class(name))
        except ValueError as reason:
            problems.append(((*path, index), str(reason)))
    return tuple(found)


def _function(path: Path, reference: Reference, problems: list[Problem]) -> Callable[..., Any] | None:
    """Return a function of the user's by its reference."""
    source, name = split(reference)
    try:
        found = getattr(load_module(source), name, UNSET)
    except AsyncflowError as reason:
        problems.append((path, str(reason)))
        return None
    if callable(found):
        function: Callable[..., Any] = found
        return function
    problems.append((path, f"{source!r} has no function {name!r}"))
    return None


_LOOKED_UP: Mapping[str, Callable[[Path, Any, list[Problem]], Any]] = {
    "on": _classes,
    "never": _classes,
    "ignore": _classes,
    "function": _function,
    "value": lambda _path, value, _problems: value,
}
"""What is made of the keys that name something in code, and of those whose value is the user's own."""
