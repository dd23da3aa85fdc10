"""`asyncflow runs`: the newest runs, rehearsals among them."""

from __future__ import annotations

import click

from asyncflow.cli.command import declare
from asyncflow.cli.output import Output
from asyncflow.cli.settings import Settings
from asyncflow.cli.stores import read, resume_command, store_option
from asyncflow.errors import NotFound, did_you_mean

_MANY = 1000
"""How far back the names of flows are looked for."""


@declare(
    "runs",
    "Runs of scenarios are listed too; child runs are left out.",
    examples=("asyncflow runs", 'asyncflow runs --flow "complaints etl" --limit 5 --json'),
)
@click.option("--flow", metavar="NAME", help="Only runs of this flow.")
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=1), default=20, help="At most so many, 20 as a rule."
)
@store_option
@click.pass_obj
def command(settings: Settings, *, flow: str | None, limit: int, store: str | None) -> None:
    """List the newest runs."""
    found = read(store, lambda opened: opened.runs(limit=limit, flow=flow))
    if flow is not None and not found:
        everything = read(store, lambda opened: opened.runs(limit=_MANY))
        flows = list(dict.fromkeys(run.header.flow for run in everything))
        raise NotFound(
            f"no run of a flow {flow!r} is kept here; there are runs of {', '.join(flows) or 'none'}."
            f"{did_you_mean(flow, flows)}"
        )
    out = Output(settings)
    if settings.json:
        from asyncflow.cli.rows import run_row

        out.data([run_row(run) for run in found])
        return
    from asyncflow import ambient
    from asyncflow.report.runs import runs_table

    out.lines(runs_table(found, ambient.world().wall(), out.look))
    paused = [run.header.name for run in found if run.state == "Paused" and run.header.scenario is None]
    if paused:
        from asyncflow.store import choose

        out.command("Go on", resume_command(settings.program, paused[0], choose(store).label))
