"""The live view: the timelines of the runs that are going on, redrawn a few times a second.

It listens on the loop and draws in a thread of rich's own, so a body that blocks the loop is seen blocking
it, and no timer of the view enters a run's clock. A run of many tasks is kept as a tally, so memory is
bounded by what is not finished.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from asyncflow import ambient
from asyncflow.events import RunHeader
from asyncflow.history.folding import History
from asyncflow.report.canvas import Line, Look, Piece
from asyncflow.report.console import WIDEST, console_for, look_at, rich_text
from asyncflow.report.tally import Tally
from asyncflow.report.timeline import MOST_ROWS, header_line, summary, timeline
from asyncflow.report.words import duration, mark

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

PER_SECOND = 8
_MOST_RUNS = 32
_KEPT = 200
_FRAME_LINES = 7


class _Watched:
    """One run as the live view knows it."""

    def __init__(self, header: RunHeader, offset: float) -> None:
        self.header = header
        self.tally = Tally()
        self.history: History | None = History(header, keep=_KEPT)
        self.is_over = False
        self._last = offset
        self._monotonic: Callable[[], float] = ambient.world().monotonic
        self._zero = self._monotonic() - offset

    def add(self, event: Any) -> None:
        """Take the run's next event."""
        self._last = event[0]
        self.is_over = event[1] in ("run_ended", "run_paused")
        self.tally.add(event)
        if self.history is not None:
            self.history.add(event)
            if self.tally.size > MOST_ROWS:
                self.history = None

    def now(self) -> float:
        """Return the seconds since the run started, or until it ended."""
        return self._last if self.is_over else max(self._last, self._monotonic() - self._zero)

    def lines(self, look: Look, rows: int) -> list[Line]:
        """Return the run's picture, a child run's in one line."""
        now = self.now()
        if self.header.parent is not None:
            return [[Piece("  "), *header_line(self.header, look), Piece("  "), *self._status(now, look)]]
        if self.history is None:
            drawn = summary(self.header, self.tally, now, look, rows=rows)
        else:
            drawn = timeline(self.history.view(now), look, rows=rows)
        return [*drawn, self._status(now, look)]

    def _status(self, now: float, look: Look) -> Line:
        """Return how many tasks are in which state, and the time."""
        counts: dict[str, int] = {}
        for group in self.tally.groups.values():
            for state, count in group.states.items():
                counts[state] = counts.get(state, 0) + count
        line: Line = []
        for state, count in counts.items():
            shown = mark(state)
            line += [Piece(f"{look.of(shown)} {count:,} {look.clean(shown.word)}", shown.style), Piece("  ")]
        return [*line, Piece(duration(now), "dim")]


class LiveView:
    """Draws the runs that it hears of until it is left.

    Args:
        look: what the stream can show.
        stream: where it draws; stderr when None.
    """

    def __init__(self, look: Look, stream: TextIO | None = None) -> None:
        self._look = look
        self._stream = sys.stderr if stream is None else stream
        self._runs: dict[str, _Watched] = {}
        self._lock = threading.Lock()
        self._live: Live | None = None

    def listener(self, header: RunHeader, _seq: int, event: Any) -> None:
        """Take an event of any run."""
        with self._lock:
            run = self._runs.get(header.id) or self._admit(header, event[0])
            if run is not None:
                run.add(event)

    def _admit(self, header: RunHeader, offset: float) -> _Watched | None:
        """Begin to watch a run, unless too many are going on; those that are over make room for it."""
        for known in [run.header.id for run in self._runs.values() if run.is_over]:
            del self._runs[known]
        if len(self._runs) >= _MOST_RUNS:
            return None
        run = self._runs[header.id] = _Watched(header, offset)
        return run

    def lines(self, look: Look) -> list[Line]:
        """Return the picture of this instant."""
        with self._lock:
            roots = sum(run.header.parent is None for run in self._runs.values())
            rows = max(3, look.height // max(1, roots) - _FRAME_LINES)
            return [line for run in self._runs.values() for line in run.lines(look, min(rows, MOST_ROWS))]

    def __enter__(self) -> LiveView:
        from rich.live import Live

        console = console_for(self._look, self._stream, follow=True)

        def picture() -> Text:
            look = replace(self._look, width=min(console.width, WIDEST), height=console.height)
            return rich_text(self.lines(look))

        # What a body prints goes above the picture, but never from a file or pipe into the terminal.
        self._live = Live(
            console=console,
            get_renderable=picture,
            refresh_per_second=PER_SECOND,
            transient=True,
            redirect_stdout=look_at(sys.stdout).live,
            redirect_stderr=look_at(sys.stderr).live,
        )
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


@contextmanager
def watching(
    world: ambient.World, look: Look | None = None, stream: TextIO | None = None
) -> Iterator[LiveView | None]:
    """Draw the runs of a world while the block runs; on anything but a terminal nothing is drawn.

    Args:
        world: whose runs to draw.
        look: what the stream can show; asked of it when None.
        stream: where to draw; stderr when None.
    """
    out = sys.stderr if stream is None else stream
    look = look_at(out) if look is None else look
    if not look.live:
        yield None
        return
    view = LiveView(look, out)
    world.listeners.append(view.listener)
    try:
        with view:
            yield view
    finally:
        world.listeners.remove(view.listener)
