"""Branches: tasks that run only when a value, not known while the flow is wired, equals another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from asyncflow.control.blocks import behind, scope_for
from asyncflow.errors import UsageError
from asyncflow.handles import Handle
from asyncflow.signals import SKIP
from asyncflow.task import Task

Branch = Handle[Any] | Callable[[], Any]
"""A call made before, or a function that makes the calls of a branch; a task without arguments is one."""


@contextmanager
def case(condition: Any, value: Any) -> Iterator[None]:
    """Run the tasks that are called in the block only when `condition` equals `value`; else they are Skipped.

    The block itself is always executed: it wires. What decides is a task named `case(<value>)`. When it
    fails, since the condition failed or can't be compared, the tasks end TriggerFailed. Neither a trigger nor
    `skip_on_upstream_skip=False` opens a branch that was not taken.

    Args:
        condition: a handle, or a value that is there already.
        value: what it has to equal.

    Raises:
        NotInFlow: outside flows.
        UsageError: when `value` is a handle.
    """
    _refuse_handle(value)
    outer = scope_for(f"case({_short(value)})")
    with behind(_gate(value, _equals(value))(condition), outer):
        yield


def switch(
    condition: Any, cases: Mapping[Any, Branch], default: Branch | None = None
) -> tuple[Handle[Any], ...]:
    """Run the branch whose key equals `condition`; the others are Skipped.

    Args:
        condition: a handle, or a value that is there already.
        cases: by value, the branch: the handle of a call that has not started, which alone is put behind the
            gate, or a function without arguments, behind whose gate all its calls are.
        default: the branch for every other value.

    Returns:
        The handles of the branches in their order, the default's last, for `merge(*switch(...))`. A function
        that returns no handle has none.

    Raises:
        NotInFlow: outside flows.
        UsageError: when a key is a handle, or a branch neither a handle nor a function.
        LateEdge: when a branch has already started.
    """
    for value in cases:
        _refuse_handle(value)
    branches = [(_gate(value, _equals(value)), branch) for value, branch in cases.items()]
    if default is not None:
        others = [_equals(value) for value in cases]
        branches.append((_gate("default", lambda found: not any(equal(found) for equal in others)), default))
    return _wire(condition, branches, "switch")


def ifelse(condition: Any, then: Branch | None, otherwise: Branch | None = None) -> tuple[Handle[Any], ...]:
    """Run `then` when `condition` is true in the sense of Python's `if`, and `otherwise` when it is not.

    Args:
        condition: a handle, or a value that is there already.
        then: a branch as in `switch`; None for none.
        otherwise: the same.

    Returns:
        The handles of the branches, for `merge(*ifelse(...))`.

    Raises:
        NotInFlow: outside flows.
        UsageError: when a branch is neither a handle nor a function.
        LateEdge: when a branch has already started.
    """
    branches = ((_gate("True", bool), then), (_gate("False", lambda found: not found), otherwise))
    return _wire(condition, [(gate, branch) for gate, branch in branches if branch is not None], "ifelse")


def _wire(
    condition: Any, branches: Sequence[tuple[Task[..., Any], Branch]], what: str
) -> tuple[Handle[Any], ...]:
    outer = scope_for(what)
    for _, branch in branches:
        if not isinstance(branch, Handle) and not callable(branch):
            raise UsageError(
                f"{branch!r} is no branch of {what}; give the handle of a call, "
                "or a function that makes the calls"
            )
    taken = [_put_behind(gate(condition), branch, outer) for gate, branch in branches]
    return tuple(handle for handle in taken if isinstance(handle, Handle))


def _put_behind(gate: Handle[Any], branch: Branch, outer: Any) -> Any:
    if isinstance(branch, Handle):
        branch.only_if(gate)
        return branch
    with behind(gate, outer):
        return branch()


def _gate(value: Any, opens: Callable[[Any], bool]) -> Task[[Any], Any]:
    """Return the task that succeeds when the condition's value opens the branch, and is skipped else."""

    async def compare(condition: Any) -> Any:
        if opens(condition):
            return condition
        raise SKIP(f"The condition was {_short(condition)}.")

    return Task(compare, name=f"case({_short(value)})")


def _equals(value: Any) -> Callable[[Any], bool]:
    return lambda found: bool(found == value)


def _refuse_handle(value: Any) -> None:
    if isinstance(value, Handle):
        raise UsageError(
            f"the value of a case can't be the handle of {value.name!r}; compare in a task, and branch on "
            "its result: case(is_same(a, b), True)"
        )


def _short(value: Any, limit: int = 40) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
