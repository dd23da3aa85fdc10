"""What `asyncflow doctor` looks at: one function for each part of the machine, each giving a finding."""

from __future__ import annotations

import os
import platform
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from asyncflow import __version__
from asyncflow.cli.settings import Settings
from asyncflow.errors import AsyncflowError
from asyncflow.human import plural

_DEPENDENCIES = ("aiohttp", "aiosqlite", "structlog", "click", "rich", "msgspec", "cronsim", "platformdirs")
_OLDEST_SQLITE = (3, 38)
"""The first version in which SQLite always has the JSON functions that the store uses."""

_ZONE = "America/Mexico_City"
"""A time zone by which old data shows: it set its clocks forward for the last time in 2022."""


class Finding(NamedTuple):
    """What was found.

    Attributes:
        name: the part that was looked at.
        status: `warn` is something that works less well, `fail` something that does not work.
        text: what is so.
        way_out: how to mend it; empty when nothing needs mending.
    """

    name: str
    status: Literal["ok", "warn", "fail"]
    text: str
    way_out: str = ""


def findings(settings: Settings, store: str | None) -> Iterator[Finding]:
    """Look at everything, in the order in which things build on each other.

    Args:
        settings: how answers are written, for the terminal.
        store: the store that was asked for.
    """
    yield _python()
    yield _dependencies()
    yield _sqlite()
    yield _data(store)
    yield from _store(store)
    yield _zones()
    yield _loopback()
    yield _terminal(settings)


def _python() -> Finding:
    version = platform.python_version()
    told = f"asyncflow {__version__}, {platform.python_implementation()} {version} on {platform.platform()}"
    return Finding("python", "ok", told)


def _dependencies() -> Finding:
    found, missing = [], []
    for name in _DEPENDENCIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        way_out = f"python -m pip install {' '.join(missing)}"
        return Finding("packages", "fail", f"not installed: {', '.join(missing)}", way_out)
    return Finding("packages", "ok", ", ".join(found))


def _sqlite() -> Finding:
    told = f"version {sqlite3.sqlite_version}"
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        return Finding("sqlite", "fail", told, "use a Python with SQLite 3.38 or newer")
    return Finding("sqlite", "ok", told)


def _data(store: str | None) -> Finding:
    """Tell where data lies, and which rule chose the place."""
    from asyncflow.store import data_folder

    folder = data_folder(store)
    rehearsals = folder / "rehearsals"
    count = sum(1 for entry in rehearsals.iterdir() if entry.is_dir()) if rehearsals.is_dir() else 0
    return Finding(
        "data",
        "ok",
        f"in {folder} ({_rule(store, folder)}); it keeps {plural(count, 'folder')} of rehearsals",
    )


def _rule(store: str | None, folder: Path) -> str:
    from asyncflow.store.location import VARIABLE
    from asyncflow.store.sqlite import PROJECT_FOLDER

    if store is not None:
        return "chosen by --store"
    if os.environ.get(VARIABLE):
        return f"chosen by {VARIABLE}"
    return "the nearest project upwards" if folder.name == PROJECT_FOLDER else "the user's data folder"


# ---------------------------------------------------------------------- the store


def _store(option: str | None) -> Iterator[Finding]:
    from asyncflow.store import SQLiteStore, choose

    chosen = choose(option)
    if not isinstance(chosen, SQLiteStore):
        yield Finding("store", "warn", "in memory: nothing outlives a command", "unset ASYNCFLOW_STORE")
        return
    file = Path(chosen.label)
    yield _folder(file.parent)
    yield (
        _file(chosen, file)
        if file.exists()
        else Finding("store", "ok", f"{file} will be made by the first run")
    )


def _folder(folder: Path) -> Finding:
    """See whether files can be made where the store lies, and whether WAL works there."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryDirectory(prefix="asyncflow-doctor-", dir=place) as trial:
            mode = _journal_mode(Path(trial) / "trial.db")
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        return Finding("folder", "fail", f"{place} can't be written: {reason}", _elsewhere())
    if mode != "wal":
        text = f"{place} can't hold a database in WAL mode (SQLite says {mode!r}); is it on a network?"
        return Finding("folder", "fail", text, _elsewhere())
    return Finding("folder", "ok", f"{place} can be written, and WAL works there")


def _elsewhere() -> str:
    return "make it writable, or name another place with --store or ASYNCFLOW_STORE"


def _journal_mode(file: Path) -> str:
    connection = sqlite3.connect(file)
    try:
        return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
    finally:
        connection.close()


def _file(store: object, file: Path) -> Finding:
    """See whether the store's file is sound, and of this version."""
    problem = _opened(store)
    if problem is not None:
        return Finding("store", "fail", problem)
    try:
        version, check = _asked(file)
    except sqlite3.Error as error:
        return Finding("store", "fail", f"{file} can't be read: {error}", _elsewhere())
    if check != "ok":
        return Finding("store", "fail", f"{file} is damaged: {check}", _recover(file))
    return Finding("store", "ok", f"{file}, schema {version}, {_size(file)}, sound")


def _size(file: Path) -> str:
    count = file.stat().st_size
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"


def _recover(file: Path) -> str:
    return f"move it away; `sqlite3 {file} .recover` may save what it holds"


def _opened(store: object) -> str | None:
    """Open the store as a run would, and return what stands in the way."""
    import asyncio

    from asyncflow.store import SQLiteStore

    assert isinstance(store, SQLiteStore)

    async def try_it() -> None:
        await store.open()
        await store.close()

    try:
        asyncio.run(try_it())
    except AsyncflowError as error:
        return str(error)
    return None


def _asked(file: Path) -> tuple[int, str]:
    """Return the schema's version and what SQLite's quick check says."""
    connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (check,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        return int(version), str(check)
    finally:
        connection.close()


# ---------------------------------------------------------------------- the rest of the machine


def _zones() -> Finding:
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        summer = datetime(2023, 7, 1, tzinfo=ZoneInfo(_ZONE))
    except (ZoneInfoNotFoundError, OSError):
        return Finding("time zones", "warn", "no time zone data found", "python -m pip install tzdata")
    if summer.utcoffset() != timedelta(hours=-6):
        told = "the time zone data is older than 2022, so schedules may be an hour off"
        return Finding("time zones", "warn", told, "update the system's tzdata")
    return Finding("time zones", "ok", "time zone data found")


def _loopback() -> Finding:
    """See whether replicas can be served and reached."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port), timeout=2.0):
                return Finding("network", "ok", "replicas can listen on 127.0.0.1")
    except OSError as error:
        text = f"replicas can't be reached on 127.0.0.1: {error.strerror or error}"
        return Finding(
            "network", "fail", text, "let a firewall or sandbox allow connections to this machine itself"
        )


def _terminal(settings: Settings) -> Finding:
    look = settings.look()
    signs = "signs" if look.unicode else "ASCII only"
    told = f"{look.encoding}, {look.width} columns, {signs}, {'colours' if look.colour else 'no colours'}"
    if not look.unicode and not settings.plain and sys.stdout.isatty():
        return Finding("terminal", "warn", told, "set PYTHONUTF8=1, or use a terminal that speaks UTF-8")
    return Finding("terminal", "ok", told)
