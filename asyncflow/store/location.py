"""Where the store lies: what was asked for, else the project's own folder, else the user's data folder."""

from __future__ import annotations

import os
from pathlib import Path

from asyncflow.errors import StoreError
from asyncflow.ports import Store
from asyncflow.store.memory import MemoryStore
from asyncflow.store.sqlite import PROJECT_FOLDER, SQLiteStore

VARIABLE = "ASYNCFLOW_STORE"
"""The environment variable that names the store: a file, a folder, or `:memory:`."""

FILE_NAME = "asyncflow.db"

_MEMORY = ":memory:"
_PROJECT_FILES = ("pyproject.toml", "asyncflow.toml")


def told(store: str | os.PathLike[str] | Store | None = None) -> Store | None:
    """Return the store that somebody asked for, or None when nobody did.

    Args:
        store: a store, the path of a file or a folder, or `:memory:`; without one `ASYNCFLOW_STORE` decides.
    """
    if store is None:
        store = os.environ.get(VARIABLE) or None
    if not isinstance(store, str | os.PathLike):
        return store
    return MemoryStore() if os.fspath(store) == _MEMORY else SQLiteStore(_file(store))


def choose(store: str | os.PathLike[str] | Store | None = None) -> Store:
    """Return the store to use: the one asked for, else the file in `data_folder()`.

    Nothing is opened or made yet.

    Args:
        store: a store, the path of a file or a folder, or `:memory:`; without one `ASYNCFLOW_STORE` decides.
    """
    return told(store) or SQLiteStore(data_folder() / FILE_NAME)


def data_folder(store: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder for what asyncflow keeps beside runs, such as rehearsals; it may not exist yet.

    It is the folder of the file that was asked for; else `.asyncflow` in the nearest folder upwards with
    `.asyncflow`, `pyproject.toml` or `asyncflow.toml` in it; else the user's data folder.

    Args:
        store: the path of a file or a folder, or `:memory:`; without one `ASYNCFLOW_STORE` decides.
    """
    named = store or os.environ.get(VARIABLE)
    if named and os.fspath(named) != _MEMORY:
        return _file(named).parent
    here = Path.cwd()
    for folder in (here, *here.parents):
        if _is_project(folder):
            return folder / PROJECT_FOLDER
    return _user_folder()


async def open_or_memory(store: Store) -> tuple[Store, str | None]:
    """Open a store; where that fails, take memory instead.

    Returns:
        The open store, and a warning for people when it is not the one that was given.
    """
    try:
        await store.open()
    except StoreError as error:
        return MemoryStore(), f"{error}. This run goes on in memory, and nothing of it will be kept"
    return store, None


def _file(path: str | os.PathLike[str]) -> Path:
    given = Path(path).expanduser().absolute()
    return given / FILE_NAME if given.is_dir() or os.fspath(path).endswith(("/", os.sep)) else given


def _is_project(folder: Path) -> bool:
    return (folder / PROJECT_FOLDER).is_dir() or any((folder / name).is_file() for name in _PROJECT_FILES)


def _user_folder() -> Path:
    import platformdirs  # here, since most runs lie in a project and its import takes longer than the rest

    return platformdirs.user_data_path("asyncflow", appauthor=False)
