"""When a simulated world counts as stuck, and what is said about it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

from asyncflow.sim.clock import Clock
from asyncflow.sim.limits import Limits
from asyncflow.sim.stuck import runner_of, stuck

_WATCHED = 1_000
"""Callbacks that are looked at to find out what keeps a world busy at one instant."""


class Stepping(Protocol):
    """What is known here of a loop.

    Attributes:
        steps: how many callbacks it has called, or is about to call in this turn.
    """

    steps: int
    _ready: deque[asyncio.Handle]

    def unfinished(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that have not ended, in the order in which they were made."""


class Patience:
    """Watches that a world gets somewhere and comes to an end.

    Args:
        loop: runs the world.
        clock: the world's clock.
        limits: how long it may go on from now.

    Attributes:
        next_look: the step at which to call `look` next.
    """

    def __init__(self, loop: Stepping, clock: Clock, limits: Limits) -> None:
        self._loop = loop
        self._clock = clock
        self.allow(limits)

    def allow(self, limits: Limits) -> None:
        """Be patient for so long from now on."""
        self._limits = limits
        self._deadline = self._clock.now + limits.seconds
        self._last_step = self._loop.steps + limits.steps
        self._still_at, self._still_since = self._clock.now, self._loop.steps
        self._set_next_look()

    def look(self) -> None:
        """See whether the world gets anywhere.

        Raises:
            Stuck: when the clock stands still, or the steps are used up.
        """
        now, steps = self._clock.now, self._loop.steps
        if now != self._still_at:
            self._still_at, self._still_since = now, steps
        elif steps - self._still_since >= self._limits.standstill:
            self._give_up(
                "livelock",
                f"the clock stands at {now:,.6f} s, and {self._limits.standstill:,} callbacks in a row have "
                "not moved it; wait for something, or sleep. What ran last, the latest first:",
                self._watch(),
            )
        if steps >= self._last_step:
            self._give_up(
                "overtime",
                f"at {now:,.6f} s the limit of {self._limits.steps:,} steps is used up; let the program end, "
                "or give the simulation more steps. What ran last, the latest first:",
                self._watch(),
            )
        self._set_next_look()

    def nothing_to_wait_for(self) -> NoReturn:
        """Say that no callback is ready and no timer is set.

        Raises:
            Stuck: always.
        """
        self._give_up(
            "deadlock", f"at {self._clock.now:,.6f} s nothing can run any more and no timer is set:"
        )

    def wait_until(self, when: float) -> None:
        """Let the clock go on to an instant, if it is within the limit.

        Raises:
            Stuck: when it is not.
        """
        if when > self._deadline:
            self._give_up(
                "overtime",
                f"at {self._clock.now:,.6f} s the next timer is set to {when:,.6f} s, beyond the limit of "
                f"{self._deadline:,.6f} s of virtual time; let the program end, or give the simulation a "
                "longer limit:",
            )
        self._clock.now = when

    def _set_next_look(self) -> None:
        self.next_look = min(self._last_step, self._still_since + self._limits.standstill)

    def _watch(self) -> list[Any]:
        """Go on for a moment and return the tasks and functions that run, the latest first."""
        seen: dict[int, Any] = {}
        ready = self._loop._ready
        for _ in range(_WATCHED):
            if not ready:
                break
            handle = ready.popleft()
            if not handle.cancelled():
                runner = runner_of(handle)
                seen.pop(id(runner), None)
                seen[id(runner)] = runner
                handle._run()
        return [*reversed(seen.values())]

    def _give_up(self, kind: str, sentence: str, recent: Sequence[Any] = ()) -> NoReturn:
        raise stuck(kind, sentence, self._loop.unfinished(), recent)
