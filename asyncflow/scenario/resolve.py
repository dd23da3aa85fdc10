"""Turns a loaded scenario into what the machines take: fault plans, keywords for replicas, policy options.

Everything here is a plain value; the runner makes the policies and replicas of it. What a file names in code
is looked up here, and a name that leads nowhere is an error with its place in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from asyncflow import signals
from asyncflow.errors import NotFound, did_you_mean
from asyncflow.faults import TaskFault
from asyncflow.scenario.exceptions import error_class, error_of, try_to_make
from asyncflow.scenario.format import (
    BreakerOptions,
    Fault,
    PolicyOptions,
    RetryOptions,
    Scenario,
    ServiceAt,
    TaskAt,
)
from asyncflow.scenario.load import report
from asyncflow.scenario.locate import Path
from asyncflow.scenario.shape import Problem
from asyncflow.scenario.values import Delay
from asyncflow.states import BY_NAME

EVERY_TASK = "*"
"""The key of `policy_options` for what a variant says about all tasks."""


def fault_id(position: int) -> str:
    """Return the id of the fault at a position of the file, from 0; errors name it in the same way."""
    return f"fault[{position + 1}]"


def task_faults(scenario: Scenario, fire: int | None = None) -> tuple[TaskFault, ...]:
    """Return the faults and signals that strike attempts of tasks, in the order of the file.

    Args:
        scenario: the scenario.
        fire: which run of a schedule it is, from 1; those that are meant for other runs are left out.

    Raises:
        ScenarioInvalid: when an error's class can't be found or made; all of them in one message.
    """
    problems: list[Problem] = []
    found = []
    for position, fault in enumerate(scenario.faults):
        if (
            isinstance(fault.at, TaskAt)
            and fault.action.layer in ("task", "signal")
            and (fire is None or fire in (many(fault.at.fire) or (fire,)))
        ):
            try:
                found.append(_task_fault(fault_id(position), fault, fault.at))
            except ValueError as reason:
                problems.append((("fault", position, "error"), str(reason)))
    report(scenario.source, problems)
    return tuple(found)


def _task_fault(name: str, fault: Fault, at: TaskAt) -> TaskFault:
    error, text = error_of(fault.error) if fault.error is not None else (None, "")
    message = fault.message or text
    if error is not None:
        try_to_make(error, message)
    delay = fault.seconds if fault.seconds is not None else fault.delay
    return TaskFault(
        id=name,
        task=at.task,
        do=fault.do,  # type: ignore[arg-type]  # the words of these two layers are those of TaskFault
        attempts=many(at.attempt),
        call=at.call,
        index=at.index,
        when="after" if (at.when or _USUALLY.get(fault.do)) == "after" else "before",
        delay=None if delay is None else float(delay),
        error=error,
        message=message,
        value=fault.result if fault.do == "signal" else fault.value,
        signal=getattr(signals, fault.signal) if fault.signal else None,
        state=BY_NAME[fault.state](message, fault.result) if fault.state else None,
        probability=1.0 if fault.probability is None else fault.probability,
        optional=fault.optional,
    )


_USUALLY = {"wrong-result": "after"}
"""When an action strikes that does not strike before the body unless the file says so."""


def many(numbers: int | list[int] | None) -> tuple[int, ...] | None:
    """Return the numbers that a file says as one, as a list, or not at all, in order and each once."""
    if numbers is None:
        return None
    return (numbers,) if isinstance(numbers, int) else tuple(sorted(set(numbers)))


def http_faults(scenario: Scenario, host: str) -> tuple[dict[str, Any], ...]:
    """Return the keywords of an `asyncflow.net` HttpFault for each thing that goes wrong at a service.

    A fault whose requests are not all in a row, such as `request = [1, 4]`, comes in several parts;
    `http_fault_ids` tells which fault each part belongs to.
    """
    return tuple(keywords for _, keywords in _http_faults(scenario, host))


def http_fault_ids(scenario: Scenario, host: str) -> tuple[str, ...]:
    """Return the id of the fault that each element of `http_faults` is a part of."""
    return tuple(name for name, _ in _http_faults(scenario, host))


def _http_faults(scenario: Scenario, host: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for position, fault in enumerate(scenario.faults):
        at = fault.at
        if isinstance(at, ServiceAt) and at.service == host and fault.action.layer == "http":
            byte = fault.off if fault.do == "wrong-length" else fault.keep
            keywords = {
                "do": fault.do,
                "status": fault.status,
                "retry_after": seconds_of(fault.retry_after),
                "seconds": seconds_of(fault.seconds),
                "byte": byte,
                "path": at.path,
            }
            told = {key: value for key, value in keywords.items() if value is not None}
            for requests in _runs(many(at.request)):
                yield fault_id(position), told | ({} if requests is None else {"requests": requests})


def _runs(numbers: tuple[int, ...] | None) -> list[int | tuple[int, int] | None]:
    """Return sorted numbers as single ones and as pairs of the first and last of those in a row."""
    if numbers is None:
        return [None]
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [run[0] if len(run) == 1 else (run[0], run[-1]) for run in runs]


def seconds_of(duration: float | None) -> float | None:
    """Return a length of time as a plain number of seconds, or None."""
    return None if duration is None else float(duration)


def policy_options(scenario: Scenario, variant: str | None = None) -> dict[str, dict[str, Any]]:
    """Return what a scenario, or one of its variants, says about the policies of each task.

    The values are plain: seconds, names, exception classes. A part that is None is taken away from what
    the code declares; a part that is missing stays as it is. A variant's parts stand above the scenario's,
    task by task and part by part. `policy = "none"` takes all parts away, under the key EVERY_TASK.

    Args:
        scenario: the scenario.
        variant: the variant's name, or None for the scenario itself.

    Raises:
        NotFound: when it has no variant of that name.
        ScenarioInvalid: when an exception's class can't be found; all of them in one message.
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


