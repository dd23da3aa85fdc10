"""What a failure of SQLite means to people: the file, the reason and the way out, in a sentence or two."""

from __future__ import annotations

from pathlib import Path

from asyncflow.errors import StoreError
from asyncflow.events import RunHeader

ELSEWHERE = "name another store with store= or ASYNCFLOW_STORE"

_WRITABLE = f"Make the file and its folder writable, or {ELSEWHERE}"
_HELD = f"another process has held it for too long. Try again when that one is done, or {ELSEWHERE}"

# By the beginning of SQLite's own name for the error.
_MEANINGS = {
    "SQLITE_NOTADB": f"it is not a SQLite database. It was left as it is; {ELSEWHERE}",
    "SQLITE_CORRUPT": "it is damaged. It was left as it is; move it away "
    f"(`sqlite3 FILE .recover` may save what it holds), or {ELSEWHERE}",
    "SQLITE_FULL": f"the disk is full. Free some space, or {ELSEWHERE}",
    "SQLITE_READONLY": f"it is read-only. {_WRITABLE}",
    "SQLITE_CANTOPEN": f"the file or its folder is missing or not accessible. {_WRITABLE}",
    "SQLITE_PERM": f"access is denied. {_WRITABLE}",
    "SQLITE_BUSY": _HELD,
    "SQLITE_LOCKED": _HELD,
    "SQLITE_IOERR": f"the disk reported an error. Check it, or {ELSEWHERE}",
}


def explain(path: Path, cannot: str, error: BaseException) -> StoreError:
    """Return the StoreError for what SQLite or the file system raised.

    Args:
        path: the store's file.
        cannot: what can't be done with it: `opened`, `written` or `read`.
        error: what was raised.
    """
    code = getattr(error, "sqlite_errorname", "")
    for beginning, meaning in _MEANINGS.items():
        if code.startswith(beginning):
            return StoreError(f"the store {path} can't be {cannot}: {meaning} ({error})")
    return StoreError(f"the store {path} can't be {cannot}: {error}. Mend that, or {ELSEWHERE}")


def is_busy(error: BaseException) -> bool:
    """Whether another connection stood in the way, so that trying again may help."""
    return str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def not_open(path: Path) -> StoreError:
    """Return the error for a store that is used while it is not open."""
    return StoreError(f"the store {path} is not open; `await store.open()` comes first")


def not_paused(header: RunHeader) -> StoreError:
    """Return the error for a run that can't be resumed, since it is not paused or no longer is."""
    return StoreError(
        f"flow run {header.name!r} ({header.id}) is not paused: it ended, goes on, or somebody else has just "
        "resumed it. Only a paused run can be resumed"
    )
