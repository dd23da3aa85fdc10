"""`asyncflow scenario`: play one scenario and say what it came to."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Literal

import click

from asyncflow.cli.command import declare, quiet_option
from asyncflow.cli.completion import scenario_names
from asyncflow.cli.endings import DONE, INTERRUPTED, NOT_HELD, tell
from asyncflow.cli.following import Follower, following, log_options
from asyncflow.cli.output import Output
from asyncflow.cli.settings import Settings
from asyncflow.cli.stores import show_command, store_option
from asyncflow.errors import UsageError

if TYPE_CHECKING:
    from asyncflow.cli.rehearsing import Keeper
    from asyncflow.history import RunHistory
    from asyncflow.scenario.play import Rehearsal
    from asyncflow.scenario.verdict import Report


@declare(
    "scenario",
    "SCENARIO is the name of one that comes with asyncflow, or a file. It is played in a folder of its own "
    "with an empty store, and its replicas listen on this machine only.",
    examples=(
        "asyncflow scenario fail_parse",
        "asyncflow scenario api_down_breaker_opens --variant no-policy",
        "asyncflow scenario api_down_breaker_opens --compare",
        "asyncflow scenario fail_parse --world simulated --repeat 100",
        "asyncflow scenario my/outage.toml --seed 11 --json",
    ),
    exits={0: "the verdict is held", 2: "the file is not valid", 3: "not held", 4: "no such scenario"},
)
@click.argument("reference", metavar="SCENARIO", required=False, shell_complete=scenario_names)
@click.option("--variant", metavar="NAME", help="Play this variant: the same faults, other policies.")
@click.option(
    "--compare", is_flag=True, help="Play it and its variants with one seed, and show them side by side."
)
@click.option("--seed", type=int, metavar="N", help="Fix all chance; stands in for the file's seed.")
@click.option(
    "--world",
    metavar="WORLD",
    type=click.Choice(["real", "simulated"]),
    help="Stands in for the file's world: real or simulated.",
)
@click.option(
    "--repeat",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    help="Play it N times and compare the traces; simulated only.",
)
@click.option(
    "--trace",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write down everything that happened; simulated only.",
)
@quiet_option("Print the verdict's sentence only.")
@store_option
@log_options
@click.pass_obj
def command(
    settings: Settings,
    *,
    reference: str | None,
    variant: str | None,
    compare: bool,
    seed: int | None,
    world: str | None,
    repeat: int,
    trace: Path | None,
    store: str | None,
    log_level: str | None,
    log_format: Literal["auto", "console", "json"],
) -> int:
    """Play one scenario."""
    if reference is None:
        raise click.UsageError(f"Which scenario? `{settings.program} scenarios` lists those to choose from.")
    from asyncflow.cli.comparing import compared
    from asyncflow.cli.rehearsing import Keeper, prepared, prepared_all, rehearsal_folder
    from asyncflow.cli.telling import introduce

    if compare:
        _check_alone(repeat, trace)
        rehearsals = prepared_all(reference, variant, seed, world, owns_process=settings.owns_process)
        return compared(rehearsals, store, settings, log_level, log_format)
    rehearsal = prepared(reference, variant, seed, world, owns_process=settings.owns_process)
    _check_world(rehearsal, repeat, trace)
    out = Output(settings)
    if not out.is_terse:
        introduce(rehearsal, out)
    with Keeper(store) as keeper:
        folder = rehearsal_folder(store)
        live = rehearsal.world == "real"  # one that is simulated is over before anybody sees it
        with following(settings, log_level, log_format, is_rehearsal=True, live=live) as follower:
            report = _played(rehearsal, folder, follower, repeat)
        if report is None:
            return _interrupted(follower, folder, keeper, out, settings)
        return _told(report, trace, keeper, out, settings)


def _check_alone(repeat: int, trace: Path | None) -> None:
    """Refuse what is about one rehearsal where several are compared."""
    for option in ["--repeat"] * (repeat > 1) + ["--trace"] * (trace is not None):
        raise UsageError(f"{option} is for one rehearsal; leave out --compare, and choose one with --variant")


def _check_world(rehearsal: Rehearsal, repeat: int, trace: Path | None) -> None:
    """Refuse what only the simulated world has."""
    from asyncflow.cli.traces import check_place

    if trace is not None:
        check_place(trace)
    for option in ["--repeat"] * (repeat > 1) + ["--trace"] * (trace is not None):
        if rehearsal.world == "real":
            raise UsageError(
                f"{option} is for the simulated world, where one seed gives one trace; add --world simulated"
            )


def _played(rehearsal: Rehearsal, folder: Path, follower: Follower, repeat: int) -> Report | None:
    """Play a scenario; None when Ctrl-C came."""
    from asyncflow.cli.progress import Progress
    from asyncflow.cli.rehearsing import played

    try:
        with Progress(repeat, live=follower.can_redraw) as progress:

            def told(number: int) -> None:
                follower.interrupts.between_runs()
                progress.at(number)

            return played(rehearsal, folder, follower.listeners, repeat=repeat, told=told)
    except KeyboardInterrupt:
        return None


def _told(report: Report, trace: Path | None, keeper: Keeper, out: Output, settings: Settings) -> int:
    """Say what a rehearsal came to, and return the exit code."""
    from asyncflow.cli.telling import tell_checks, tell_runs, tell_trace, tell_verdict
    from asyncflow.cli.traces import write_traces

    label = [keeper.keep(run, report.home) for run in report.runs][-1]
    other = None if trace is None else write_traces(report, trace)
    held = report.verdict == "held"
    if settings.json:
        out.data(report.to_json())
    elif settings.quiet:
        tell_verdict(report, out)
    else:
        tell_runs(report, out)
        tell_checks(report, out)
        tell_trace(report, out)
        tell_verdict(report, out)
        if other is not None:
            files = f"{quote(str(trace))} {quote(str(other))}"
            out.command("Look closer", f"{settings.program} trace diff {files}")
        elif not held:
            _look_closer(report.history, label, out, settings)
    return DONE if held else NOT_HELD


def _interrupted(follower: Follower, folder: Path, keeper: Keeper, out: Output, settings: Settings) -> int:
    """Show and keep what was recorded until Ctrl-C."""
    from asyncflow.cli.telling import tell_run, tell_state

    if follower.history is None or out.is_terse:
        tell("Interrupted.")
    if follower.history is not None:
        history = follower.history.view()
        label = keeper.keep(history, folder.resolve() / history.header.id)
        if not out.is_terse:
            tell_run(history, out)
            tell_state(history, out)
            _look_closer(history, label, out, settings)
    return INTERRUPTED


def _look_closer(history: RunHistory, label: str, out: Output, settings: Settings) -> None:
    out.command("Look closer", show_command(settings.program, history.header.name, label))
