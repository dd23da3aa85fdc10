"""By what a task's results are found again: made once per task, asked once per task run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from asyncflow.caching.canonical import Unkeyable, digest
from asyncflow.caching.fingerprint import fingerprint
from asyncflow.caching.options import Caching
from asyncflow.entries import CacheKey
from asyncflow.errors import InvalidTask

Inputs = Callable[..., Mapping[str, Any]]

_MOST_KNOWN = 1000
_LONGEST = 200


class Recipe:
    """Makes the keys of one task.

    Args:
        fn: the task's body.
        name: the task's name.
        caching: how its results are kept.
        inputs: gives the arguments of a call by name, defaults included.
        accepts: the names that the body accepts; None when it accepts any.

    Raises:
        InvalidTask: when the validator looks at an argument that the body does not have.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str,
        caching: Caching,
        inputs: Inputs,
        accepts: frozenset[str] | None,
    ) -> None:
        self.caching = caching
        self._fn = fn
        self._name = name
        self._inputs = inputs
        self._known: dict[tuple[Any, ...], CacheKey] = {}
        validator = caching.cache_validator
        if accepts is not None and validator.of == "inputs":
            for wanted in validator.names or ():
                if wanted not in accepts:
                    raise InvalidTask(f"cache_validator={validator}: {name!r} has no argument {wanted!r}")

    @cached_property
    def family(self) -> str:
        """Whose results they are: the shared name, or where the task is from and its name."""
        shared = self.caching.cache_key
        return shared if isinstance(shared, str) else f"{_module_of(self._fn)}:{self._name}"

    @cached_property
    def code(self) -> str:
        """The digest of the task's code; tasks that share a name may have different code."""
        return "" if isinstance(self.caching.cache_key, str) else fingerprint(self._fn)

    def key(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> CacheKey:
        """Return the key of a call.

        Args:
            args: its positional arguments.
            kwargs: its keyword arguments.
            parameters: those of the flow run.

        Raises:
            Unkeyable: when there is none: an argument can't be part of one, or a function of the user's
                raised or gave None.
        """
        brief = _brief(args) if not kwargs and self._by_inputs else None
        if brief is None:
            return self._made(args, kwargs, parameters)
        known = self._known.get(brief)
        if known is None:
            if len(self._known) == _MOST_KNOWN:
                self._known.clear()
            known = self._known[brief] = self._made(args, kwargs, parameters)
        return known

    @cached_property
    def _by_inputs(self) -> bool:
        """Whether nothing but the arguments makes the key."""
        return self.caching.cache_validator.of == "inputs" and not callable(self.caching.cache_key)

    def _made(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> CacheKey:
        own = self.caching.cache_key
        validator = self.caching.cache_validator
        if callable(own):
            counts: Mapping[str, Any] = {"cache_key": _asked(own, args, kwargs)}
        else:
            counts = validator.picks(self._inputs(*args, **kwargs), parameters)
        try:
            inputs = digest((validator.name, counts))
        except Unkeyable as problem:
            raise Unkeyable(_culprit(counts, problem)) from None
        return CacheKey(self.family, inputs, self.code)


def _brief(args: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Return few and short arguments in a form that a dict finds by value and type; None for others."""
    for value in args:
        kind = type(value)
        if kind is not int and value is not None and (kind is not str or len(value) > _LONGEST):
            return None
    return args


def _asked(own: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return what the user's `cache_key` function says of the arguments."""
    try:
        said = own(*args, **kwargs)
    except Exception as error:
        raise Unkeyable(f"cache_key raised {type(error).__name__}: {error}") from error
    if said is None:
        raise Unkeyable("cache_key gave None for these arguments")
    return said


def _culprit(counts: Mapping[str, Any], problem: Unkeyable) -> str:
    """Return which of the values can't be part of a key, why, and what to do."""
    for name, value in counts.items():
        try:
            digest(value)
        except Unkeyable as why:
            way_out = (
                "let it give text or numbers" if name == "cache_key" else "say what counts with cache_key="
            )
            return f"{name} can't be part of a key: {why}; {way_out}"
    return str(problem)


def _module_of(fn: Callable[..., Any]) -> str:
    """Return the module's name; a script's own name instead of `__main__`, which all scripts have."""
    module = getattr(fn, "__module__", None) or type(fn).__module__
    if module != "__main__":
        return module
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    return spec.name if spec is not None else Path(getattr(main, "__file__", None) or "__main__").stem
