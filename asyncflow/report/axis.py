"""The time axis: from seconds of a run to cells of a line, with ticks at round instants."""

from __future__ import annotations

from dataclasses import dataclass

from asyncflow.report.canvas import Line, Piece

_STEPS = (
    *(base * 10.0**power for power in range(-6, 1) for base in (1, 2, 5)),
    10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10800.0, 21600.0, 43200.0,
)  # fmt: skip
_DAY = 86400.0
_SHORTEST = 1e-6
_APART = 11


@dataclass(frozen=True, slots=True)
class Axis:
    """A stretch of time laid over cells.

    Attributes:
        span: seconds, from the run's start.
        width: cells.
    """

    span: float
    width: int

    def cell(self, offset: float) -> int:
        """Return the cell of an instant, from 0 to `width - 1`."""
        return min(self.width - 1, max(0, int(self._exact(offset) + 1e-9)))

    def edge(self, offset: float) -> int:
        """Return the cell before which something that ends at an instant ends, from 0 to `width`."""
        return min(self.width, max(0, round(self._exact(offset))))

    def _exact(self, offset: float) -> float:
        return offset / max(self.span, _SHORTEST) * self.width

    @property
    def step(self) -> float:
        """Seconds between two ticks, the least round number that leaves room for their labels."""
        room = max(2, self.width // _APART)
        for step in _STEPS:
            if self.span / step <= room:
                return step
        days = 1
        while self.span / (days * _DAY) > room:
            days *= 2
        return days * _DAY

    def ticks(self) -> list[float]:
        """Return the instants of the ticks, zero first."""
        step = self.step
        return [number * step for number in range(int(self.span / step + 1e-9) + 1)]

    def grid(self) -> list[int]:
        """Return the cells under the ticks, the one at zero left out."""
        return [self.cell(tick) for tick in self.ticks()[1:] if self._exact(tick) <= self.width - 1]

    def labels(self) -> Line:
        """Return the line of labels, each beginning at its tick; one that does not fit is left out."""
        line, used = "", 0
        for tick in self.ticks():
            label, at = _label(tick, self.step), self.cell(tick)
            if (at < used + 2 and used) or at + len(label) > self.width:
                continue
            line += " " * (at - used) + label
            used = at + len(label)
        return [Piece(line + " " * (self.width - used), "dim")]


def _label(tick: float, step: float) -> str:
    """Return a tick's label in the unit of the step."""
    if tick == 0:
        return "0 s"
    if step < 0.001:
        return f"{tick * 1000:.10g} ms"
    if step < 1 and tick < 0.9999:
        return f"{round(tick * 1000, 6):.10g} ms"
    if step < 60 and tick < 120:
        return f"{round(tick, 6):.10g} s"
    if step < 60:
        return f"{int(tick // 60)}:{tick % 60:02.0f} min"
    if step < 3600:
        return f"{tick / 60:.10g} min"
    return f"{tick / 3600:.10g} h" if step < _DAY else f"{tick / _DAY:.10g} d"
