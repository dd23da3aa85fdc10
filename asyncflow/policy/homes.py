"""Where the state of a policy lives: in a world, under its name or with the one object that has no name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from asyncflow.ambient import World, world

T = TypeVar("T")

_unnamed: WeakValueDictionary[int, WeakKeyDictionary[World, Any]] = WeakValueDictionary()
"""The states of all policies without a name, which no world knows."""


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
            _unnamed[id(self._states)] = self._states
        state: T | None = self._states.get(home)
        if state is None:
            state = self._states[home] = make()
        return state


def _forked() -> None:
    """Let what has no name begin afresh in a child process, as worlds do with what has one."""
    for states in list(_unnamed.values()):
        for state in list(states.values()):
            if hasattr(state, "forked"):
                state.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
