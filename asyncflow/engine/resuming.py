"""Finds a paused run in its store, and makes what it goes on from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from asyncflow.engine.past import Past
from asyncflow.engine.replay import Resumption
from asyncflow.errors import NotFound, UsageError, did_you_mean
from asyncflow.events import RunHeader
from asyncflow.flow import Flow
from asyncflow.ports import Store


async def reopened(
    store: Store, header: RunHeader, past: Past, given: Any, chosen: Collection[str] = ()
) -> Resumption:
    """Take a paused run, which nobody else can resume from now on.

    Args:
        store: an open store that keeps it.
        header: the run.
        past: what its journal says.
        given: the input.
        chosen: the keys of the task runs that go on; all that are paused when empty.

    Raises:
        StoreError: when it is not paused.
    """
    return Resumption(header, await store.reopen(header, past.events), past, given, tuple(chosen))


async def found(store: Store, reference: str) -> tuple[RunHeader, Past]:
    """Return a run of a store and what its journal says.

    Raises:
        NotFound: when the store has no such run.
        UsageError: when it can't be resumed by itself.
    """
    summary = await store.find(reference)
    if summary is None:
        raise NotFound(
            f"there is no run {reference!r} in the store {store.label}; a run in memory ends with its "
            "process, and is resumed there by flow.resume(run)"
        )
    header = summary.header
    if summary.home is not None:
        raise UsageError(
            f"run {header.name!r} is a rehearsal: a scenario is played again as a whole, not resumed"
        )
    return header, Past(await store.revive(header.id))


def refuse_others(flow: Flow[..., Any], header: RunHeader, past: Past, chosen: Collection[str]) -> None:
    """Raise UsageError when a run is another flow's or a child, or has no such paused task runs."""
    if header.flow != flow.name:
        raise UsageError(f"run {header.name!r} is one of the flow {header.flow!r}, not of {flow.name!r}")
    if header.parent is not None:
        raise UsageError(
            f"run {header.name!r} was called by the run {header.parent}; resume that one, and it goes on too"
        )
    paused = [key for key, task in past.tasks.items() if task.state.is_paused()]
    for key in chosen:
        if key not in paused:
            raise UsageError(
                f"no task run {key!r} is paused in run {header.name!r}.{did_you_mean(key, paused)} "
                f"Paused there: {', '.join(paused) or 'none'}"
            )


def parameters_of(
    flow: Flow[..., Any], header: RunHeader, past: Past, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a run's parameters: those that were given now, else as they were kept.

    Raises:
        ParameterError: when the flow takes others than the run had.
        UsageError: when one could not be kept and is not given.
    """
    for name, why in past.unkept.items():
        if name not in given:
            raise UsageError(
                f"the parameter {name!r} of run {header.name!r} was not kept, since {why}; "
                f"give it again: flow.resume(run, parameters={{{name!r}: ...}})"
            )
    return flow.arguments({**past.arguments, **given})
