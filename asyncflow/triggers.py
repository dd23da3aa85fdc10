"""Triggers: does a task run, given the final states of what is upstream of it?

A trigger is any function of the upstream states, in the order of the edges. It answers True to run; False, or
a signal that it raises, sets the state instead. Whatever is upstream twice counts once; with nothing upstream
no trigger is asked, but `manual_only` pauses. Skipped counts as a success, every failure kind (Cancelled too)
as a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from asyncflow import signals
from asyncflow.errors import InvalidTask
from asyncflow.states import State

__all__ = [
    "Trigger",
    "all_failed",
    "all_finished",
    "all_successful",
    "always_run",
    "any_failed",
    "any_successful",
    "manual_only",
    "not_all_skipped",
    "some_failed",
    "some_successful",
]

Trigger = Callable[[Sequence[State]], bool]


def _require(holds: bool, name: str, but: str) -> bool:  # noqa: FBT001 - one private sentence builder
    if not holds:
        raise signals.TRIGGERFAIL(f'Trigger was "{name}" but {but}.')
    return True


def _failures(upstream: Sequence[State]) -> int:
    return sum(state.is_failed() for state in upstream)


def all_successful(upstream: Sequence[State]) -> bool:
    """Run when nothing upstream failed; the default."""
    return _require(not _failures(upstream), "all_successful", "some of the upstream tasks failed")


def all_failed(upstream: Sequence[State]) -> bool:
    """Run when everything upstream failed."""
    return _require(
        _failures(upstream) == len(upstream), "all_failed", "some of the upstream tasks succeeded"
    )


def any_successful(upstream: Sequence[State]) -> bool:
    """Run when something upstream succeeded."""
    return _require(
        _failures(upstream) < len(upstream), "any_successful", "none of the upstream tasks succeeded"
    )


def any_failed(upstream: Sequence[State]) -> bool:
    """Run when something upstream failed."""
    return _require(_failures(upstream) > 0, "any_failed", "none of the upstream tasks failed")


def all_finished(upstream: Sequence[State]) -> bool:
    """Run whatever the states upstream are."""
    del upstream
    return True


always_run = all_finished
"""The other name of `all_finished`."""


def not_all_skipped(upstream: Sequence[State]) -> bool:
    """Run when nothing upstream failed and something was not skipped; skip when everything was."""
    if all(state.is_skipped() for state in upstream):
        raise signals.SKIP('Trigger was "not_all_skipped" and all of the upstream tasks were skipped.')
    return _require(not _failures(upstream), "not_all_skipped", "some of the upstream tasks failed")


MANUAL = 'Trigger was "manual_only": the task runs when somebody resumes the flow run.'
"""What a task run says that was paused by `manual_only`."""


def manual_only(upstream: Sequence[State]) -> bool:
    """Pause, whatever the states upstream are; when the flow run is resumed the task runs.

    It is the one trigger that holds with nothing upstream, too.
    """
    del upstream
    raise signals.PAUSE(MANUAL)


def some_failed(at_least: float | None = None, at_most: float | None = None) -> Trigger:
    """Return a trigger that runs when the number of failures upstream lies within bounds.

    Args:
        at_least: the fewest failures; below 1 a share of the upstream tasks, from 1 a count.
        at_most: the most failures, in the same way.
    """
    _check_bounds("some_failed", at_least, at_most)

    def trigger(upstream: Sequence[State]) -> bool:
        """Run when enough, and not too many, upstream tasks failed."""
        count = _failures(upstream)
        within = _within(count, len(upstream), at_least, at_most)
        return _require(within, "some_failed", f"{count} of {len(upstream)} upstream tasks failed")

    trigger.__name__ = "some_failed"
    return trigger


def some_successful(at_least: float | None = None, at_most: float | None = None) -> Trigger:
    """Return a trigger that runs when the number of successes upstream lies within bounds.

    Args:
        at_least: the fewest successes; below 1 a share of the upstream tasks, from 1 a count.
        at_most: the most successes, in the same way.
    """
    _check_bounds("some_successful", at_least, at_most)

    def trigger(upstream: Sequence[State]) -> bool:
        """Run when enough, and not too many, upstream tasks succeeded."""
        count = len(upstream) - _failures(upstream)
        within = _within(count, len(upstream), at_least, at_most)
        return _require(within, "some_successful", f"{count} of {len(upstream)} upstream tasks succeeded")

    trigger.__name__ = "some_successful"
    return trigger


def _check_bounds(name: str, at_least: float | None, at_most: float | None) -> None:
    for bound in (at_least, at_most):
        if bound is not None and not bound >= 0:  # not a number is refused, too
            raise InvalidTask(f"{name}({bound!r}) must be 0 or more: below 1 a share, from 1 a count")


def _within(count: int, total: int, at_least: float | None, at_most: float | None) -> bool:
    def reached(bound: float) -> float:
        # The share is made of the count, as whoever writes 0.7 does: 0.7 times 10 is a little more than 7.
        return count / total if bound < 1 else count

    return (at_least is None or reached(at_least) >= at_least) and (
        at_most is None or reached(at_most) <= at_most
    )
