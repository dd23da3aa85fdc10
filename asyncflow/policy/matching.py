"""Which errors a policy means: an exception type, a tuple of types, or a predicate.

The default, `Exception`, stands for every ordinary failure: exceptions and the signals that count as
failures. A rejection by a policy further in (an open breaker, say) is no failure of the body, and a policy
that can't work is a mistake of the program, which no other attempt mends; so only their own types mean them:
`on=BreakerOpen`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from asyncflow.errors import InvalidPolicy, Rejected
from asyncflow.outcomes import Raised, Refused, Signalled, TimedOut
from asyncflow.signals import Signal

Errors = type[BaseException] | tuple[type[BaseException], ...] | Callable[[Any], bool]
"""What `on=` and `never=` accept."""

_ONLY_BY_NAME = (Rejected, InvalidPolicy)


def checked(errors: Errors, name: str) -> Errors:
    """Return `errors` when a policy can use it.

    Args:
        errors: an exception type, a tuple of types, or a predicate of the error.
        name: the argument's name, for the message.

    Raises:
        InvalidPolicy: when it is something else, or names what no policy may handle, such as a cancellation.
    """
    if isinstance(errors, type):
        _check_type(errors, name)
    elif isinstance(errors, tuple):
        for one in errors:
            _check_type(one, name)
    elif not callable(errors):
        raise InvalidPolicy(
            f"{name}={errors!r} must be an exception type, a tuple of types or a predicate; "
            f"write {name}=ConnectionError"
        )
    elif inspect.iscoroutinefunction(errors):
        raise InvalidPolicy(
            f"{name}={errors!r} is a coroutine function; a predicate answers at once, write `def`"
        )
    return errors


def _check_type(one: object, name: str) -> None:
    if not (isinstance(one, type) and issubclass(one, BaseException)):
        raise InvalidPolicy(
            f"{name}: {one!r} is not an exception type; write {name}=(ConnectionError, TimeoutError)"
        )
    if not issubclass(one, Exception) and not (issubclass(one, Signal) and one.fails):
        raise InvalidPolicy(
            f"{name}: {one.__name__} is not a failure of the body and is never handled by a policy; "
            "name an Exception or one of the signals FAIL, TRIGGERFAIL, VALIDATIONFAIL"
        )


def failure_of(outcome: Raised | TimedOut | Refused | Signalled) -> BaseException:
    """Return the exception that an outcome other than a value stands for."""
    return outcome.signal if isinstance(outcome, Signalled) else outcome.error


def counts(error: BaseException, on: Errors) -> bool:
    """Return whether `on` means this failure."""
    if not is_failure(error):
        return False
    if isinstance(error, _ONLY_BY_NAME):
        return any(issubclass(one, _ONLY_BY_NAME) and isinstance(error, one) for one in _types(on))
    if isinstance(on, tuple | type):
        named = isinstance(error, on)
        return named or (isinstance(error, Signal) and Exception in _types(on))
    return bool(on(error))


def excluded(error: BaseException, never: Errors) -> bool:
    """Return whether `never` names this failure."""
    return isinstance(error, never) if isinstance(never, tuple | type) else bool(never(error))


def is_failure(error: BaseException) -> bool:
    """Return whether a policy may handle the error at all: exceptions, and signals that count as failures."""
    return error.fails if isinstance(error, Signal) else isinstance(error, Exception)


def _types(on: Errors) -> tuple[type[BaseException], ...]:
    if isinstance(on, tuple):
        return on
    return (on,) if isinstance(on, type) else ()
