"""`asyncflow run`: run a flow, keep its record, and say what it came to."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Literal

import click

from asyncflow.cli.command import declare, quiet_option
from asyncflow.cli.following import following, log_options
from asyncflow.cli.running import Runner, code_of
from asyncflow.cli.settings import Settings
from asyncflow.cli.stores import store_option
from asyncflow.cli.targets import flow_of, lasting_target, parameter_options, parameters_from
from asyncflow.ports import Store


@declare(
    "run",
    "TARGET is package.module:flow or file.py:flow; a module with one flow needs no name.\n\nThe first "
    "Ctrl-C cancels the run and records that, the second one leaves at once.",
    examples=(
        "asyncflow run asyncflow.examples.hello:hello_world -p name=Ada",
        "asyncflow run etl.py:nightly --params nightly.toml --log-level info",
    ),
    exits={
        0: "the run succeeded, or is paused",
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
    from asyncflow import engine
    from asyncflow.store import choose

    def begin(keeper: Store) -> Awaitable[engine.FlowRun]:
        options = engine.RunOptions(target=lasting_target(target))
        return engine.start(flow, parameters, store=keeper, options=options)

    runner = Runner(choose(store or flow.store), begin, memory_will_do=True)
    with following(settings, log_level, log_format, is_rehearsal=False) as follower:
        was_interrupted = runner.make(follower)
    return code_of(runner, settings, was_interrupted=was_interrupted)
