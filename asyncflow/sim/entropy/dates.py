"""`datetime.now()` and its kin in the simulated world.

`datetime.today` and `date.today` ask `time.time`, so they follow the clock by themselves. `datetime.now` and
`datetime.utcnow` read the machine's clock in C. They are class methods of a type that refuses assignment, so
they are replaced in the dictionary behind it, and everybody who holds the class follows, subclasses too.
Whether this Python lets that happen is tried once, at import; where it doesn't, these two keep real time.

Out of reach is a bound method that was taken before: `now = datetime.now` at the top of a module.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from typing import Any

from asyncflow.sim.entropy import inside

_NAMES = ("now", "utcnow")
_REAL: dict[str, Any] = {name: vars(datetime).get(name) for name in _NAMES}


@classmethod  # type: ignore[misc]  # a method of datetime's, written elsewhere
def _now(cls: type[datetime], tz: tzinfo | None = None) -> datetime:
    here = inside.here()
    if here is None:
        return _real("now", cls)(tz)  # type: ignore[no-any-return]
    return _at(cls, here.clock.wall(), tz)


@classmethod  # type: ignore[misc]
def _utcnow(cls: type[datetime]) -> datetime:
    here = inside.here()
    if here is None:
        return _real("utcnow", cls)()  # type: ignore[no-any-return]
    if sys.version_info >= (3, 12):
        warnings.warn(
            "datetime.datetime.utcnow() is deprecated: use datetime.datetime.now(datetime.UTC)",
            DeprecationWarning,
            stacklevel=2,
        )
    return _at(cls, here.clock.wall(), UTC).replace(tzinfo=None)


_STAND_INS: dict[str, Any] = {"now": _now, "utcnow": _utcnow}


def _real(name: str, cls: type[datetime]) -> Any:
    return _REAL[name].__get__(None, cls)


def _at(cls: type[datetime], seconds: float, tz: tzinfo | None) -> datetime:
    """Make the moment as `cls.now` would: by datetime's own method, whatever a subclass makes of its name."""
    made: datetime = vars(datetime)["fromtimestamp"].__get__(None, cls)(seconds, tz)
    return made


@contextmanager
def following() -> Iterator[None]:
    """Let `datetime.now` and `datetime.utcnow` show the simulated clock inside the `with` block."""
    if not SIMULATED:
        yield
        return
    found = {name: vars(datetime)[name] for name in _NAMES}
    try:
        _put(_STAND_INS)
        yield
    finally:
        _put(found)


def _put(methods: dict[str, Any]) -> None:
    gc.get_referents(vars(datetime))[0].update(methods)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime))


def _tried() -> bool:
    """Replace the methods and put them back; with no simulation going on the stand-ins act as the real."""
    try:
        behind = gc.get_referents(vars(datetime))[0]
        if type(behind) is not dict or any(behind.get(name) is not _REAL[name] for name in _NAMES):
            return False
        _put(_STAND_INS)
        try:
            followed = all(getattr(datetime, name).__func__ is _STAND_INS[name].__func__ for name in _NAMES)
        finally:
            _put(_REAL)
        return followed and all(vars(datetime)[name] is _REAL[name] for name in _NAMES)
    except Exception:  # noqa: BLE001 - any failure means the same: this Python does not let it happen
        return False


SIMULATED = _tried()
"""Whether `datetime.now` and `datetime.utcnow` follow the simulated clock on this Python."""
