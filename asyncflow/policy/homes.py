"""Where the state of a policy lives: in a world, under its name or with the one object that has no name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from asyncflow.ambient import World, world

T = TypeVar("T")


class Stateful:
    """A policy with state: uses of one name share it, and a policy without a name has its own.

    Either way each world has one of its own. Equal policies without names share nothing: two tasks that may
    each do ten things at once were not meant to do ten together.

    Attributes:
        name: under which uses share the state; None for a state of this object's own.
    """

    __slots__ = ("_states",)

    name: str | None
    # Not a field: a copy, and what is read back from another process, begins without state.
    _states: WeakKeyDictionary[World, Any]

    def _state(self, kind: str, make: Callable[[], T], where: World | None) -> T:
        """Return the state in a world, by default the current one; made on first use.

        Raises:
            InvalidPolicy: when the name is already in use with other settings.
        """
        home = where or world()
        if self.name is not None:
            return home.shared(kind, self.name, self, make)
        if not hasattr(self, "_states"):
            object.__setattr__(self, "_states", WeakKeyDictionary())
        state: T | None = self._states.get(home)
        if state is None:
            state = self._states[home] = make()
        return state
