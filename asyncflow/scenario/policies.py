"""Gives a flow's tasks the policies that a scenario, or one of its variants, says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from asyncflow.policy.backoff import constant, exponential, linear
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.retry import Retry
from asyncflow.scenario.resolve import EVERY_TASK
from asyncflow.task import Task

AnyTask = Task[..., Any]


def adapter(options: Mapping[str, Mapping[str, Any]]) -> Callable[[AnyTask], AnyTask] | None:
    """Return what changes a task for a rehearsal, or None when no task is to be changed.

    Args:
        options: the plain options of `resolve.policy_options`, by the task's name.
    """
    if not options:
        return None
    changed: dict[AnyTask, AnyTask] = {}

    def adapt(task: AnyTask) -> AnyTask:
        told = {**options.get(EVERY_TASK, {}), **options.get(task.name, {})}
        if not told:
            return task
        if task not in changed:
            changed[task] = task.with_options(**{part: _made(part, value) for part, value in told.items()})
        return changed[task]

    return adapt


def _made(part: str, value: Any) -> Any:
    """Return a part of a policy from its plain options."""
    if value is None:
        return None
    if part == "retry":
        return _retry(value)
    if part == "breaker":
        return Breaker(**value)
    return value


def _retry(options: Mapping[str, Any]) -> Retry:
    told = dict(options)
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
    return constant(base)
