"""Finds flows by reference: `package.module:name`, or `path/to/file.py:name`."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from asyncflow.errors import NotFound, UsageError, did_you_mean, nearest
from asyncflow.flow import Flow

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_HERE = Path(__file__)
_LIBRARIES = (
    str(_HERE.parent),
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
)


def load_flow(reference: str) -> Flow[..., Any]:
    """Return the flow that a reference names; a module with a single flow needs no name.

    Args:
        reference: `package.module:name` or `file.py:name`; modules are also looked for in the current folder.

    Raises:
        UsageError: when the module can't be imported, with the line that failed, or the name is no flow's.
        NotFound: when there is no such module, file or flow; the text offers the nearest.
    """
    source, name = split(reference)
    module = load_module(source)
    flows = flows_in(module)
    if not name:
        return _only(flows, source)
    found = getattr(module, name, None)
    if isinstance(found, Flow):
        return found
    if found is not None:
        kind = type(found).__name__
        article = "an" if kind[0] in "aeiouAEIOU" else "a"
        raise UsageError(f"{name!r} in {source!r} is {article} {kind}, not a flow; declare it with @flow")
    hint = did_you_mean(name, flows) or f" It has: {', '.join(flows) or 'none'}."
    raise NotFound(f"{source!r} has no flow {name!r}.{hint}")


def flows_in(module: ModuleType) -> dict[str, Flow[..., Any]]:
    """Return the flows of a module by the name of their variable, in the order of the file."""
    return {name: value for name, value in vars(module).items() if isinstance(value, Flow)}


def load_module(source: str) -> ModuleType:
    """Return a module by its import path or its file.

    Args:
        source: `package.module`, looked for in the current folder too, or `path/to/file.py`.

    Raises:
        UsageError: when it can't be imported, with the line that failed.
        NotFound: when there is no such module or file.
    """
    if source.lower().endswith(".py"):
        return _load_file(source)
    if not _MODULE.fullmatch(source):
        file = f"{source}.py"
        hint = f"; for the file write {file}" if Path(file).is_file() else ""
        raise UsageError(f"{source!r} is neither a module, as in package.module, nor a file.py{hint}")
    _look_in(Path.cwd())
    try:
        return importlib.import_module(source)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{source}.".startswith(f"{error.name}."):
            raise NotFound(_no_module(error.name)) from error
        raise _broken(source, error) from error
    except Exception as error:
        raise _broken(source, error) from error


def split(reference: str) -> tuple[str, str]:
    """Return the module or file and the name of a reference; the name is empty when it has none.

    Raises:
        UsageError: when one of them can't be what it stands for.
    """
    source, colon, name = reference.rpartition(":")
    if not colon or name.lower().endswith(".py") or not {"/", "\\"}.isdisjoint(name):
        source, name = reference, ""  # the colon, if any, is that of a Windows drive
    elif not name.isidentifier():
        raise UsageError(f"{name!r} in {reference!r} can't be the name of a flow; write {source}:name")
    if not source:
        raise UsageError(f"{reference!r} names no module; write package.module:flow or file.py:flow")
    return source, name


def _only(flows: dict[str, Flow[..., Any]], source: str) -> Flow[..., Any]:
    """Return the one flow that there is.

    Raises:
        UsageError: when there are none or several.
    """
    if not flows:
        raise UsageError(
            f"{source!r} declares no flow; write @flow above a function, or `with Flow(...) as f:`"
        )
    if len(flows) > 1:
        raise UsageError(
            f"{source!r} has {len(flows)} flows; name one as {source}:NAME, of {', '.join(flows)}"
        )
    return next(iter(flows.values()))


def _no_module(name: str) -> str:
    """Return the sentence for a module that there is not, with the nearest of those beside it."""
    package, _, last = name.rpartition(".")
    places: Iterable[str] = [str(Path.cwd())]
    if package:
        places = getattr(sys.modules.get(package), "__path__", ())
    near = did_you_mean(last, (found.name for found in pkgutil.iter_modules(places)))
    where = f"in the package {package!r}" if package else f"in {Path.cwd()} and the installed packages"
    return f"there is no module {name!r}; it was looked for {where}.{near}"


def _load_file(source: str) -> ModuleType:
    path = Path(source)
    if not path.is_file():
        near = nearest(path.stem, _stems(path.parent))
        raise NotFound(f"there is no file {source!r}." + (f" Did you mean '{near}.py'?" if near else ""))
    path = path.resolve()
    name = _free_name(path)
    loader = SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # Registered under its name, so that dataclasses and type hints in it resolve.
    sys.modules[name] = module
    _look_in(path.parent)
    try:
        loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Exception):
            raise _broken(source, error) from error
        raise
    return module


def _stems(folder: Path) -> list[str]:
    """Return the names of the Python files in a folder, without their ending."""
    try:
        return sorted(file.stem for file in folder.glob("*.py"))
    except OSError:
        return []


def _free_name(path: Path) -> str:
    """Return the name that a file's module goes by: the file's, unless another module has it already.

    A file `json.py` must not stand in for the module of that name which others have imported.
    """
    known = sys.modules.get(path.stem)
    is_taken = known is not None or path.stem in sys.stdlib_module_names
    is_it = getattr(known, "__file__", None) == str(path)
    return f"{path.stem} ({path})" if is_taken and not is_it else path.stem


def _look_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _broken(source: str, error: Exception) -> UsageError:
    """Say which line of the user's code failed on import."""
    if isinstance(error, SyntaxError):
        place = f"{error.filename}:{error.lineno}: " if error.filename and error.lineno else ""
        return UsageError(f"{source!r} can't be imported: {place}{error.msg}")
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_library(frame.filename)]
    frame = (own or frames)[-1]
    return UsageError(
        f"{source!r} can't be imported: {frame.filename}:{frame.lineno}: {type(error).__name__}: {error}"
    )


def _is_library(file: str) -> bool:
    """Whether a file is not the user's own code; asyncflow's frames tell nobody what to mend either."""
    return file.startswith("<") or any(Path(file).is_relative_to(folder) for folder in _LIBRARIES)
