"""`asyncflow flows`: the flows of modules and of the store, and what their runs came to."""

from __future__ import annotations

import click

from asyncflow.cli.command import declare
from asyncflow.cli.output import Output
from asyncflow.cli.settings import Settings
from asyncflow.cli.stores import read, store_option
from asyncflow.events import RunSummary

_NEWEST = 1000


@declare(
    "flows",
    f"With SOURCE, a module or a file, the flows declared there; without, all that have run. Counts are over "
    f"the newest {_NEWEST:,} runs.",
    examples=("asyncflow flows", "asyncflow flows asyncflow.examples.hello etl.py"),
)
@click.argument("sources", metavar="[SOURCE]...", nargs=-1)
@store_option
@click.pass_obj
def command(settings: Settings, *, sources: tuple[str, ...], store: str | None) -> None:
    """List flows."""
    declared = _declared(sources)
    runs = read(store, lambda opened: opened.runs(limit=_NEWEST))
    if sources:
        runs = [run for run in runs if run.header.flow in declared]
    out = Output(settings)
    if settings.json:
        from asyncflow.cli.rows import flow_row

        out.data([flow_row(name, declared.get(name), its) for name, its in _by_flow(declared, runs).items()])
        return
    from asyncflow import ambient
    from asyncflow.report.runs import flows_table

    out.lines(flows_table(runs, ambient.world().wall(), out.look, known=declared))
    for name, target in declared.items():
        out.command(f"Run {name}", f"{settings.program} run {target}")


def _declared(sources: tuple[str, ...]) -> dict[str, str]:
    """Return the flows of modules and files: what `run` takes, by the flow's name."""
    from asyncflow.cli.targets import flows_of

    return {flow.name: f"{source}:{variable}" for source in sources for variable, flow in flows_of(source)}


def _by_flow(declared: dict[str, str], runs: list[RunSummary]) -> dict[str, list[RunSummary]]:
    found: dict[str, list[RunSummary]] = {name: [] for name in declared}
    for run in runs:
        found.setdefault(run.header.flow, []).append(run)
    return found
