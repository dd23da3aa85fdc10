"""The functions of `time`, reading the simulated clock for threads that are inside the simulated world."""

from __future__ import annotations

import logging
import math
import operator
import time
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from asyncflow.sim.clock import Clock
from asyncflow.sim.entropy import inside
from asyncflow.sim.entropy.inside import Inside
from asyncflow.sim.entropy.swaps import Swap

_NS = 1_000_000_000

_READINGS: dict[str, Callable[[Clock], float]] = {
    "time": Clock.wall,
    "monotonic": Clock.monotonic,
    "perf_counter": Clock.monotonic,
    "process_time": Clock.monotonic,  # processor time differs from run to run, so virtual time stands for it
    "thread_time": Clock.monotonic,
}

_WALL_CLOCKS = [getattr(time, name) for name in ("CLOCK_REALTIME", "CLOCK_TAI") if hasattr(time, name)]

Function = Callable[..., Any]


def stand_ins() -> Iterator[Swap]:
    """Give a stand-in for each function of `time` that reads a clock or waits.

    Each has the real function as its `__wrapped__`.
    """
    for name, read in _READINGS.items():
        yield from _reading(name, read)
        yield from _reading(f"{name}_ns", _ns_reading(read))
    for name, act in _ACTS.items():
        yield from _acting(name, act)


def values(clock: Clock) -> Iterator[Swap]:
    """Give what modules have read from a clock at their import and measure from ever since."""
    begun = vars(logging).get("_startTime")  # the `relativeCreated` of a log record counts from here
    yield logging, "_startTime", _in_ns(clock.wall()) if isinstance(begun, int) else clock.wall()


def _reading(name: str, read: Callable[[Clock], float]) -> Iterator[Swap]:
    real = getattr(time, name)

    @wraps(real)
    def stand_in() -> float:
        here = inside.here()
        return real() if here is None else read(here.clock)

    yield time, name, stand_in


def _acting(name: str, act: Function) -> Iterator[Swap]:
    real = getattr(time, name, None)
    if real is None:  # Windows has no clock_gettime
        return

    @wraps(real)
    def stand_in(*args: Any) -> Any:
        here = inside.here()
        return real(*args) if here is None else act(here, real, *args)

    yield time, name, stand_in


def _ns_reading(read: Callable[[Clock], float]) -> Callable[[Clock], int]:
    return lambda clock: _in_ns(read(clock))


def _in_ns(seconds: float) -> int:
    return round(seconds * _NS)


def _calendar(here: Inside, real: Function, seconds: float | None = None) -> Any:
    return real(here.clock.wall() if seconds is None else seconds)


def _asctime(here: Inside, real: Function, *moment: Any) -> Any:
    return real(*(moment or (time.localtime(here.clock.wall()),)))


def _strftime(here: Inside, real: Function, form: str, *moment: Any) -> Any:
    return real(form, *(moment or (time.localtime(here.clock.wall()),)))


def _gettime(here: Inside, _real: Function, number: int) -> float:
    return here.clock.wall() if number in _WALL_CLOCKS else here.clock.monotonic()


def _gettime_ns(here: Inside, _real: Function, number: int) -> int:
    return _in_ns(_gettime(here, _real, number))


def _sleep(here: Inside, _real: Function, seconds: float) -> None:
    """Refuse what `time.sleep` refuses, and let the world do the waiting."""
    length = seconds if isinstance(seconds, float) else operator.index(seconds)
    if math.isnan(length):
        raise ValueError("sleep length must be a number, not NaN")
    if length < 0:
        raise ValueError("sleep length must be non-negative")
    if math.isinf(length):
        raise OverflowError("sleep length is too large")
    here.sleep(length)


_ACTS: dict[str, Function] = {
    "gmtime": _calendar,
    "localtime": _calendar,
    "ctime": _calendar,
    "asctime": _asctime,
    "strftime": _strftime,
    "clock_gettime": _gettime,
    "clock_gettime_ns": _gettime_ns,
    "sleep": _sleep,
}
"""What each takes: what is inside, the real function, and the arguments of the call."""
