"""`asyncflow run`: run a flow, keep its record, and say what it came to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from asyncflow.cli.command import declare, quiet_option
from asyncflow.cli.endings import DONE, FAILED, INTERRUPTED, tell
from asyncflow.cli.following import Follower, following, log_options
from asyncflow.cli.output import Output
from asyncflow.cli.settings import Settings
from asyncflow.cli.stores import show_command, store_option
from asyncflow.cli.targets import flow_of, parameter_options, parameters_from

if TYPE_CHECKING:
    from asyncflow.engine import FlowRun
    from asyncflow.flow import Flow
    from asyncflow.history import RunHistory

_MEMORY = "memory"


@declare(
    "run",
    "TARGET is package.module:flow or file.py:flow; a module with one flow needs no name.\n\nThe first "
    "Ctrl-C cancels the run and records that, the second one leaves at once.",
    examples=(
        "asyncflow run asyncflow.examples.hello:hello_world -p name=Ada",
        "asyncflow run etl.py:nightly --params nightly.toml --log-level info",
    ),
    exits={
        0: "the run succeeded",
        1: "it failed or was cancelled",
        2: "usage",
        4: "no such flow",
        130: "Ctrl-C",
    },
)
@click.argument("target")
@parameter_options
@click.option("--fail-fast", is_flag=True, help="Cancel all other tasks when one has failed.")
@quiet_option("Print the state's sentence only.")
@store_option
@log_options
@click.pass_obj
def command(
    settings: Settings,
    *,
    target: str,
    pairs: tuple[str, ...],
    params: Path | None,
    fail_fast: bool,
    store: str | None,
    log_level: str | None,
    log_format: Literal["auto", "console", "json"],
) -> int:
    """Run a flow."""
    flow = flow_of(target)
    parameters = flow.arguments(parameters_from(flow, pairs, params))
    if fail_fast:
        flow = flow.with_options(fail_fast=True)
    runner = _Runner(flow, parameters, store)
    with following(settings, log_level, log_format, is_rehearsal=False) as follower:
        was_interrupted = runner.make(follower)
    if runner.run is None or (was_interrupted and settings.json):
        tell("Interrupted.")
    if runner.run is None:
        return INTERRUPTED
    code = _told(runner.run, settings)
    return INTERRUPTED if was_interrupted else code


class _Runner:
    """Makes one run of a flow on an event loop of its own.

    Attributes:
        run: the run, once it has started.
    """

    def __init__(self, flow: Flow[..., Any], parameters: dict[str, Any], store: str | None) -> None:
        self._flow = flow
        self._parameters = parameters
        self._store = store
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
        from asyncflow import engine
        from asyncflow.store import choose, open_or_memory

        follower.interrupts.arm()
        store, warning = await open_or_memory(choose(self._store or self._flow.store))
        if warning is not None:
            tell(f"Warning: {warning}.")
        try:
            self.run = await engine.start(self._flow, self._parameters, store=store)
            try:
                await self.run.wait()
            except asyncio.CancelledError:
                self.run.cancel("Interrupted.")
                await self.run.wait()
                raise
        finally:
            await store.close()


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
