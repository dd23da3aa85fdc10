"""The options of `@task`: what there is, how it becomes fields of a Task, and checks that flows share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from asyncflow.errors import AsyncflowError, InvalidFlow, InvalidTask, did_you_mean
from asyncflow.guard.policy import Policy
from asyncflow.policy.backoff import constant
from asyncflow.policy.retry import Retry
from asyncflow.policy.seconds import seconds
from asyncflow.policy.slots import checked_count, checked_tags, checked_uses
from asyncflow.rollback import as_rollback

if TYPE_CHECKING:
    from asyncflow.caching.options import Caching
    from asyncflow.schedules import Schedule

StateHandler = Callable[[Any, Any, Any], Any]
"""`handler(obj, old, new)`, sync or async; a State that it returns replaces the new one."""

FailureHandler = Callable[[Any, Any], Any]
"""`on_failure(obj, state)`, called once for a final failure."""

_POLICY_OPTIONS = frozenset(setting.name for setting in dataclasses.fields(Policy))
_CACHE_OPTIONS = ("cache_for", "cache_key", "cache_validator", "stale_if_error")
_OWN_OPTIONS = (
    "name",
    "policy",
    "trigger",
    "skip_on_upstream_skip",
    "state_handlers",
    "on_failure",
    "nout",
    "key",
    "validate",
    "tags",
    "uses",
    "rollback",
    "heartbeat",
    "process",
)


def fields_from(options: dict[str, Any], policy: Policy, cache: Caching | None = None) -> dict[str, Any]:
    """Turn the options of `@task` into fields of Task: those of policy and cache are folded into one each."""
    known = (*_OWN_OPTIONS, *sorted(_POLICY_OPTIONS), *_CACHE_OPTIONS, "max_retries", "retry_delay")
    for name in options:
        if name not in known:
            raise InvalidTask(f"unknown task option {name!r}.{did_you_mean(name, known)}")
    options = _with_retry_shorthand(options)
    if options.get("policy", policy) is None:
        options["policy"] = Policy()
    if not isinstance(options.get("policy", policy), Policy):
        raise InvalidTask(f"policy={options['policy']!r} must be a Policy; write Policy(timeout=3.0)")
    changes = {name: value for name, value in options.items() if name in _POLICY_OPTIONS}
    fields = {name: value for name, value in options.items() if name in _OWN_OPTIONS}
    if changes and "policy" in fields:
        raise InvalidTask(f"policy= already says all of it; leave out {', '.join(changes)}")
    if changes:
        fields["policy"] = policy.replace(**changes)
    keeping = {name: value for name, value in options.items() if name in _CACHE_OPTIONS}
    if keeping:
        from asyncflow.caching.options import caching_from  # here, since most programs cache nothing

        fields["cache"] = caching_from(keeping, cache)
    for name, read in _READERS.items():
        if name in fields:
            fields[name] = read(fields[name])
    return fields


def _with_retry_shorthand(options: dict[str, Any]) -> dict[str, Any]:
    """Understand `max_retries=2, retry_delay=timedelta(seconds=1)` as `retry=Retry(3, delay=constant(1))`."""
    given = {name for name in ("max_retries", "retry_delay") if options.get(name) is not None}
    if not given:
        return {name: value for name, value in options.items() if name not in ("max_retries", "retry_delay")}
    if len(given) == 1:
        raise InvalidTask("max_retries and retry_delay belong together; or write retry=Retry(3, delay=...)")
    if options.get("retry") is not None:
        raise InvalidTask("retry= already says all of it; leave out max_retries and retry_delay")
    rest = {name: value for name, value in options.items() if name not in given}
    return {**rest, "retry": Retry(options["max_retries"] + 1, delay=constant(options["retry_delay"]))}


def checked_handlers(
    handlers: Sequence[StateHandler] | None, refusal: type[AsyncflowError]
) -> tuple[StateHandler, ...]:
    """Return state handlers as a tuple.

    Args:
        handlers: what was given.
        refusal: what is raised when one of them can't be called.
    """
    for handler in handlers or ():
        if not callable(handler):
            raise refusal(f"state handler {handler!r} is not callable; pass the function itself")
    return tuple(handlers or ())


def checked_name(name: Any) -> str:
    """Return a flow's name, or raise InvalidFlow for what is none."""
    if not name or not isinstance(name, str):
        raise InvalidFlow(f"a flow needs a name, not {name!r}: Flow('my flow')")
    return name


def checked_schedule(schedule: Schedule | None) -> Schedule | None:
    """Return a flow's schedule, or raise InvalidFlow for what is none."""
    # By what it can do: the module of schedules is not imported for flows that have none.
    if schedule is not None and not callable(getattr(schedule, "next_fires", None)):
        raise InvalidFlow(
            f"schedule={schedule!r} is not a schedule; use IntervalSchedule(timedelta(minutes=1)) or another "
            "one of asyncflow.schedules"
        )
    return schedule


def checked_on_failure(handler: FailureHandler | None) -> FailureHandler | None:
    """Return a flow's handler, or raise InvalidFlow for what can't be called."""
    if handler is not None and not callable(handler):
        raise InvalidFlow(f"on_failure={handler!r} is not callable; pass the function itself")
    return handler


def checked_max_running(most: int | None) -> int | None:
    """Return how many task runs of a flow may be at work at once; None for as many as there are."""
    return None if most is None else checked_count(most, "max_running")


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "tags": checked_tags,
    "uses": checked_uses,
    "rollback": as_rollback,
    "heartbeat": lambda given: None if given is None else seconds(given, "heartbeat", zero=False),
    "state_handlers": lambda handlers: checked_handlers(handlers, InvalidTask),
}
"""What makes a field of an option that may be said in several ways."""
