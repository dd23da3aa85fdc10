"""`asyncflow resume`: go on with a paused run, and say what it came to."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from typing import Any, Literal

import click

from asyncflow.cli.command import declare, quiet_option
from asyncflow.cli.completion import run_names
from asyncflow.cli.following import following, log_options
from asyncflow.cli.running import Runner, code_of
from asyncflow.cli.settings import Settings
from asyncflow.cli.stores import Found, find_run, read, store_option
from asyncflow.cli.targets import flow_of
from asyncflow.errors import UsageError
from asyncflow.ports import Store


@declare(
    "resume",
    "RUN is a run's friendly name, its id, or the beginning of its id.\n\nThe flow's body runs again; tasks "
    "that were final keep their outcomes, and those that were paused run with the input.",
    examples=(
        "asyncflow resume quiet-heron",
        "asyncflow resume quiet-heron --input '{\"approved\": true}' --task approve",
    ),
    exits={
        0: "the run succeeded, or is paused again",
        1: "it failed, was cancelled, is not paused, or does something else than before",
        2: "usage",
        4: "no such run or flow",
        130: "Ctrl-C",
    },
)
@click.argument("run", shell_complete=run_names)
@click.option("--input", "given", metavar="JSON", help="What the paused tasks are given.")
@click.option(
    "--task",
    "tasks",
    metavar="KEY",
    multiple=True,
    help="Go on with this one; all that are paused as a rule.",
)
@click.option("--flow", "target", metavar="TARGET", help="Where the flow is, when the run does not say it.")
@quiet_option("Print the state's sentence only.")
@store_option
@log_options
@click.pass_obj
def command(
    settings: Settings,
    *,
    run: str,
    given: str | None,
    tasks: tuple[str, ...],
    target: str | None,
    store: str | None,
    log_level: str | None,
    log_format: Literal["auto", "console", "json"],
) -> int:
    """Go on with a paused run."""
    value = _value(given)
    found = read(store, lambda opened: find_run(opened, run))
    flow = flow_of(target or _target_of(found))
    from asyncflow import engine
    from asyncflow.store import choose

    def begin(keeper: Store) -> Awaitable[engine.FlowRun]:
        return engine.start_resumed(flow, found.summary.header.id, given=value, tasks=tasks, store=keeper)

    runner = Runner(choose(store), begin, memory_will_do=False)
    with following(settings, log_level, log_format, is_rehearsal=False) as follower:
        was_interrupted = runner.make(follower)
    return code_of(runner, settings, was_interrupted=was_interrupted)


def _value(given: str | None) -> Any:
    """Return the input that was typed.

    Raises:
        UsageError: when it is not JSON.
    """
    if given is None:
        return None
    try:
        return json.loads(given)
    except ValueError as error:
        raise UsageError(
            f"--input {given!r} is not JSON: {error}; a text is written with quotes: --input '\"yes\"'"
        ) from error


def _target_of(found: Found) -> str:
    """Return where the flow of a run is.

    Raises:
        UsageError: when the run does not say it.
    """
    header = found.summary.header
    for event in found.events:
        if event.kind == "run_started" and event.detail.get("target"):
            return str(event.detail["target"])
    raise UsageError(
        f"run {header.name!r} does not say where its flow {header.flow!r} is, since `asyncflow run` did not "
        "start it; name it with --flow package.module:flow or --flow file.py:flow"
    )
