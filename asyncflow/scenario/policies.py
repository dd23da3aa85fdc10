"""Gives a flow's tasks the policies that a scenario, or one of its variants, says."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any

from asyncflow.errors import InvalidPolicy
from asyncflow.policies import (
    AIMD,
    Breaker,
    Budget,
    Bulkhead,
    Fallback,
    Gradient2,
    Hedge,
    Policy,
    RateLimit,
    Retry,
    Throttle,
    Vegas,
    constant,
    exponential,
    linear,
)
from asyncflow.scenario.format import Scenario
from asyncflow.scenario.load import report
from asyncflow.scenario.locate import Path
from asyncflow.scenario.policy_options import EVERY_TASK, policy_options
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


def check_policies(
    scenario: Scenario, variant: str | None, tasks: Iterable[AnyTask], called: Container[str] = ()
) -> None:
    """Check that a scenario's policies can be made, and fit what tasks are declared with.

    Args:
        scenario: the scenario.
        variant: the variant's name, or None for the scenario itself.
        tasks: the tasks that are known before the flow is run.
        called: the names of those that the flow is known to call.

    Raises:
        NotFound: when it has no variant of that name.
        ScenarioInvalid: when a policy can't be made, contradicts a part that the code declares, or has the
            name of one that a called task is declared with, and other settings.
    """
    tasks = tuple(tasks)
    adapt = adapter(scenario, variant)
    if adapt is None:
        return
    problems: dict[str, Problem] = {}
    for task in tasks:
        try:
            adapt(task)
        except InvalidPolicy as reason:
            told = f"{reason}. Together with what the code declares, this can't work"
            problems[task.name] = (_table(scenario, variant, task.name), told)
    report(scenario.source, problems.values())
    clashes = _clashes_with_code(_made(scenario, variant), [task for task in tasks if task.name in called])
    report(scenario.source, [(_place(scenario, variant, *where), reason) for where, reason in clashes])


def _table(scenario: Scenario, variant: str | None, task: str) -> Path:
    """Return where the policies of a task are said: in the variant when it says any of them."""
    told = {} if variant is None else scenario.variants[variant].policy
    if isinstance(told, dict) and task in told:
        return ("variant", str(variant), "policy", task)
    return ("policy", task)


def _made(scenario: Scenario, variant: str | None) -> Parts:
    made: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for task, options in policy_options(scenario, variant).items():
        made[task] = {}
        for part, plain in options.items():
            try:
                made[task][part] = _MAKERS[part](plain) if part in _MAKERS and plain is not None else plain
            except InvalidPolicy as reason:
                key, told = _split(str(reason), plain)
                problems.append(((*_place(scenario, variant, task, part), *key), told))
    problems.extend((_place(scenario, variant, *where), reason) for where, reason in _clashes(made))
    if not problems:
        problems.extend((_place(scenario, variant, *where), reason) for where, reason in _misfits(made))
    report(scenario.source, problems)
    return made


def _place(scenario: Scenario, variant: str | None, task: str, part: str) -> Path:
    """Return where a part is said: in the variant's table when it has it, else in the scenario's."""
    told = {} if variant is None else scenario.variants[variant].policy
    if isinstance(told, dict) and task in told and getattr(told[task], part) is not None:
        return ("variant", str(variant), "policy", task, part)
    return ("policy", task, part)


def _split(reason: str, plain: Any) -> tuple[tuple[str, ...], str]:
    """Return the key of a part's table that a refusal begins with, if it does, and what it says of it."""
    found = _SETTING.match(reason)
    if found is None or not isinstance(plain, dict) or found[1] not in plain:
        return (), reason
    return (found[1],), reason.removeprefix(f"{found[1]}: ")


_SETTING = re.compile(r"(\w+)[=:]")


def _clashes(made: Parts) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield what has the name of an earlier policy of its kind and other settings."""
    known: dict[tuple[type, str], Any] = {}
    for task, part, named in _named(made):
        if known.setdefault((type(named), named.name), named) != named:
            yield (task, part), _clash(part, named, "above")


def _clashes_with_code(made: Parts, tasks: Iterable[AnyTask]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield what has the name of a policy of its kind that a task keeps from the code, and other settings."""
    known: dict[tuple[type, str], tuple[Any, str]] = {}
    for task in tasks:
        told = {**made.get(EVERY_TASK, {}), **made.get(task.name, {})}
        kept = {part: getattr(task.policy, part) for part in _MAKERS if part not in told}
        for _, _, named in _named({task.name: kept}):
            known.setdefault((type(named), named.name), (named, task.name))
    for told_task, part, named in _named(made):
        declared, where = known.get((type(named), named.name), (named, ""))
        if declared != named:
            yield (told_task, part), _clash(part, named, f"in the code, at task {where!r}")


def _named(parts: Parts) -> Iterator[tuple[str, str, Any]]:
    """Yield every policy that has a name, a budget among them, with the task and the part that it is of."""
    for task, its in parts.items():
        for part, spec in its.items():
            for named in (spec, getattr(spec, "budget", None)):
                if getattr(named, "name", None) is not None:
                    yield task, part, named


def _clash(part: str, named: Any, where: str) -> str:
    kind = _KINDS.get(type(named), part.replace("_", " "))
    return f"{kind} {named.name!r} has other settings {where}; give them one setting or two names"


_KINDS: Mapping[type, str] = {Budget: "budget"}


def _misfits(made: Parts) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the parts of one task that contradict each other."""
    for task, parts in made.items():
        try:
            Policy(**parts)
        except InvalidPolicy as reason:
            found = _SETTING.match(str(reason))
            part = found[1] if found is not None and found[1] in parts else next(iter(parts))
            yield (task, part), str(reason)


def _retry(plain: Mapping[str, Any]) -> Retry:
    told = dict(plain)
    if "budget" in told:
        told["budget"] = Budget(**told["budget"])
    if "delay" in told:
        if told["delay"]["kind"] == "decorrelated":
            told.setdefault("jitter", "decorrelated")
        told["delay"] = _delay(**told["delay"])
    return Retry(**told)


def _delay(kind: str, base: float = 0.0, cap: float | None = None, delays: tuple[float, ...] = ()) -> Any:
    match kind:
        case "custom":
            return delays
        case "linear":
            return linear(base, cap=cap)
        case "exponential" | "decorrelated":
            return exponential(base, cap=cap)
    return constant(base if cap is None else min(base, cap))


def _bulkhead(plain: Mapping[str, Any]) -> Bulkhead:
    rule = _RULES[plain["adaptive"]]() if "adaptive" in plain else None
    return Bulkhead(**{**plain, "adaptive": rule})


_RULES: Mapping[str, Callable[[], Any]] = {"vegas": Vegas, "gradient": Gradient2, "aimd": AIMD}

_MAKERS: Mapping[str, Callable[[Any], Any]] = {
    "fallback": lambda plain: Fallback(**plain),
    "hedge": lambda plain: Hedge(**plain),
    "retry": _retry,
    "breaker": lambda plain: Breaker(**plain),
    "rate_limit": lambda plain: RateLimit(**plain),
    "bulkhead": _bulkhead,
    "throttle": Throttle,
}
"""What makes a part of its plain options; other parts are what they are."""
