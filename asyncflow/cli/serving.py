"""What `serve` says: a line on stdout for each run that has ended, and on stderr what it waits for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from asyncflow import ambient
from asyncflow.cli.endings import tell
from asyncflow.cli.output import Output
from asyncflow.cli.settings import Settings
from asyncflow.cli.shapes import ServedRow
from asyncflow.human import duration, plural
from asyncflow.serving import Teller

if TYPE_CHECKING:
    from asyncflow.engine import FlowRun


class Lines(Teller):
    """Tells what becomes of fires, as lines.

    Args:
        settings: how answers are written.
    """

    def __init__(self, settings: Settings) -> None:
        self._is_json = settings.json
        self._out = Output(settings)

    def waiting(self, flow: str, at: datetime) -> None:
        """Say what is waited for."""
        left = at.timestamp() - ambient.world().wall()
        tell(f"{flow}: waiting for {at.isoformat()}, in {duration(left)}")

    def left_out(self, flow: str, count: int, until: datetime, why: str) -> None:
        """Say which fires come to nothing."""
        tell(f"{flow}: left out {plural(count, 'scheduled run')} until {until.isoformat()}: {why}")

    def exhausted(self, flow: str) -> None:
        """Say that a schedule has ended."""
        tell(f"{flow}: no more scheduled runs")

    def ended(self, run: FlowRun, at: datetime) -> None:
        """Answer with a run that has ended."""
        if self._is_json:
            self._out.data(_row(run, at), indent=None)
            return
        from asyncflow.report.words import mark

        shown = mark(run.state.name)
        text = f"{at.isoformat()} {run.flow.name}, {run.name}, {shown.word}: {run.state.message}"
        self._out.sentence(text, shown.style, sign=self._out.look.of(shown))


def _row(run: FlowRun, at: datetime) -> dict[str, Any]:
    from msgspec import to_builtins

    row: dict[str, Any] = to_builtins(
        ServedRow(
            run=run.id,
            name=run.name,
            flow=run.flow.name,
            scheduled_at=at.timestamp(),
            started_at=run.header.started,
            duration_s=run.events[-1].offset,
            state=run.state.name,
            message=run.state.message,
            store=run.store,
        )
    )
    return row
