"""Rows of the lists, ready for JSON; `shapes` has their forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import to_builtins

from asyncflow.cli.shapes import FlowRow, RunRow
from asyncflow.events import RunSummary
from asyncflow.states import BY_NAME


def run_row(run: RunSummary) -> dict[str, Any]:
    """Return a run's line."""
    row: dict[str, Any] = to_builtins(_run(run))
    return row


def _run(run: RunSummary) -> RunRow:
    header = run.header
    return RunRow(
        run=header.id,
        name=header.name,
        flow=header.flow,
        state=run.state,
        started=header.started,
        ended=run.ended,
        tasks=run.tasks,
        attempts=run.attempts,
        faults=run.faults,
        scenario=header.scenario,
        seed=header.seed,
        parameters=dict(header.parameters),
        home=run.home,
        variant=header.variant,
        world="simulated" if header.world == "simulated" else "real",
    )


def flow_row(name: str, target: str | None, runs: Sequence[RunSummary]) -> dict[str, Any]:
    """Return a flow's line.

    Args:
        name: the flow's name.
        target: what `run` takes, when it is known.
        runs: its runs, the newest first.
    """
    kinds = [BY_NAME[run.state].kind for run in runs if run.state in BY_NAME]
    row: dict[str, Any] = to_builtins(
        FlowRow(
            name=name,
            target=target,
            runs=len(runs),
            succeeded=kinds.count("success"),
            failed=kinds.count("failure"),
            last=_run(runs[0]) if runs else None,
        )
    )
    return row
