"""Where the scenario files are that come with asyncflow, and how a scenario is found by what a user types.

A checkout has them in its top-level folder `scenarios`; an installed package carries a copy.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from asyncflow.errors import NotFound, did_you_mean

SUFFIX = ".toml"


def folder() -> Path:
    """Return the folder of the shipped scenario files; it may not exist in an unusual installation."""
    package = Path(str(resources.files("asyncflow")))
    installed = package / "gallery"
    return installed if installed.is_dir() else _of_checkout(package.parent)


def _of_checkout(top: Path) -> Path:
    # A folder `scenarios` beside an installed package would be somebody else's.
    return top / "scenarios" if (top / "pyproject.toml").is_file() else top / "asyncflow" / "gallery"


def names() -> tuple[str, ...]:
    """Return the names of the shipped scenarios, sorted."""
    return _names_in(folder())


def find(reference: str) -> Path:
    """Return the file of a scenario.

    Args:
        reference: the name of a shipped scenario, or the path of a file.

    Raises:
        NotFound: when there is neither, with the nearest names.
    """
    shipped = folder() / f"{reference}{SUFFIX}"
    if reference in names():
        return shipped
    path = Path(reference)
    if _is_path(reference):
        if path.exists():
            return path
        near = [f"{name}{SUFFIX}" for name in _names_in(path.parent)]
        hint = did_you_mean(path.name, near) or did_you_mean(path.stem, names())
        raise NotFound(f"there is no file {reference!r}.{hint}")
    if path.is_file():
        return path
    raise NotFound(f"there is no scenario {reference!r}.{_hint(reference)}")


def _is_path(reference: str) -> bool:
    return reference.endswith(SUFFIX) or "/" in reference or "\\" in reference


def _hint(reference: str) -> str:
    near = did_you_mean(reference.replace("-", "_"), names())
    if near:
        return near
    return " `asyncflow scenarios` lists those that come with asyncflow; a file is named by its path."


def _names_in(place: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(path.stem for path in place.iterdir() if path.suffix == SUFFIX))
    except OSError:
        return ()
