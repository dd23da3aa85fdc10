"""`@charge.on_rollback`: what undoes a task's effect when the flow run fails."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import Parameter
from typing import Any

from asyncflow.binding import signature_of
from asyncflow.errors import InvalidTask
from asyncflow.guard.policy import Policy
from asyncflow.policy.retry import Retry
from asyncflow.policy.seconds import Seconds

PATIENCE = 60.0
"""Seconds that one attempt of a hook may take when nothing else is said: a hook can't be cancelled."""


@dataclass(frozen=True)
class Rollback:
    """Undo what a task did, once, when the flow run fails after the task succeeded.

    Args:
        hook: `hook(result, *args, **kwargs)`, sync or async: the task's result, and the arguments that its
            body was given.
        retry: when the hook is tried again; a whole number is short for `Retry(number)`.
        timeout: seconds (or a timedelta) that one attempt may take; None for as long as it likes.

    Raises:
        InvalidTask: when the hook can't be called.
        InvalidPolicy: when a setting is out of range.
    """

    hook: Callable[..., Any]
    retry: Retry | int | None = None
    timeout: Seconds | None = PATIENCE
    policy: Policy = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not callable(self.hook):
            raise InvalidTask(f"rollback hook {self.hook!r} is not callable; pass the function itself")
        object.__setattr__(self, "policy", Policy(timeout=self.timeout, retry=self.retry))

    @property
    def name(self) -> str:
        """The hook's name."""
        return getattr(self.hook, "__name__", type(self.hook).__name__)

    def check(self, fn: Callable[..., Any], task: str) -> None:
        """Check that the hook takes what it will be given.

        Args:
            fn: the body of the task.
            task: the task's name.

        Raises:
            InvalidTask: when it does not.
        """
        own, body = signature_of(self.hook), signature_of(fn)
        if own is None or body is None:
            return
        places: list[str] = ["result"]
        names: list[str] = []
        for parameter in body.parameters.values():
            if parameter.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD):
                places.append(parameter.name)
            elif parameter.kind is Parameter.KEYWORD_ONLY:
                names.append(parameter.name)
        try:
            own.bind(*places, **dict.fromkeys(names))
        except TypeError as error:
            said = ", ".join([*places, *(f"{name}=..." for name in names)])
            raise InvalidTask(
                f"the rollback hook of task {task!r} is called as {self.name}({said}), with the task's "
                f"result and its arguments: {error}"
            ) from None


def as_rollback(given: Any) -> Rollback | None:
    """Return what `rollback=` was given as a Rollback: one, the hook alone, or None."""
    return given if given is None or isinstance(given, Rollback) else Rollback(given)


def is_async(hook: Callable[..., Any]) -> bool:
    """Whether calling a hook gives a coroutine."""
    called = getattr(hook, "__call__", None)  # noqa: B004 - an object with an async __call__
    return inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(called)
