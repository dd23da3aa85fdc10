"""`asyncflow trace diff`: where two traces of the simulated world part."""

from __future__ import annotations

from pathlib import Path

import click

from asyncflow.cli.command import declare
from asyncflow.cli.endings import DONE, NOT_HELD
from asyncflow.cli.output import Output
from asyncflow.cli.settings import Settings


@declare(
    "trace",
    "`scenario --world simulated --trace FILE` writes a trace: a line for everything that happened. The same "
    "scenario, seed, code, Python and aiohttp give the same lines. `diff` tells first what was not the same, "
    "and then the first line that differs.",
    examples=("asyncflow trace diff before.trace after.trace", "asyncflow trace diff a.trace b.trace --json"),
    exits={0: "the same", 2: "not a trace", 3: "they differ", 4: "no such file"},
)
@click.argument("word", metavar="diff", type=click.Choice(["diff"]), expose_value=False)
@click.argument("left", metavar="A", type=click.Path(path_type=Path))
@click.argument("right", metavar="B", type=click.Path(path_type=Path))
@click.pass_obj
def command(settings: Settings, *, left: Path, right: Path) -> int:
    """Compare two traces."""
    from asyncflow.cli.traces import comparison, tell_difference
    from asyncflow.human import plural
    from asyncflow.sim.trace.diff import first_difference, header_differences
    from asyncflow.sim.trace.file import read

    one, other = read(left), read(right)
    header = list(header_differences(one.header, other.header))
    found = first_difference(one.lines, other.lines)
    out = Output(settings)
    if settings.json:
        out.data(comparison(header, found))
        return DONE if found is None else NOT_HELD
    for what, a, b in header:
        out.sentence(f"Another {what}: {a} in {left}, {b} in {right}.", "dim")
    if found is None:
        out.sentence(f"The same: {plural(len(one.lines), 'line')}.", "success")
        return DONE
    places = f"{left}:{one.first + found.number - 1} and {right}:{other.first + found.number - 1}"
    out.sentence(f"They part in line {found.number:,} ({places}): {found.what}.", "failed")
    tell_difference(found, out)
    return NOT_HELD
