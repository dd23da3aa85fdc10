"""How much memory this process took at its peak; imports next to nothing, since that would count too."""

from __future__ import annotations

import sys


def peak_bytes() -> int | None:
    """Return the largest resident size so far, in bytes; None where the platform does not tell.

    Linux is asked through /proc: its `getrusage` starts with the size of the process that made this one.
    """
    if sys.platform == "linux":
        with open("/proc/self/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
