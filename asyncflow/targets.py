"""Finds flows by reference: `package.module:name`, or `path/to/file.py:name`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from asyncflow.errors import NotFound, UsageError, did_you_mean
from asyncflow.flow import Flow


def load_flow(reference: str) -> Flow[..., Any]:
    """Return the flow that a reference names; a module with a single flow needs no name.

    Args:
        reference: `package.module:name` or `file.py:name`; modules are also looked for in the current folder.

    Raises:
        UsageError: when the module can't be imported, with the line that failed.
        NotFound: when there is no such module, file or flow; the text offers the nearest.
    """
    source, _, name = reference.rpartition(":") if _has_name(reference) else (reference, "", "")
    if not source:
        raise UsageError(f"{reference!r} names no module; write package.module:flow or file.py:flow")
    module = load_module(source)
    flows = flows_in(module)
    if not name:
        if len(flows) == 1:
            return next(iter(flows.values()))
        raise UsageError(
            f"{reference!r} has {len(flows)} flows; name one as {reference}:NAME, of {_listed(flows)}"
        )
    found = getattr(module, name, None)
    if isinstance(found, Flow):
        return found
    if found is not None:
        kind = type(found).__name__
        raise UsageError(f"{name!r} in {source!r} is a {kind}, not a flow; declare it with @flow")
    raise NotFound(f"{source!r} has no flow {name!r}, only {_listed(flows)}.{did_you_mean(name, flows)}")


def flows_in(module: ModuleType) -> dict[str, Flow[..., Any]]:
    """Return the flows of a module by the name of their variable, in the order of the file."""
    return {name: value for name, value in vars(module).items() if isinstance(value, Flow)}


def _has_name(reference: str) -> bool:
    """Whether a colon separates a name, rather than a Windows drive."""
    _, colon, name = reference.rpartition(":")
    return bool(colon) and name.isidentifier()


def _listed(flows: dict[str, Flow[..., Any]]) -> str:
    return ", ".join(flows) or "none"


def load_module(source: str) -> ModuleType:
    """Return a module by its import path or its file.

    Args:
        source: `package.module`, looked for in the current folder too, or `path/to/file.py`.

    Raises:
        UsageError: when it can't be imported, with the line that failed.
        NotFound: when there is no such module or file.
    """
    if source.endswith(".py"):
        return _load_file(Path(source))
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(source)
    except ModuleNotFoundError as error:
        if error.name is not None and (source == error.name or source.startswith(f"{error.name}.")):
            raise NotFound(
                f"no module {error.name!r}; it is looked for in the installed packages and in {here}"
            ) from error
        raise _broken(source, error) from error
    except Exception as error:
        raise _broken(source, error) from error


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise NotFound(f"no file {str(path)!r}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{str(path)!r} can't be read as a Python module")
    module = importlib.util.module_from_spec(spec)
    # Registered under its name, so that dataclasses and type hints in it resolve.
    sys.modules[path.stem] = module
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[path.stem]
        raise _broken(str(path), error) from error
    return module


def _broken(source: str, error: BaseException) -> UsageError:
    """Say which line of the user's code failed on import."""
    if isinstance(error, SyntaxError):
        return UsageError(f"{source!r} can't be imported: {error.filename}:{error.lineno}: {error.msg}")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    place = f"{frames[-1].filename}:{frames[-1].lineno}: " if len(frames) > 1 else ""
    return UsageError(f"{source!r} can't be imported: {place}{type(error).__name__}: {error}")
