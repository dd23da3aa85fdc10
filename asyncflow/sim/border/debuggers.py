"""Whether somebody is stepping through the program, so that real time says nothing about it."""

from __future__ import annotations

import sys


def is_debugged() -> bool:
    """Return whether a debugger traces the calling thread; a measurement of coverage is none."""
    tracer = sys.gettrace()
    if tracer is not None and type(tracer).__module__.partition(".")[0] != "coverage":
        return getattr(tracer, "__module__", "").partition(".")[0] != "coverage"
    monitoring = getattr(sys, "monitoring", None)  # from Python 3.12 on
    return monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None
