"""What somebody has published, and how near to it a run of ours has to come."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Claim:
    """One published figure.

    Attributes:
        what: what is measured, in a few words.
        published: the figure; infinity for what never happens.
        low: the least that still confirms it.
        high: the most that still confirms it.
        source: where it was published.
    """

    what: str
    published: float
    low: float
    high: float
    source: str

    def holds(self, measured: float) -> bool:
        """Return whether a measurement confirms the claim."""
        return self.low <= measured <= self.high

    def told(self, measured: float) -> str:
        """Return one line about the claim and a measurement."""
        verdict = "holds" if self.holds(measured) else "FAILS"
        low, high = said(self.low), said(self.high)
        band = f"band {low} to {high}" if low != high else f"{low} alone confirms it"
        published = f"published {said(self.published)}, {band}"
        return f"{verdict}: {self.what}: {said(measured)} ({published}; {self.source})"


class Finding(NamedTuple):
    """A claim, and what a run of ours came to."""

    claim: Claim
    measured: float

    @property
    def holds(self) -> bool:
        """Whether the measurement confirms the claim."""
        return self.claim.holds(self.measured)

    def __str__(self) -> str:
        return self.claim.told(self.measured)

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON-ready data, in which infinity is null."""
        claim = self.claim
        numbers = {
            "measured": self.measured,
            "published": claim.published,
            "low": claim.low,
            "high": claim.high,
        }
        told = {name: None if isinf(number) else number for name, number in numbers.items()}
        return {"what": claim.what, **told, "holds": self.holds, "source": claim.source}


def said(figure: float) -> str:
    """Return a figure for people."""
    return "never" if isinf(figure) else f"{figure:.4g}"
