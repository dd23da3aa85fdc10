"""Fresh interpreters: what has to be measured from the start of a process is measured in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

_ROOT = Path(__file__).resolve().parent.parent


class Ended(NamedTuple):
    """What a child left behind.

    Attributes:
        said: its standard output.
        seconds: from its start to its end.
    """

    said: str
    seconds: float


def python(*arguments: str) -> Ended:
    """Run a fresh interpreter in an empty folder and return when it has ended.

    Raises:
        RuntimeError: when it failed, with what it said.
    """
    paths = [str(_ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    environment.pop("ASYNCFLOW_STORE", None)
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"python {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
    return Ended(done.stdout, seconds)
