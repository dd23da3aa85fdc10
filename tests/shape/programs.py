"""Starts other programs in tests: in a folder of their own, on this checkout, with nobody's settings."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.shape.source import ROOT

_SETTINGS = ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "NO_COLOR", "FORCE_COLOR")
_HOMES = ("HOME", "USERPROFILE", "XDG_DATA_HOME", "WIN_PD_OVERRIDE_LOCAL_APPDATA")


def environment(home: Path, *, package: Path | None = ROOT) -> dict[str, str]:
    """Return an environment in which nothing outside `home` is written, and `package` is imported.

    Args:
        home: an empty folder that stands for the user's.
        package: where `asyncflow` is imported from; None for what is installed.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _SETTINGS and not name.startswith("ASYNCFLOW_")
    }
    folders = dict.fromkeys(_HOMES, str(home))
    path = {} if package is None else {"PYTHONPATH": str(package)}
    return {**kept, **folders, **path, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "100"}


def run_program(
    command: Sequence[str | os.PathLike[str]],
    folder: Path,
    *,
    env: dict[str, str] | None = None,
    seconds: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run a program in `folder` and return what it said.

    Args:
        command: the program and its arguments.
        folder: the current folder.
        env: its environment; `environment(folder)` when not given.
        seconds: how long it may take.
    """
    return subprocess.run(
        [os.fspath(part) for part in command],
        cwd=folder,
        env=environment(folder) if env is None else env,
        capture_output=True,
        encoding="utf-8",
        timeout=seconds,
        check=False,
    )
