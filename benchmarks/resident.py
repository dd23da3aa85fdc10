"""How much memory this process takes, now and at its peak; imports next to nothing, which would count too."""

from __future__ import annotations

import sys


def peak_bytes() -> int | None:
    """Return the largest resident size so far, in bytes; None where the platform does not tell.

    Linux is asked through /proc: its `getrusage` starts with the size of the process that made this one.
    """
    return _status("VmHWM:") if sys.platform == "linux" else _peak_of_usage()


def resident_bytes() -> int | None:
    """Return the resident size now, in bytes; None where the platform does not tell."""
    return _status("VmRSS:") if sys.platform == "linux" else None


def _status(what: str) -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(what))


def _peak_of_usage() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
