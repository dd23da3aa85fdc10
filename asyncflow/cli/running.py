"""Making a run of a flow for a command, and saying what it came to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from asyncflow.cli.endings import DONE, FAILED, INTERRUPTED, tell
from asyncflow.cli.following import Follower
from asyncflow.cli.output import Output
from asyncflow.cli.settings import Settings
from asyncflow.cli.stores import resume_command, show_command
from asyncflow.ports import Store

if TYPE_CHECKING:
    from asyncflow.engine import FlowRun
    from asyncflow.history import RunHistory

_MEMORY = "memory"


class Runner:
    """Makes one run of a flow on an event loop of its own.

    Args:
        keeper: what keeps the run.
        begin: starts it there.
        memory_will_do: whether a store that can't be opened is stood in for by memory.

    Attributes:
        run: the run, once it has started.
    """

    def __init__(
        self, keeper: Store, begin: Callable[[Store], Awaitable[FlowRun]], *, memory_will_do: bool
    ) -> None:
        self._keeper = keeper
        self._begin = begin
        self._memory_will_do = memory_will_do
        self.run: FlowRun | None = None

    def make(self, follower: Follower) -> bool:
        """Run the flow to its end, and return whether Ctrl-C cut it short."""
        from asyncflow import ambient

        world = ambient.world()
        added = [listener for listener in follower.listeners if listener not in world.listeners]
        world.listeners.extend(added)
        try:
            asyncio.run(self._to_its_end(follower))
        except KeyboardInterrupt:
            return True
        except SystemExit as end:
            tell(f"A body called sys.exit({end.code!r}), which ended the run.")
        finally:
            for listener in added:
                world.listeners.remove(listener)
        return False

    async def _to_its_end(self, follower: Follower) -> None:
        follower.interrupts.arm()
        store = await self._open()
        try:
            self.run = await self._begin(store)
            try:
                await self.run.wait()
            except asyncio.CancelledError:
                self.run.cancel("Interrupted.")
                await self.run.wait()
                raise
        finally:
            await store.close()

    async def _open(self) -> Store:
        from asyncflow.store import open_or_memory

        if not self._memory_will_do:
            await self._keeper.open()
            return self._keeper
        store, warning = await open_or_memory(self._keeper)
        if warning is not None:
            tell(f"Warning: {warning}.")
        return store


def code_of(runner: Runner, settings: Settings, *, was_interrupted: bool) -> int:
    """Say what became of a run, and return the exit code."""
    if runner.run is None or (was_interrupted and settings.json):
        tell("Interrupted.")
    if runner.run is None:
        return INTERRUPTED
    code = _told(runner.run, settings)
    return INTERRUPTED if was_interrupted else code


def _told(run: FlowRun, settings: Settings) -> int:
    """Say what a run came to, and return the exit code."""
    from asyncflow.history import fold

    history = fold(run.header, run.events)
    out = Output(settings)
    value = run.state.result if run.is_success() else None
    if settings.json:
        out.data(_as_data(history, value, run.store))
    else:
        _tell(history, value, out)
        if run.is_failed() and not settings.quiet and run.store != _MEMORY:
            out.command("Look closer", show_command(settings.program, run.name, run.store))
        if run.is_paused() and run.store != _MEMORY:
            out.command("Go on", resume_command(settings.program, run.name, run.store))
    return FAILED if run.is_failed() else DONE


def _tell(history: RunHistory, value: Any, out: Output) -> None:
    from asyncflow.cli.telling import tell_result, tell_run, tell_state

    if not out.is_terse:
        tell_run(history, out)
    tell_state(history, out)
    if not out.is_terse:
        tell_result(value, out)


def _as_data(history: RunHistory, value: Any, store: str) -> dict[str, Any]:
    """Return a run as `show --json` does, with the flow's value, as far as JSON has it."""
    from msgspec import to_builtins

    from asyncflow.cli.telling import short
    from asyncflow.report.data import run_to_json

    try:
        result = to_builtins(value)
    except (TypeError, RecursionError):
        result = None
    return {**run_to_json(history), "result": result, "result_text": short(value), "store": store}
