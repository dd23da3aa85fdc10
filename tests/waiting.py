"""No test waits for real: what it sleeps, and what an event loop sleeps for it, is added up and has a bound.

Time is virtual: see `tests/clock.py`. Where the subject is a real thread, socket or process, a test waits for
an event, which takes as long as it takes; `until` is for what gives no sign. Neither is counted, nor are what
other programs and the threads of the package wait. A test that can't but let time pass says why:
`@pytest.mark.real_time("why")`, and `pytest -m real_time` lists them.
"""

from __future__ import annotations

import selectors
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any

import pytest

from asyncflow.store.writer import LINGER

TOLERATED = 0.03
"""Seconds in a test: an answer that is reset takes 20 ms, so that the client reads what came before."""

_MOMENT = LINGER
"""What a loop sleeps of it is not counted: a store's writer collects events so long, whatever a test does."""

_MAY_SLEEP = {
    "subprocess": "looks again and again whether a process has ended, where no event tells it",
    __name__: "holds `until`",
}
"""Modules whose `time.sleep` is not counted, and why."""

Waits = Counter[str]


def until(happened: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait for what nothing but a look can tell, up to a bound.

    Coroutines call it in a thread: `await asyncio.to_thread(until, ...)`.

    Args:
        happened: says whether it has happened.
        what: names it, for the error.
        seconds: the bound. It is no part of any test: a slow machine needs it, and a broken test fails by it.
    """
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.001)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that has waited for real and does not say why."""
    with _counted() as waits:
        result = yield
    mark = item.get_closest_marker("real_time")
    if mark is not None:
        assert mark.args, 'real_time needs a reason: @pytest.mark.real_time("why")'
    elif sum(waits.values()) > TOLERATED:
        said = ", ".join(f"{seconds:.3f} s in {where}" for where, seconds in waits.most_common(5))
        pytest.fail(
            f"this test waited for real ({said}); play it in virtual time (tests/clock.py), "
            "or wait for an event (tests/waiting.py)",
            pytrace=False,
        )
    return result


@contextmanager
def _counted() -> Iterator[Waits]:
    waits: Waits = Counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", _counting_sleep(time.sleep, waits))
        patch.setattr(
            selectors.DefaultSelector, "select", _counting_select(selectors.DefaultSelector.select, waits)
        )
        yield waits


def _counting_sleep(real: Callable[[float], None], waits: Waits) -> Callable[[float], None]:
    @wraps(real)
    def sleep(seconds: float) -> None:
        real(seconds)
        caller = sys._getframe(1)
        if caller.f_globals.get("__name__") not in _MAY_SLEEP:
            waits[f"time.sleep at {_place(caller)}"] += seconds

    return sleep


def _counting_select(real: Callable[..., Any], waits: Waits) -> Callable[..., Any]:
    """Wrap what a stock loop waits with; nothing came of a wait when the loop slept until its next timer."""

    @wraps(real)
    def select(selector: Any, timeout: float | None = None) -> Any:
        ready = real(selector, timeout)
        if timeout and timeout > _MOMENT and not ready:
            waits["an event loop, for a timer"] += timeout
        return ready

    return select


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
