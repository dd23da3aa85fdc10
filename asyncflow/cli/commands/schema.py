"""`asyncflow schema`: JSON Schemas of what asyncflow reads and prints."""

from __future__ import annotations

from typing import Any

import click

from asyncflow.cli.command import declare
from asyncflow.cli.output import Output
from asyncflow.cli.settings import Settings

_WORDS = (
    *("scenario", "report", "variants", "run", "events"),
    *("runs", "flows", "served", "scenarios", "comparison"),
)


@declare(
    "schema",
    f"WHAT is one of {', '.join(_WORDS)}. `scenario` is the schema of scenario files, with which an editor "
    "completes and checks them. The others are those of what --json prints: `report` of scenario, "
    "`variants` of scenario --compare, `run` of show and run, `events` of show --events, `served` of a line "
    "of serve, `comparison` of trace diff, and the lists.",
    examples=("asyncflow schema scenario > scenario.schema.json", "asyncflow schema runs"),
    json=None,
)
@click.argument("what", metavar="WHAT", type=click.Choice(_WORDS))
@click.pass_obj
def command(settings: Settings, *, what: str) -> None:
    """Print a JSON Schema."""
    Output(settings).data(schema_of(what))


def schema_of(what: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of scenario files or of an answer."""
    if what == "scenario":
        from asyncflow.scenario.schema import scenario_schema

        return scenario_schema()
    import msgspec

    from asyncflow.cli.shapes import SHAPES

    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"asyncflow {what}, version 1",
    }
    return {**head, **msgspec.json.schema(SHAPES[what])}
