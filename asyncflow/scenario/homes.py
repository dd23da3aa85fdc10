"""The folders that a rehearsal's runs work in: one for each, empty at its start, kept under the run's id."""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Self

STORE = "asyncflow.db"
"""The file of a rehearsal's own store, in its folder."""

_CLAIMS = ".claims"
_ASIDE = ".first"


class Homes:
    """Makes the folders of one rehearsal; use it as a context manager, around all its runs.

    A run that has the id of an earlier one, as runs of the simulated world do, takes its folder over: the
    older content goes. Within one rehearsal the first run's content stays, and that of its repeats goes.

    Args:
        folder: where they are made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._stack = ExitStack()
        self._claimed: dict[str, Path] = {}
        self._first: dict[Path, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            for home, first in self._first.items():
                shutil.rmtree(home, ignore_errors=True)
                first.rename(home)

    def fresh(self, run_id: str) -> Path:
        """Return a new folder for a run whose id no other has."""
        home = self._folder / run_id
        home.mkdir(parents=True)
        return home

    def again(self, run_id: str) -> Path:
        """Return an empty folder for a run whose id may have been used before.

        It is always the same one, unless another process is using that: then it has a number at its end.
        """
        known = self._claimed.get(run_id)
        if known is None:
            known = self._claimed[run_id] = self._claim(run_id)
        elif known not in self._first:
            aside = known.with_name(known.name + _ASIDE)
            shutil.rmtree(aside, ignore_errors=True)  # of a process that was killed
            self._first[known] = known.rename(aside)
        else:
            shutil.rmtree(known)
        known.mkdir()
        return known

    def _claim(self, run_id: str) -> Path:
        """Return where a folder can be made that no other process uses until this rehearsal is over."""
        claims = self._folder / _CLAIMS
        claims.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            home = self._folder / (run_id if number == 1 else f"{run_id}-{number}")
            claim = _locked(claims / home.name)
            if claim is not None and _removed(home):
                self._stack.enter_context(claim)
                return home
            if claim is not None:
                claim.close()
            number += 1


def _removed(home: Path) -> bool:
    """Remove an earlier rehearsal's folder; what does not look like one, or is being read, stays."""
    if not home.exists() and not home.is_symlink():
        return True
    if home.is_symlink() or not home.is_dir() or not ((home / STORE).is_file() or not any(home.iterdir())):
        return False
    doomed = home.with_name(home.name + ".old")
    try:
        shutil.rmtree(doomed, ignore_errors=True)
        home.rename(doomed)  # all or nothing: Windows refuses while somebody has a file of it open
    except OSError:
        return False
    shutil.rmtree(doomed, ignore_errors=True)
    return True


def _locked(path: Path) -> IO[bytes] | None:
    """Return a file that is locked until it is closed or the process ends; None when it is locked already."""
    file = path.open("ab")
    try:
        _lock(file)
    except (BlockingIOError, PermissionError):
        file.close()
        return None
    except OSError:
        pass  # a file system without locks: two rehearsals of one name at one time are not told apart there
    return file


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
