"""`asyncflow scenarios`: the list of those that come with asyncflow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from asyncflow.cli.command import declare
from asyncflow.cli.output import Output
from asyncflow.cli.settings import Settings

if TYPE_CHECKING:
    from asyncflow.scenario.format import Scenario

_FIRST = "fail_parse"
"""What to play first: it shows most in the least time."""


@declare(
    "scenarios",
    examples=("asyncflow scenarios", "asyncflow scenarios --long"),
)
@click.option("-l", "--long", "is_long", is_flag=True, help="With the story and the variants of each.")
@click.pass_obj
def command(settings: Settings, *, is_long: bool) -> None:
    """List the shipped scenarios."""
    from asyncflow.scenario import gallery, load

    found = [(path, load.load(path)) for path in map(gallery.find, gallery.names())]
    out = Output(settings)
    if settings.json:
        from msgspec import to_builtins

        out.data([to_builtins(_row(path, scenario)) for path, scenario in found])
    elif is_long:
        for path, scenario in found:
            _tell(path.stem, scenario, out)
    else:
        _list(found, out)
    if found and not settings.json:
        names = [path.stem for path, _ in found]
        first = _FIRST if _FIRST in names else names[0]
        out.command("Play one", f"{settings.program} scenario {first}")


def _row(path: Path, scenario: Scenario) -> object:
    from asyncflow.cli.shapes import ScenarioRow, VariantRow

    return ScenarioRow(
        name=path.stem,
        title=scenario.title,
        story=" ".join(scenario.story.split()),
        file=str(path),
        flow=str(scenario.flow),
        world=scenario.world,
        seed=scenario.seed,
        variants=[VariantRow(name, variant.title) for name, variant in scenario.variants.items()],
    )


def _list(found: list[tuple[Path, Scenario]], out: Output) -> None:
    """Write the table, and the variants below it."""
    from asyncflow.report.runs import ScenarioRow, scenarios_table

    rows = [ScenarioRow(path.stem, scenario.title) for path, scenario in found]
    variants = [f"{path.stem} --variant {name}" for path, scenario in found for name in scenario.variants]
    out.lines([*scenarios_table(rows, out.look), []])
    if variants:
        out.sentence(", ".join(variants), "dim", sign="Variants:")


def _tell(name: str, scenario: Scenario, out: Output) -> None:
    """Write one scenario in full."""
    out.sentence(name, "name")
    out.sentence(scenario.title)
    out.sentence(scenario.story, "dim")
    for variant, settings in scenario.variants.items():
        out.sentence(f"--variant {variant}{': ' if settings.title else ''}{settings.title}", "dim")
    out.lines([[]])
