"""What travels between a flow's process and those that run its `process=True` bodies.

A body travels as the address of a function, and not as code; arguments and results travel as pickles, over a
pipe between two processes of ours. Nothing of it is kept.
"""

from __future__ import annotations

import inspect
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asyncflow.errors import InvalidTask, NotPicklable, UsageError, full_text_of

MAIN = "__mp_main__"
"""What the program's own module is called in a child, as in the standard library: it is not `__main__`."""


class Loading:
    """Whether this process is a child that is only loading its program, to find a body in it.

    Attributes:
        now: whether it is.
    """

    now = False

    @classmethod
    def refuse(cls) -> None:
        """Refuse to run a flow: the lines that run it stand where they are run on import.

        Raises:
            UsageError: while the program is being loaded.
        """
        if cls.now:
            raise UsageError(
                "a flow was run while the process of a body was loading the program; put the lines that run "
                'flows below `if __name__ == "__main__":`'
            )


@dataclass(frozen=True, slots=True)
class Address:
    """Where another process finds a function.

    Attributes:
        module: the name of its module.
        qualname: its name in the module.
        file: the file of the module, for one that its name does not lead to; None when it has none.
    """

    module: str
    qualname: str
    file: str | None


@dataclass(frozen=True, slots=True)
class Errand:
    """One call of a body that is to be made in a process.

    Attributes:
        fn: the body.
        args: its positional arguments.
        kwargs: its keyword arguments.
        about: what `current()` says there: name, key, attempt, hedge, remaining, idempotency_key,
            heartbeat_detail, log (where a log line belongs).
    """

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    about: dict[str, Any]


def address_of(fn: Callable[..., Any]) -> Address:
    """Return where another process finds a function.

    Raises:
        InvalidTask: when it would not find it.
    """
    name = getattr(fn, "__qualname__", "")
    module = getattr(fn, "__module__", None)
    if not (inspect.isfunction(fn) or inspect.isbuiltin(fn)) or not module:
        raise InvalidTask(f"process=True needs a function that another process can import, not {fn!r}")
    if "<lambda>" in name:
        raise InvalidTask("process=True can't run a lambda: another process can't import it; write a def")
    if "<locals>" in name:
        raise InvalidTask(
            f"process=True can't run {name!r}: another process can't import what is defined inside a "
            "function; move it to the top of its module"
        )
    file = getattr(sys.modules.get(module), "__file__", None)
    if module == "__main__" and (file is None or not os.path.isfile(file)):
        raise InvalidTask(
            f"process=True can't run {name!r}: it was not declared in a file; "
            "write it into a module and import it"
        )
    return Address(module, name, None if file is None else os.path.abspath(file))


def packed(value: Any, what: str) -> bytes:
    """Return a pickle.

    Args:
        value: what is to travel.
        what: what it is, for the error.

    Raises:
        NotPicklable: when it can't be pickled.
    """
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        raise NotPicklable(
            f"{what} can't travel between processes: {full_text_of(error)}; "
            "pass data such as numbers, texts and lists, or run the body without process=True"
        ) from error


def stand_in(text: str, why: BaseException) -> NotPicklable:
    """Return what comes back instead of a body's exception that can't travel.

    Args:
        text: the exception's type and text.
        why: what pickling it raised.
    """
    error = NotPicklable(f"{text} (the exception itself can't travel between processes: {full_text_of(why)})")
    error.__cause__ = why
    return error
