"""Failures as JSON and back: raised again as their own class, as far as that can be had without its code."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from traceback import walk_tb
from typing import Any, cast

from asyncflow import signals
from asyncflow.errors import StoredFailure, text_of
from asyncflow.signals import Signal
from asyncflow.store.values import found_class

_MOST_FRAMES = 20
_MOST_ERRORS = 100
_DEEPEST = 10
_SIMPLE = frozenset((str, int, bool, type(None)))


def keep_failure(error: BaseException, depth: int = 0) -> dict[str, Any]:
    """Return what is needed to raise an exception again, as JSON."""
    kind = type(error)
    kept: dict[str, Any] = {"of": f"{kind.__module__}:{kind.__qualname__}", "text": text_of(error)}
    if _SIMPLE.issuperset(map(type, error.args)):
        kept["args"] = list(error.args)
    notes = getattr(error, "__notes__", None)
    if notes:
        kept["notes"] = [str(note) for note in notes]
    kept["traceback"] = getattr(error, "traceback_text", "") or _places(error)
    if isinstance(error, BaseExceptionGroup) and depth < _DEEPEST:
        kept["errors"] = [keep_failure(one, depth + 1) for one in error.exceptions[:_MOST_ERRORS]]
    return kept


def _places(error: BaseException) -> str:
    """Return where it was raised, outermost first: places only, since reading source lines takes long."""
    frames = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)][-_MOST_FRAMES:]
    return "\n".join(f'File "{code.co_filename}", line {line}, in {code.co_name}' for code, line in frames)


def restore_failure(kept: Mapping[str, Any]) -> BaseException:
    """Return an exception that `except OriginalType` catches, or a signal, as `keep_failure` wrote it."""
    kind, text = found_class(kept["of"]), kept["text"]
    if kind is not None and issubclass(kind, Signal):
        return _signal(kind, text)
    module, _, qualname = kept["of"].partition(":")
    inner = [restore_failure(one) for one in kept.get("errors", ())]
    error = _made(kind, text, inner) if kind is not None and issubclass(kind, BaseException) else None
    if error is None:
        error = StoredFailure(text)
    error.type_name = qualname if module == "builtins" else f"{module}.{qualname}"
    error.text = text
    error.traceback_text = kept.get("traceback", "")
    if "args" in kept:
        error.args = tuple(kept["args"])
    for note in kept.get("notes", ()):
        error.add_note(note)
    return error


def _signal(kind: type[Signal], text: str) -> Signal:
    known = kind.__name__ in signals.__all__ and kind.__module__ == signals.__name__
    return kind(text) if known and kind is not signals.ENDRUN else signals.FAIL(text)


def _made(kind: type[BaseException], text: str, inner: list[BaseException]) -> Any:
    """Return an exception of a class made of the original one and StoredFailure; None where none can be."""
    try:
        both: Any = _class_of(cast("Any", kind))
        if issubclass(kind, BaseExceptionGroup):
            return both.__new__(both, text.rpartition(" (")[0] or text, inner)
        return both.__new__(both, text)
    except Exception:  # noqa: BLE001 - a class may refuse to be combined, or to be made of a text
        return None


@cache
def _class_of(kind: Any) -> Any:
    if issubclass(kind, StoredFailure):
        return kind
    both = type(
        kind.__name__, (kind, StoredFailure), {"__str__": StoredFailure.__str__, "__init__": _no_init}
    )
    both.__module__, both.__qualname__ = kind.__module__, kind.__qualname__
    return both


def _no_init(self: Any, *_args: Any, **_kwargs: Any) -> None:
    """Do nothing: the original's `__init__` may want what is not there."""
    del self