PARTS = ("retry", "timeout", "breaker")
"""The parts of a task's policies that this version has."""


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
    parts: dict[str, Any] = {part: None for part in told.without if part in PARTS}
    if told.retry is not None:
        parts["retry"] = _retry((*path, "retry"), told.retry, problems)
    if told.breaker is not None:
        parts["breaker"] = _breaker((*path, "breaker"), task, told.breaker, problems)
    if told.timeout is not None:
        parts["timeout"] = float(told.timeout)
    if told.when_rejected is not None:
        parts["when_rejected"] = told.when_rejected
    return parts


def _retry(path: Path, told: RetryOptions, problems: list[Problem]) -> dict[str, Any]:
    options: dict[str, Any] = {"max_attempts": told.max_attempts}
    if told.delay is not None:
        options["delay"] = _delay(told.delay)
    if told.jitter is not None:
        options["jitter"] = told.jitter
    for key in ("on", "never"):
        names = getattr(told, key)
        if names is not None:
            options[key] = _classes((*path, key), names, problems)
    return options


def _delay(delay: Delay) -> dict[str, Any]:
    if delay.kind == "custom":
        return {"kind": delay.kind, "delays": tuple(float(one) for one in delay.delays)}
    return {"kind": delay.kind, "base": float(delay.base), "cap": seconds_of(delay.cap)}


def _breaker(path: Path, task: str, told: BreakerOptions, problems: list[Problem]) -> dict[str, Any]:
    options: dict[str, Any] = {"name": told.name or task}
    for key in ("failures", "probes"):
        if getattr(told, key) is not None:
            options[key] = getattr(told, key)
    if told.open_for is not None:
        options["open_for"] = float(told.open_for)
    if told.on is not None:
        options["on"] = _classes((*path, "on"), told.on, problems)
    return options


def _classes(path: Path, names: list[str], problems: list[Problem]) -> tuple[type[BaseException], ...]:
    found = []
    for index, name in enumerate(names):
        try:
            found.append(error_class(name))
        except ValueError as reason:
            problems.append(((*path, index), str(reason)))
    return tuple(found)
