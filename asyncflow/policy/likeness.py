"""What a policy may remember of a failure: its class, its text and its plain attributes.

The failure itself holds its traceback, which holds the frames of all who were on the way, callers included.
Kept for as long as a circuit is open, that is a leak, and often a cycle.
"""

from __future__ import annotations

from contextlib import suppress

from asyncflow.errors import AsyncflowError, full_text_of

_PLAIN = (str, int, float, bool, bytes, type(None))


def likeness(error: BaseException) -> BaseException:
    """Return an exception of the same class and text that holds nothing alive.

    Where the class can't be made of plain values it is an AsyncflowError whose text names the class.
    """
    kind = type(error)
    with suppress(Exception):  # a class may want whatever it likes to be made, or to tell its text
        twin = kind.__new__(kind, *filter(_is_plain, error.args))
        twin.__dict__.update((name, value) for name, value in vars(error).items() if _is_plain(value))
        if isinstance(twin, kind) and str(twin) == str(error):
            return twin
    return AsyncflowError(full_text_of(error))


def _is_plain(value: object) -> bool:
    return isinstance(value, _PLAIN)
