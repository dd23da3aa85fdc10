"""A process for simulations: one in which the order of sets of texts is not drawn anew each time.

Python draws how texts are hashed when it starts, so user code that walks over a set of texts would do so in
another order in each process. Only a process that is started again can have that fixed.
"""

from __future__ import annotations

import os
import subprocess
import sys

VARIABLE = "PYTHONHASHSEED"


def fix_hash_seed() -> None:
    """Start this process again with the variable set, and never return; or return when that is not needed.

    Whoever has set the variable wants another order, and gets it.
    """
    if VARIABLE in os.environ or not _can_start_again():
        return
    os.environ[VARIABLE] = "0"
    command = [sys.executable, *sys.orig_argv[1:]]
    if sys.platform == "win32":
        sys.exit(_as_child(command))  # there a new program in this process would let go of the console
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, command)


def _can_start_again() -> bool:
    """Whether the words that started this process are those that the command line works on."""
    words = sys.argv[1:]
    return bool(sys.executable and words) and sys.argv[0] != "-" and sys.orig_argv[-len(words) :] == words


def _as_child(command: list[str]) -> int:
    """Run a command as a child, which gets Ctrl-C too, and return its exit code."""
    with subprocess.Popen(command) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue
