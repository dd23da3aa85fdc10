"""Exception classes by the names that a scenario file gives them."""

from __future__ import annotations

import builtins
import importlib
import re

from asyncflow.errors import did_you_mean
from asyncflow.signals import Signal

_ERROR = re.compile(r"(?P<name>(?:[\w.]+:)?[\w.]+)(?:: +(?P<text>.*))?", re.DOTALL)


def error_of(spec: str) -> tuple[type[BaseException], str]:
    """Return the class and the text of `ValueError: the text` or `package.module:Class: the text`.

    Raises:
        ValueError: when there is no such class, with a sentence that says what to write.
    """
    found = _ERROR.fullmatch(spec)
    if found is None:
        raise ValueError(f"expected an exception such as 'ValueError: the text', got {spec!r}")
    return error_class(found["name"]), found["text"] or ""


def error_class(name: str) -> type[BaseException]:
    """Return the exception class of that name.

    Args:
        name: a built-in exception, or `module:Class` for any other.

    Raises:
        ValueError: when there is none, with a sentence that says what to write.
    """
    module, _, attribute = name.rpartition(":")
    found = _attribute(module, attribute) if module else getattr(builtins, name, None)
    if isinstance(found, type) and issubclass(found, BaseException):
        if issubclass(found, Signal):
            raise ValueError(f"{name!r} is a signal; write do = 'signal', signal = {found.__name__!r}")
        return found
    if found is not None:
        raise ValueError(f"{name!r} is not an exception class")
    if "." in name and not module:
        package, _, last = name.rpartition(".")
        raise ValueError(f"{name!r} is not a built-in exception; write '{package}:{last}'")
    known = [word for word in vars(builtins) if word.endswith(("Error", "Exception", "Interrupt"))]
    hint = did_you_mean(name, known) or " Write 'module:Class' for one that is not built in."
    raise ValueError(f"there is no built-in exception {name!r}.{hint}")


def _attribute(module: str, name: str) -> object:
    try:
        home = importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - a module of the user's may raise anything
        raise ValueError(f"importing {module!r} failed: {type(error).__name__}: {error}") from None
    found = getattr(home, name, None)
    if found is None:
        raise ValueError(f"the module {module!r} has no {name!r}.{did_you_mean(name, vars(home))}")
    return found


def try_to_make(error: type[BaseException], message: str) -> None:
    """Raise ValueError when an exception of that class can't be raised as a fault.

    It must be possible to make one from a text alone, or from nothing, and to outlive it.
    """
    if issubclass(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        raise ValueError(f"{error.__name__} would end the rehearsal too; write do = 'cancel' or an Exception")
    try:
        error(message) if message else error()
    except Exception as reason:  # noqa: BLE001 - a class of the user's may raise anything
        raise ValueError(f"{error.__name__} can't be made from a text alone: {reason}") from None
