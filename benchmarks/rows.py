"""A row: one measured number, its spread, the target and whether it is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

from benchmarks.measure import Cost

_DIGITS = {"": 0, "x": 2, "kB": 2, "MB": 1, "us": 1, "ms": 0, "ns": 0}


class Quantity(NamedTuple):
    """A number with its unit: `x` for a ratio, else `ns`, `us`, `ms`, `kB` (1,000 bytes) or `MB`."""

    value: float
    unit: str

    def __str__(self) -> str:
        blank = " " if self.unit not in ("", "x") else ""
        return f"{self.value:,.{_DIGITS[self.unit]}f}{blank}{self.unit}"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        case: the case that measured it.
        name: what was measured.
        measured: the median.
        low: the smallest repetition, in the same unit.
        high: the largest one.
        repetitions: how many there were.
        target: what the median shall not exceed, or None when nothing is promised.
        beside: other numbers that help to read this one, by label.
    """

    case: str
    name: str
    measured: Quantity
    low: float
    high: float
    repetitions: int
    target: float | None = None
    beside: Mapping[str, Quantity] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        return None if self.target is None else self.measured.value <= self.target

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON-ready data."""
        return {
            "case": self.case,
            "name": self.name,
            **self.measured._asdict(),
            "low": self.low,
            "high": self.high,
            "repetitions": self.repetitions,
            "target": self.target,
            "met": self.met,
            "beside": {label: quantity._asdict() for label, quantity in self.beside.items()},
        }


class Note(NamedTuple):
    """What a case says instead of a row that it can't measure here."""

    case: str
    text: str


def row(
    case: str,
    name: str,
    values: Sequence[float],
    unit: str,
    *,
    target: float | None = None,
    beside: Mapping[str, Quantity] | None = None,
) -> Row:
    """Return the row of several repetitions."""
    measured = Quantity(median(values), unit)
    return Row(case, name, measured, min(values), max(values), len(values), target, beside or {})


def ratios(ours: Sequence[Cost], others: Sequence[Cost]) -> list[float]:
    """Return our CPU time over theirs, repetition by repetition."""
    return [one.cpu / other.cpu for one, other in zip(ours, others, strict=True)]


def per_task(costs: Sequence[Cost], tasks: int) -> Quantity:
    """Return the median CPU time of a task."""
    return Quantity(median(cost.cpu for cost in costs) / tasks * 1e6, "us")
