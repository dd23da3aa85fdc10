"""Turns a loaded scenario into what the machines take: fault plans, and keywords for replicas.

Everything here is a plain value; the runner makes the replicas of it. What a file names in code is looked up
here, and a name that leads nowhere is an error with its place in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asyncflow import signals
from asyncflow.faults import TaskFault
from asyncflow.scenario.exceptions import error_of, try_to_make
from asyncflow.scenario.format import Fault, Scenario, ServiceAt, TaskAt
from asyncflow.scenario.load import report
from asyncflow.scenario.shape import Problem
from asyncflow.states import BY_NAME


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
