"""What one call costs, on whatever loop it makes for itself."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

from benchmarks.measure import Cost


def cost_of(go: Callable[[], object]) -> Cost:
    """Call a function and return what that took; the collector has nothing old to do when it starts."""
    gc.collect()
    cpu, loop_thread = time.process_time(), time.thread_time()
    go()
    return Cost(time.process_time() - cpu, time.thread_time() - loop_thread)
