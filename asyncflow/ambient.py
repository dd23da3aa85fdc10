"""The current world: all time, chance, identity and policy state enter asyncflow here, and nowhere else.

Ordinary programs live in one process-wide world. A rehearsal enters a fresh one, a simulation one whose
clocks are virtual. The world belongs to the context, so asyncio tasks inherit it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from random import Random
from typing import Any, TypeVar

from asyncflow.errors import InvalidPolicy

T = TypeVar("T")

_IDENTITY = ("ids", "names")
"""The streams from which runs are told apart."""

_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class World:
    """One source of time, chance and identity, and one registry of policy state.

    Args:
        seed: fixes all chance; None draws from the operating system.
        seeded_identity: whether ids and names follow the seed too. They don't where the wall clock is real:
            ten rehearsals with one seed are still ten runs to tell apart.
        monotonic: seconds that never go back, for durations.
        wall: UTC epoch seconds, for people.

    Attributes:
        listeners: views that see every event of every run: `listener(header, seq, event)`.
        threads: what runs `def` bodies; filled by the engine on first use, replaced by a simulation.
        processes: what runs `process=True` bodies; the same.
        watchdog: what notices that the event loop is blocked; the same.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        seeded_identity: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.seed = seed
        self.monotonic = monotonic
        self.wall = wall
        self.listeners: list[Any] = []
        self.threads: Any = None
        self.processes: Any = None
        self.watchdog: Any = None
        self._streams: dict[str, Random] = {}
        self._seeded_identity = seeded_identity
        if not seeded_identity:
            self._streams.update({name: Random() for name in _IDENTITY})
        self._shared: dict[tuple[str, str], tuple[object, object]] = {}

    def stream(self, name: str) -> Random:
        """Return the random stream of that name.

        Each use has its own stream, so a draw added in one place does not move the draws of another.
        """
        found = self._streams.get(name)
        if found is None:
            found = Random() if self.seed is None else Random(f"{self.seed}/{name}")
            self._streams[name] = found
        return found

    def new_id(self) -> str:
        """Return a fresh id of 20 characters that sorts by time: 48 bits of milliseconds, 52 of chance."""
        number = (int(self.wall() * 1000) & (1 << 48) - 1) << 52 | self.stream("ids").getrandbits(52)
        return "".join(_ID_ALPHABET[number >> shift & 31] for shift in range(95, -1, -5))

    def renew(self) -> None:
        """Draw fresh chance where no seed fixes it; let go of threads and claims that a fork left behind."""
        for name, stream in self._streams.items():
            if self.seed is None or (name in _IDENTITY and not self._seeded_identity):
                stream.seed()
        self.threads = self.processes = self.watchdog = None
        for _, state in self._shared.values():
            if hasattr(state, "forked"):
                state.forked()

    def shared(self, kind: str, name: str, spec: object, make: Callable[[], T]) -> T:
        """Return the one state object of that kind and name, made on first use.

        Args:
            kind: the policy's kind, such as `breaker`.
            name: the name under which uses share it.
            spec: its settings; the same name with other settings is an error.
            make: builds the state object. Its method `forked`, if it has one, is called in a process that a
                fork has made, where the locks are held by nobody and what was taken never comes back.

        Raises:
            InvalidPolicy: when the name is already in use with other settings.
        """
        known = self._shared.get((kind, name))
        if known is None:
            known = (spec, make())
            self._shared[kind, name] = known
        elif known[0] != spec:
            raise InvalidPolicy(
                f"{kind} {name!r} is used with two different settings, {known[0]!r} and {spec!r}; "
                "give them one setting or two names"
            )
        return known[1]  # type: ignore[return-value]  # `make` of the first use decided the type

    def shared_states(self, kind: str) -> dict[str, object]:
        """Return the state objects of one kind by name, in order of first use."""
        return {name: state for (of_kind, name), (_, state) in self._shared.items() if of_kind == kind}


_ROOT = World()
_current: ContextVar[World] = ContextVar("asyncflow_world", default=_ROOT)


def world() -> World:
    """Return the world that the calling context lives in."""
    return _current.get()


def process_world() -> World:
    """Return the world of ordinary programs, whatever world the calling context lives in."""
    return _ROOT


current_world = _current.get
"""The same as `world`, in half the time, for those who ask before every call."""


@contextmanager
def entered(new: World) -> Iterator[World]:
    """Make `new` the current world inside the `with` block."""
    token = _current.set(new)
    try:
        yield new
    finally:
        _current.reset(token)


def _forked() -> None:
    for inherited in (_ROOT, world()):
        inherited.renew()


if hasattr(os, "register_at_fork"):
    # A forked worker would repeat its parent's ids and delays, and wait for threads that fork does not copy.
    os.register_at_fork(after_in_child=_forked)
