"""What task runs and flow runs say of their state, in one place."""

from __future__ import annotations

from asyncflow.states import State


class Stated:
    """Something that has a state and answers for it.

    Attributes:
        state: where it is now.
    """

    __slots__ = ()

    state: State

    def is_success(self) -> bool:
        """Whether the state counts as success."""
        return self.state.is_success()

    def is_failed(self) -> bool:
        """Whether the state counts as failure."""
        return self.state.is_failed()

    def is_final(self) -> bool:
        """Whether the run has ended."""
        return self.state.is_final()

    def is_paused(self) -> bool:
        """Whether the run waits to be resumed."""
        return self.state.is_paused()

    def has_stopped(self) -> bool:
        """Whether nothing more happens by itself: the run has ended, or is paused."""
        return self.state.is_final() or self.state.is_paused()

    def is_cancelled(self) -> bool:
        """Whether the run was cancelled."""
        return self.state.is_cancelled()
