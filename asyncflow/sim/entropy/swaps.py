"""Attributes that are something else for a while, and modules that hold a reference of their own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from weakref import WeakSet, ref

Swap = tuple[Any, str, Any]
"""An owner (a module or a class), the name of its attribute, and the stand-in."""

_WAITERS = frozenset(
    {"concurrent", "multiprocessing", "queue", "selectors", "socketserver", "subprocess", "threading"}
)
"""They measure how long they really wait, and would wait for ever by a clock that stands still."""

_ABSENT = object()


@contextmanager
def swapped(swaps: Iterable[Swap]) -> Iterator[None]:
    """Replace attributes inside the `with` block; what they were found to be is put back in any case.

    Names that an owner does not have (older or newer Pythons, other systems) are left out.
    """
    found: list[Swap] = []
    try:
        for owner, name, stand_in in swaps:
            was = vars(owner).get(name, _ABSENT)
            if was is not _ABSENT:
                found.append((owner, name, was))
                setattr(owner, name, stand_in)
        yield
    finally:
        for owner, name, was in reversed(found):
            setattr(owner, name, was)


class Holders:
    """The modules that imported a function by its name, such as `from time import monotonic`.

    Each module is looked through once, when it is new in `sys.modules`. Out of reach are default arguments,
    attributes of classes and objects, closures, and what a module took hold of after its import.

    Args:
        stand_ins: the functions that are looked for, and what stands in for each.
    """

    def __init__(self, stand_ins: Iterable[tuple[Callable[..., Any], Callable[..., Any]]]) -> None:
        pairs = list(stand_ins)
        # By address, since what modules hold need not be hashable; the functions live as long as the process.
        self._stand_in_for = {id(real): stand_in for real, stand_in in pairs}
        self._real_of = {id(stand_in): real for real, stand_in in pairs}
        self._holds: list[tuple[ref[ModuleType], str, Callable[..., Any]]] = []
        self._seen: WeakSet[ModuleType] = WeakSet()
        self._newest: object = None

    @contextmanager
    def following(self) -> Iterator[None]:
        """Give the holders the stand-ins inside the `with` block, and the real functions back after it."""
        self._look_for_new()
        given: list[Swap] = []
        try:
            for module, name, real in self._holds:
                namespace = _namespace(module())
                if namespace.get(name) is real:
                    given.append((namespace, name, real))
                    namespace[name] = self._stand_in_for[id(real)]
            yield
        finally:
            for namespace, name, real in given:
                namespace[name] = real
            self._take_back()

    def _look_for_new(self) -> int:
        """Look through modules that are new; return how many holds were known before."""
        before = len(self._holds)
        newest = _newest_module()
        if newest != self._newest:
            self._newest = newest
            for module in list(sys.modules.values()):
                if isinstance(module, ModuleType) and module not in self._seen:
                    self._seen.add(module)
                    self._holds += self._holds_of(module)
        return before

    def _holds_of(self, module: ModuleType) -> Iterator[tuple[ref[ModuleType], str, Callable[..., Any]]]:
        namespace = _namespace(module)
        if str(namespace.get("__name__")).partition(".")[0] in _WAITERS:
            return
        for name, value in list(namespace.items()):
            real = self._real_of.get(id(value), value)
            if id(real) in self._stand_in_for:
                yield ref(module), name, real

    def _take_back(self) -> None:
        for module, name, real in self._holds[self._look_for_new() :]:
            namespace = _namespace(module())
            if namespace.get(name) is self._stand_in_for[id(real)]:
                namespace[name] = real


def _newest_module() -> object:
    """Tell one state of `sys.modules` from another, as far as that is possible without walking over it."""
    name = next(reversed(sys.modules))
    return len(sys.modules), name, id(sys.modules[name])


def _namespace(module: ModuleType | None) -> dict[str, Any]:
    """Return a module's names without waking one that is loaded at its first use."""
    return {} if module is None else object.__getattribute__(module, "__dict__")
