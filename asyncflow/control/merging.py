"""`merge`: goes on with the branch that was taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from asyncflow.control.blocks import scope_for
from asyncflow.errors import UsageError
from asyncflow.handles import Handle, Item, current
from asyncflow.signals import SKIP, TRIGGERFAIL
from asyncflow.states import State
from asyncflow.task import Task
from asyncflow.triggers import always_run

T = TypeVar("T")


def merge(*branches: Handle[T]) -> Handle[T]:
    """Go on with the value of the first branch, in their order here, that was neither skipped nor failed.

    It waits for all of them. When every branch was skipped it is skipped, and when none succeeded and one
    failed it ends TriggerFailed.

    Args:
        *branches: handles. A value that is there already is always taken: standing last it is a default.

    Raises:
        NotInFlow: outside flows.
        UsageError: without a branch.
    """
    scope_for("merge")
    if not branches:
        raise UsageError("merge() needs the branches to choose from: merge(a, b)")
    task = _MERGE if all(isinstance(branch, Handle) for branch in branches) else _MERGE_OR_VALUE
    return task(*(_whole(branch) for branch in branches))


def _whole(branch: Any) -> Any:
    """Return a branch that can be skipped as a whole: the element of a skipped value is no value at all."""
    return _ELEMENT(branch) if isinstance(branch, Item) else branch


async def _element(value: Any) -> Any:
    return value


def _taken(state: State) -> bool:
    return state.is_success() and not state.is_skipped()


def _one_was_taken(upstream: Sequence[State]) -> bool:
    """Say yes when a branch was taken, skip when all were skipped, refuse when one failed instead."""
    if any(_taken(state) for state in upstream):
        return True
    if all(state.is_skipped() for state in upstream):
        raise SKIP("All branches were skipped.")
    raise TRIGGERFAIL("No branch was taken, and at least one failed.")


async def _first_taken(*branches: Any) -> Any:
    for given, value in zip(current().args, branches, strict=True):
        if not isinstance(given, Handle) or _taken(given.state):  # type: ignore[attr-defined]  # in a run it has one
            return value
    raise AssertionError("the trigger saw a branch that was taken")


_ELEMENT: Task[..., Any] = Task(_element, name="element")
_MERGE: Task[..., Any] = Task(_first_taken, name="merge", trigger=_one_was_taken, skip_on_upstream_skip=False)
_MERGE_OR_VALUE: Task[..., Any] = Task(
    _first_taken, name="merge", trigger=always_run, skip_on_upstream_skip=False
)
