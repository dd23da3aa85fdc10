"""Plays scenarios that tests write as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from asyncflow.ports import Listener
from asyncflow.scenario.load import loads
from asyncflow.scenario.play import Rehearsal, play, prepare
from asyncflow.scenario.verdict import Report

FLOWS = "tests.scenario.flows"


def prepared(text: str, flow: str = "load", *, file: str = "x.toml", **options: Any) -> Rehearsal:
    """Return a rehearsal of a flow of `tests.scenario.flows`; the text itself starts at line 4."""
    reference = flow if ":" in flow else f"{FLOWS}:{flow}"
    return prepare("x", loads(f"format = 1\nflow = '{reference}'\n\n{text}", file), **options)


def rehearse(
    folder: Path,
    text: str,
    flow: str = "load",
    *,
    listeners: Sequence[Listener] = (),
    repeat: int = 1,
    told: Callable[[int], None] | None = None,
    **options: Any,
) -> Report:
    """Play a scenario in `folder`, with seed 7 unless told otherwise."""
    rehearsal = prepared(text, flow, **{"seed": 7, **options})
    return play(rehearsal, folder, listeners, repeat=repeat, told=told)


def told(report: Report, key: str) -> tuple[str, int, int]:
    """Return state, attempts and calls of one task run."""
    run = next(task for task in report.history.tasks if task.key == key)
    return run.state.name, run.attempt_count, run.call_count


def fired(report: Report) -> list[int]:
    """Return how often each fault struck, in the order of the file."""
    return [fault.fired for fault in report.faults]
