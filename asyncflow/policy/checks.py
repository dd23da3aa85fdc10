"""Settings checked once, when a policy is built: each refusal names the value, the rule and the way out."""

from __future__ import annotations

import math

from asyncflow.errors import InvalidPolicy


def checked_name(name: str | None) -> None:
    """Raise InvalidPolicy unless a policy can have that name, or none."""
    if name is not None and (not isinstance(name, str) or not name):
        raise InvalidPolicy(
            f"name={name!r} must be a text that says what is protected, such as 'payments'; "
            "leave it out for a policy that shares its state with no other"
        )


def checked_whole(number: int, setting: str, least: int, hint: str) -> None:
    """Raise InvalidPolicy unless a setting is a whole number, `least` or more."""
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise InvalidPolicy(f"{setting}={number!r} must be a whole number, {least} or more; {hint}")


def checked_number(number: float, setting: str, least: float, most: float, hint: str) -> None:
    """Raise InvalidPolicy unless a setting is a number from `least` to `most`, which may be infinity."""
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    if not is_number or not least <= number <= most or number == math.inf:
        end = f"from {least:g} to {most:g}" if most < math.inf else f"{least:g} or more"
        raise InvalidPolicy(f"{setting}={number!r} must be a number, {end}; {hint}")
