"""Opens and closes the blocks of `with` statements in which calls are put behind a gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from asyncflow.errors import NotInFlow
from asyncflow.handles import Block, Handle, Scope, scope


def scope_for(what: str) -> Scope:
    """Return the scope that takes calls here.

    Args:
        what: what is being written, for the error.

    Raises:
        NotInFlow: outside flows.
    """
    found = scope.get()
    if found is None:
        raise NotInFlow(
            f"{what} was used outside a flow; write it in a flow's body, or in a `with Flow(...)` block"
        )
    return found


@contextmanager
def behind(gate: Handle[Any], outer: Scope, at_end: Callable[[Block], None] | None = None) -> Iterator[Block]:
    """Put what is called in the block behind a gate.

    Args:
        gate: a handle that was called in `outer`.
        outer: the scope around the block.
        at_end: called in the scope around when the block is left, by an exception too.
    """
    block = Block(outer, gate)
    token = scope.set(block)
    try:
        yield block
    except GeneratorExit:
        raise  # the coroutine is thrown away, in whatever context: nobody is left who could take calls
    except BaseException:
        scope.reset(token)
        if at_end is not None:
            at_end(block)
        raise
    scope.reset(token)
    if at_end is not None:
        at_end(block)
