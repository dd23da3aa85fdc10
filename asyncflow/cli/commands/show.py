"""`asyncflow show`: one run in full."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from asyncflow.cli.command import declare
from asyncflow.cli.completion import run_names
from asyncflow.cli.output import Output
from asyncflow.cli.settings import Settings
from asyncflow.cli.stores import Found, find_run, read, resume_command, store_option

if TYPE_CHECKING:
    from asyncflow.report.canvas import Piece


@declare(
    "show",
    "RUN is a run's friendly name, its id, or the beginning of its id; without it the newest run is shown.",
    examples=("asyncflow show", "asyncflow show quiet-heron --json", "asyncflow show quiet-heron --events"),
    exits={0: "shown, whatever the run came to", 4: "no such run"},
)
@click.argument("run", required=False, shell_complete=run_names)
@click.option("--events", "with_events", is_flag=True, help="Every event in order, instead of the picture.")
@click.option("--elements", "with_elements", is_flag=True, help="The elements of mapped tasks, a row each.")
@store_option
@click.pass_obj
def command(
    settings: Settings, *, run: str | None, with_events: bool, with_elements: bool, store: str | None
) -> None:
    """Show one run."""
    found = read(store, lambda opened: find_run(opened, run))
    out = Output(settings)
    if with_events:
        _show_events(found, out, settings)
        return
    from asyncflow import ambient
    from asyncflow.history import fold

    history = fold(found.summary.header, found.events)
    if settings.json:
        from asyncflow.report.data import run_to_json

        out.data(run_to_json(history))
        return
    from asyncflow.report.show import next_command, show

    out.lines([*show(history, out.look, ambient.world().wall(), elements=with_elements), []])
    if history.state.name == "Paused" and history.header.scenario is None:
        out.command("Go on", _resume(settings, history.header.name, store))
    out.command(*next_command(history.header))


def _resume(settings: Settings, name: str, store: str | None) -> str:
    from asyncflow.store import choose

    return resume_command(settings.program, name, choose(store).label)


def _show_events(found: Found, out: Output, settings: Settings) -> None:
    """Write the events of a run."""
    header = found.summary.header
    if settings.json:
        from asyncflow.events import event_to_json

        out.data([event_to_json(event, seq, header) for seq, event in enumerate(found.events)])
        return
    from asyncflow.report.table import Column, table

    columns = (
        Column("at", right=True),
        Column("event"),
        Column("task"),
        Column("try", right=True),
        Column("what"),
    )
    out.lines(table(columns, _event_rows(found, out), out.look))


def _event_rows(found: Found, out: Output) -> list[list[Piece]]:
    from asyncflow.human import duration
    from asyncflow.report.canvas import Piece

    names: dict[int, str] = {0: ""}
    rows = []
    for offset, kind, task, attempt, detail in found.events:
        if kind == "task_called":
            names[task] = str(detail.get("name", ""))
        rows.append(
            [
                Piece(duration(offset), "dim"),
                Piece(kind),
                Piece(out.look.clean(names.get(task, str(task))), "name"),
                Piece(str(attempt) if attempt else ""),
                Piece(out.look.clean(_said(detail))),
            ]
        )
    return rows


def _said(detail: object) -> str:
    """Return an event's detail in a line: a state with its message, anything else as JSON without braces."""
    if not isinstance(detail, dict):
        return "" if detail is None else str(detail)
    if "state" in detail:
        return " ".join(filter(None, (str(detail["state"]), str(detail.get("message") or ""))))
    told = {key: value for key, value in detail.items() if value not in (None, [], {}, "")}
    return ", ".join(f"{key}={_plain(value)}" for key, value in told.items())


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
