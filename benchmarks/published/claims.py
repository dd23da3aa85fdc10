"""What somebody has published, and how near to it a run of ours has to come."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """One published figure.

    Attributes:
        what: what is measured, in a few words.
        published: the figure.
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
        published = f"published {self.published:g}, band {self.low:g} to {self.high:g}"
        return f"{verdict}: {self.what}: {measured:.4g} ({published}; {self.source})"
