"""What a task run carries from one pass of its body to the next: how far a loop is, and what resumed it."""

from __future__ import annotations

from typing import Any

from asyncflow.states import Retrying, State


class Passes:
    """The passes of one task run's body so far.

    Attributes:
        neutral: how many attempts ended in a LOOP or a PAUSE, and so count for no retry policy.
        loop_count: which iteration is the next or running one, from 1.
        loop_result: what the iteration before it left; None in the first.
        resumed: whether somebody resumed the task run after a pause.
        input: what was given then.
        child: the id of the child run that paused with it, which goes on.
    """

    __slots__ = ("child", "input", "loop_count", "loop_result", "neutral", "resumed")

    def __init__(self) -> None:
        self.neutral = 0
        self.loop_count = 1
        self.loop_result: Any = None
        self.resumed = False
        self.input: Any = None
        self.child: str | None = None

    def iterate(self, result: Any) -> None:
        """Go on to the next iteration from what this one left."""
        self.neutral += 1
        self.loop_count += 1
        self.loop_result = result


FIRST = Passes()
"""What a task run that neither looped nor was resumed says; nobody changes it."""


def iterated(state: State, count: int) -> State:
    """Return the state between two iterations, which says the number of the next one."""
    return Retrying(state.message, state.result, {**state.detail, "iteration": count})
