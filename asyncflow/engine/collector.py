"""Garbage-collector care during a large run.

A run of tens of thousands of tasks keeps as many records alive. Under CPython's default thresholds the
collector walks them again and again, which costs up to half of the run's time. While a large run is going the
threshold of the youngest generation is raised; it is put back when the last large run ends. Set
`ASYNCFLOW_GC=leave` to keep asyncflow's hands off.
"""

from __future__ import annotations

import gc
import os

LARGE = 1_000
"""From so many task runs on, a flow run counts as large."""

_CALM = (50_000, 20, 100)
_before: tuple[int, int, int] | None = None
_large_runs = 0


def enter() -> bool:
    """Raise the thresholds for one more large run; False when they are not ours to change."""
    global _before, _large_runs
    if os.environ.get("ASYNCFLOW_GC") == "leave" or not gc.isenabled():
        return False
    if not _large_runs:
        thresholds = gc.get_threshold()
        if thresholds[0] >= _CALM[0] or thresholds[0] == 0:
            return False
        _before = thresholds
        gc.set_threshold(*_CALM)
    _large_runs += 1
    return True


def leave() -> None:
    """Take one large run away; the last one puts the thresholds back."""
    global _before, _large_runs
    _large_runs -= 1
    if not _large_runs and _before is not None:
        gc.set_threshold(*_before)
        _before = None
