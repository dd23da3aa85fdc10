"""A child process as the operating system knows it: how it is started, ended, waited for and cleared away.

On POSIX it leads a process group of its own, so that whatever it starts can be ended with it, and so that a
Ctrl-C in the terminal reaches the parent alone, which decides.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

_BOOT = (
    "import marshal, sys; sys.path[:] = marshal.load(sys.stdin.buffer); "
    "from asyncflow.child import main; main({})"
)
_GROUPS = hasattr(os, "killpg")


class Spawned:
    """A running child process.

    Attributes:
        pid: its number.
        answers: what it writes.
    """

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self.answers: BinaryIO = os.fdopen(reading, "rb")
        try:
            self._process = _started(writing)
        except BaseException:
            self.answers.close()
            raise
        finally:
            os.close(writing)
        self.pid = self._process.pid
        self._reaped = False
        self._lock = threading.Lock()

    def tell(self, message: bytes) -> None:
        """Send it a message; one that is gone hears nothing more."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(message)
            self._process.stdin.flush()

    def wait(self) -> int:
        """Wait for its end, end what it left running, and return its exit code, that of a signal negative."""
        if hasattr(os, "waitid"):
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            with self._lock:  # its number is its own, and its group's, until it is reaped
                self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
                self._reaped = True
                return self._process.wait()
        code = self._process.wait()
        self._reaped = True
        return code

    def stop(self, *, at_once: bool) -> None:
        """End it and what it started: by asking first, or at once."""
        with self._lock:
            if not self._reaped:
                self._signal(getattr(signal, "SIGKILL", signal.SIGTERM) if at_once else signal.SIGTERM)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if _GROUPS:
                os.killpg(self.pid, number)
            else:
                self._process.terminate()

    def close(self) -> None:
        """Close both pipes; it has ended."""
        self.answers.close()
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()


def _started(answers: int) -> subprocess.Popen[bytes]:
    """Start Python with a pipe for its answers, and with the standard output and error of this process."""
    options: dict[str, Any]
    number = answers
    if sys.platform == "win32":
        import msvcrt

        number = msvcrt.get_osfhandle(answers)
        os.set_handle_inheritable(number, True)  # noqa: FBT003 - it has no name
        only = subprocess.STARTUPINFO(lpAttributeList={"handle_list": [number]})
        options = {"startupinfo": only, "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    else:
        options = {"pass_fds": (answers,), "process_group": 0}
    # The flags of this interpreter, such as -O and -W, hold for its children, as in the standard library.
    flags: Callable[[], list[str]] = getattr(subprocess, "_args_from_interpreter_flags", list)
    return subprocess.Popen(
        [sys.executable, *flags(), "-c", _BOOT.format(number)], stdin=subprocess.PIPE, **options
    )
