"""The lists: runs, flows and scenarios, each a table made from summaries and never from events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from asyncflow.events import RunSummary
from asyncflow.report.canvas import Line, Look, Piece
from asyncflow.report.table import Column, table
from asyncflow.report.words import ago, duration, mark
from asyncflow.states import BY_NAME

_RUNS = (
    Column("state"),
    Column("run"),
    Column("flow"),
    Column("tasks", right=True, gives_way=6),
    Column("tries", right=True, gives_way=5),
    Column("faults", right=True, gives_way=3),
    Column("took", right=True, gives_way=2),
    Column("started", right=True, gives_way=1),
    Column("scenario", gives_way=4),
)
_FLOWS = (
    Column("flow"),
    Column("runs", right=True, gives_way=2),
    Column("succeeded", right=True, gives_way=3),
    Column("took", right=True, gives_way=4),
    Column("last"),
    Column("run", gives_way=1),
    Column("started", right=True, gives_way=5),
)
_SCENARIOS = (Column("scenario"), Column("title"), Column("world", gives_way=1), Column("flow", gives_way=2))


class ScenarioRow(NamedTuple):
    """One line of the list of scenarios."""

    name: str
    title: str
    world: str = ""
    flow: str = ""


def state_piece(name: str, look: Look) -> Piece:
    """Return a state as its sign and word, in its style."""
    shown = mark(name)
    return Piece(f"{look.of(shown)} {look.clean(shown.word)}", shown.style)


def runs_table(runs: Sequence[RunSummary], now: float, look: Look) -> list[Line]:
    """Return the list of runs, in the order given.

    Args:
        runs: the summaries.
        now: UTC epoch seconds, for ages and for runs that are not over.
        look: what the place of output can show.
    """
    if not runs:
        return [
            [
                Piece("No runs are kept here yet. Make one: ", "dim"),
                Piece("python -m asyncflow run FLOW", "command"),
            ]
        ]
    return table(_RUNS, [_run_row(run, now, look) for run in runs], look)


def _run_row(run: RunSummary, now: float, look: Look) -> list[Piece]:
    header = run.header
    return [
        state_piece(run.state, look),
        Piece(look.clean(header.name), "name"),
        Piece(look.clean(header.flow)),
        Piece(f"{run.tasks:,}"),
        Piece(f"{run.attempts:,}"),
        Piece(f"{look.sign('fault')} {run.faults:,}", "fault") if run.faults else Piece(""),
        Piece(duration(took(run, now)), "plain" if run.ended is not None else "running"),
        Piece(ago(now - header.started), "dim"),
        Piece(look.clean(header.scenario or "")),
    ]


def took(run: RunSummary, now: float) -> float:
    """Return how many seconds a run took, or has taken until `now`."""
    return max(0.0, (now if run.ended is None else run.ended) - run.header.started)


def flows_table(
    runs: Iterable[RunSummary], now: float, look: Look, *, known: Iterable[str] = ()
) -> list[Line]:
    """Return the list of flows with what their runs came to.

    Args:
        runs: summaries of their runs, the newest first.
        now: UTC epoch seconds.
        look: what the place of output can show.
        known: flows to list even when they have not run.
    """
    by_flow: dict[str, list[RunSummary]] = {name: [] for name in known}
    for run in runs:
        by_flow.setdefault(run.header.flow, []).append(run)
    if not by_flow:
        return [[Piece("No flows are known here yet.", "dim")]]
    return table(_FLOWS, [_flow_row(name, its, now, look) for name, its in by_flow.items()], look)


def _flow_row(name: str, runs: Sequence[RunSummary], now: float, look: Look) -> list[Piece]:
    if not runs:
        return [
            Piece(look.clean(name), "name"),
            Piece("0"),
            *[Piece("")] * 2,
            Piece("never ran", "dim"),
            *[Piece("")] * 2,
        ]
    newest = runs[0]
    lengths = [took(run, now) for run in runs if run.ended is not None]
    kinds = [BY_NAME[run.state].kind for run in runs if run.state in BY_NAME]
    return [
        Piece(look.clean(name), "name"),
        Piece(f"{len(runs):,}"),
        Piece(f"{kinds.count('success'):,}"),
        Piece(duration(median(lengths)) if lengths else ""),
        state_piece(newest.state, look),
        Piece(look.clean(newest.header.name)),
        Piece(ago(now - newest.header.started), "dim"),
    ]


def scenarios_table(rows: Sequence[ScenarioRow], look: Look) -> list[Line]:
    """Return the list of scenarios, in the order given."""
    if not rows:
        return [[Piece("No scenarios were found.", "dim")]]
    made = [
        [
            Piece(look.clean(row.name), "name"),
            Piece(look.clean(row.title)),
            Piece(look.clean(row.world), "dim"),
            Piece(look.clean(row.flow), "dim"),
        ]
        for row in rows
    ]
    return table(_SCENARIOS, made, look)
