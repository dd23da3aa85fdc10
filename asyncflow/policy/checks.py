"""Settings checked once, when a policy is built: each refusal names the value, the rule and the way out."""

from __future__ import annotations

import inspect
import math
from typing import Any

from asyncflow.errors import InvalidPolicy


def checked_name(name: str | None, *, may_lack: bool = False) -> None:
    """Raise InvalidPolicy unless a policy can have that name.

    Args:
        name: what was given.
        may_lack: whether there is a policy of that kind without a name, too.
    """
    if (may_lack and name is None) or (isinstance(name, str) and name):
        return
    way_out = "; leave it out for a policy that shares its state with no other" if may_lack else ""
    raise InvalidPolicy(
        f"name={name!r} must be a text that says what is protected, such as 'payments'{way_out}"
    )


def checked_whole(number: object, setting: str, least: int, hint: str) -> None:
    """Raise InvalidPolicy unless a setting is a whole number, `least` or more."""
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise InvalidPolicy(f"{setting}={number!r} must be a whole number, {least} or more; {hint}")


def checked_number(number: float, setting: str, least: float, most: float, hint: str) -> None:
    """Raise InvalidPolicy unless a setting is a number from `least` to `most`, which may be infinity."""
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    if not is_number or not least <= number <= most or number == math.inf:
        end = f"from {least:g} to {most:g}" if most < math.inf else f"{least:g} or more"
        raise InvalidPolicy(f"{setting}={number!r} must be a number, {end}; {hint}")


def checked_function(function: Any, name: str, *, what: str) -> None:
    """Raise InvalidPolicy unless `function` is one that answers at once, or None.

    Args:
        function: what was given.
        name: the argument's name, for the message.
        what: what the function is of, for the message.
    """
    if function is None:
        return
    if not callable(function):
        raise InvalidPolicy(f"{name}={function!r} must be {what}, or None")
    if inspect.iscoroutinefunction(function):
        raise InvalidPolicy(
            f"{name}={function!r} is a coroutine function, for which nobody waits; write `def`"
        )
