"""Gives a flow's tasks the policies that a scenario, or one of its variants, says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from asyncflow.errors import InvalidPolicy
from asyncflow.policy.backoff import constant, exponential, linear
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.retry import Retry
from asyncflow.scenario.format import Scenario
from asyncflow.scenario.load import report
from asyncflow.scenario.locate import Path
from asyncflow.scenario.resolve import EVERY_TASK, policy_options
from asyncflow.scenario.shape import Problem
from asyncflow.task import Task

AnyTask = Task[..., Any]
Parts = Mapping[str, Mapping[str, Any]]
"""The parts of the policies, by task and by the name of the option of `@task`."""


def adapter(scenario: Scenario, variant: str | None = None) -> Callable[[AnyTask], AnyTask] | None:
    """Return what changes a task for a rehearsal, or None when no task is to be changed.

    The policies are made here and not in the run: one that can't work is an error of the file, not a failure
    of the flow that a scenario might even expect.

    Args:
        scenario: the scenario.
        variant: the variant's name, or None for the scenario itself.

    Raises:
        NotFound: when it has no variant of that name.
        ScenarioInvalid: when a policy can't be made; all of them in one message.
    """
    parts = _made(scenario, variant)
    if not parts:
        return None
    changed: dict[AnyTask, AnyTask] = {}

    def adapt(task: AnyTask) -> AnyTask:
        told = {**parts.get(EVERY_TASK, {}), **parts.get(task.name, {})}
        if not told:
            return task
        if task not in changed:
            changed[task] = task.with_options(**told)
        return changed[task]

    return adapt


def _made(scenario: Scenario, variant: str | None) -> Parts:
    made: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for task, options in policy_options(scenario, variant).items():
        made[task] = {}
        for part, plain in options.items():
            try:
                made[task][part] = _part(part, plain)
            except InvalidPolicy as reason:
                problems.append((_place(scenario, variant, task, part), str(reason)))
    problems.extend((_place(scenario, variant, *where), reason) for where, reason in _clashes(made))
    report(scenario.source, problems)
    return made


def _place(scenario: Scenario, variant: str | None, task: str, part: str) -> Path:
    """Return where a part is said: in the variant's table when it has it, else in the scenario's."""
    told = {} if variant is None else scenario.variants[variant].policy
    if isinstance(told, dict) and task in told and getattr(told[task], part) is not None:
        return ("variant", str(variant), "policy", task, part)
    return ("policy", task, part)


def _clashes(made: Parts) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the breakers that have the name of an earlier one and other settings."""
    known: dict[str, Breaker] = {}
    for task, parts in made.items():
        breaker = parts.get("breaker")
        if breaker is not None and known.setdefault(breaker.name, breaker) != breaker:
            reason = f"breaker {breaker.name!r} has other settings above; give them one setting or two names"
            yield (task, "breaker"), reason


def _part(part: str, plain: Any) -> Any:
    """Return a part of a policy from its plain options."""
    if part == "retry" and plain is not None:
        return _retry(plain)
    if part == "breaker" and plain is not None:
        return Breaker(**plain)
    return plain


def _retry(plain: Mapping[str, Any]) -> Retry:
    told = dict(plain)
    if "delay" in told:
        told["delay"] = _delay(**told["delay"])
    return Retry(**told)


def _delay(kind: str, base: float = 0.0, cap: float | None = None, delays: tuple[float, ...] = ()) -> Any:
    match kind:
        case "custom":
            return delays
        case "linear":
            return linear(base, cap=cap)
        case "exponential":
            return exponential(base, cap=cap)
    return constant(base if cap is None else min(base, cap))
