"""Opening the store for a command: for reading without making a file, and finding runs in it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from asyncflow.errors import NotFound, did_you_mean
from asyncflow.events import Event, RunSummary
from asyncflow.ports import Store

T = TypeVar("T")

_NEAR = 500
"""How many of the newest runs are looked through for a name that is like the one asked for."""


def store_option(target: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--store` to a command."""
    return click.option(
        "--store",
        metavar="PATH",
        help="Where runs are kept, instead of the usual place: a file, a folder, or :memory:.",
    )(target)


@dataclass(frozen=True)
class Found:
    """A run that was found, and its events."""

    summary: RunSummary
    events: list[Event]


def read(store: str | None, what: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
    """Open the store, ask it, and return the answer; where no file is yet, none is made.

    Args:
        store: the option's value.
        what: asks the open store.

    Raises:
        NotFound: when a store was named and there is none.
        StoreError: when it can't be read.
    """
    import asyncio

    from asyncflow.store import MemoryStore, SQLiteStore, choose

    chosen = choose(store)
    if isinstance(chosen, SQLiteStore) and not Path(chosen.label).exists():
        if store is not None:
            raise NotFound(f"there is no store {chosen.label}")
        chosen = MemoryStore()
    return asyncio.run(_ask(chosen, what))


async def _ask(store: Store, what: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
    await store.open()
    try:
        return await what(store)
    finally:
        await store.close()


def show_command(program: str, name: str, label: str) -> str:
    """Return the command that shows a run.

    Args:
        program: what was typed to get here.
        name: the run's name.
        label: the store that keeps it; it is named when it is not the one that would be looked into.
    """
    return _command(program, "show", name, label)


def resume_command(program: str, name: str, label: str) -> str:
    """Return the command that goes on with a paused run; the arguments are those of `show_command`."""
    return _command(program, "resume", name, label)


def _command(program: str, verb: str, name: str, label: str) -> str:
    from asyncflow.store import choose

    known = f"{program} {verb} {shlex.quote(name)}"
    return known if choose().label == label else f"{known} --store {shlex.quote(label)}"


async def find_run(store: Store, reference: str | None) -> Found:
    """Return a run with its events, the newest one when no reference is given.

    Raises:
        NotFound: when there is none, or its events are gone.
    """
    if reference is None:
        newest = await store.runs(limit=1)
        if not newest:
            raise NotFound(
                "no runs are kept here yet; `asyncflow scenario fail_parse` makes one, and `asyncflow "
                "doctor` tells where runs are kept"
            )
        summary = newest[0]
    else:
        summary = await store.find(reference) or await _nothing(store, reference)
    if summary.home is None:
        return Found(summary, await store.events(summary.header.id))
    return Found(summary, await _rehearsed(summary, Path(summary.home)))


async def _rehearsed(summary: RunSummary, home: Path) -> list[Event]:
    """Return the events of a rehearsal, which lie in a store of its own."""
    from asyncflow.store import SQLiteStore
    from asyncflow.store.location import FILE_NAME

    if not (home / FILE_NAME).is_file():
        raise NotFound(
            f"the record of run {summary.header.name!r} lay in {home}, and is gone; play it again with "
            f"`asyncflow scenario {summary.header.scenario}`"
        )
    store = SQLiteStore(home / FILE_NAME)
    await store.open()
    try:
        return await store.events(summary.header.id)
    finally:
        await store.close()


async def _nothing(store: Store, reference: str) -> RunSummary:
    """Say that there is no such run, or which ones an unclear beginning of an id may mean."""
    known = await store.runs(limit=_NEAR)
    meant = [run.header for run in known if reference and run.header.id.startswith(reference)]
    if len(meant) > 1:
        listed = ", ".join(f"{header.id} ({header.name})" for header in meant[:5])
        raise NotFound(f"{reference!r} begins the ids of {len(meant)} runs: {listed}; write more of the id")
    hint = did_you_mean(reference, [run.header.name for run in known] + [run.header.id for run in known])
    raise NotFound(f"there is no run {reference!r}.{hint or ' `asyncflow runs` lists those that are kept.'}")
