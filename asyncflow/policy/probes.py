"""The probes of a half-open circuit: how many may be out, and what their answers say."""

from __future__ import annotations

from asyncflow.policy.rates import Rates, Sums
from asyncflow.policy.windows import FAILED, Window


class Probes(Window):
    """The trial calls of one half-open time.

    Args:
        limit: how many there are, and how many at once.
        rates: which shares of them are too many, told when all have answered; None when one failure is.

    Attributes:
        out: how many have not answered.
    """

    __slots__ = ("_rates", "limit", "out")

    def __init__(self, limit: int, rates: Rates | None) -> None:
        super().__init__()
        self.limit = limit
        self.out = 0
        self._rates = rates

    @property
    def is_full(self) -> bool:
        """Whether no further probe may start."""
        return self.out + self.calls >= self.limit

    @property
    def have_answered(self) -> bool:
        """Whether all probes have answered."""
        return self.calls == self.limit

    def count(self, kind: int, now: float) -> int:  # noqa: ARG002 - probes don't age
        """Add an answer."""
        self.out -= 1
        self.calls += 1
        self.failures += kind & FAILED
        self.slow += kind >> 1
        return self.failures or self.slow

    def why(self, hanging: int) -> str:
        """Return why the circuit opens again, if it does.

        Where shares decide, the probes are judged when each has answered or hangs.
        """
        if self._rates is None:
            return "since a probe failed" if self.failures else ""
        if self.calls + hanging < self.limit:
            return ""
        return self._rates.why((self.calls, self.failures, self.slow), hanging, self.limit)

    def shares(self, sums: Sums, hanging: int) -> tuple[float | None, float | None]:
        """Return the shares when all have answered."""
        return (None, None) if self._rates is None else self._rates.shares(sums, hanging, self.limit)

    def forget(self) -> None:
        """Begin anew."""
        self.calls = self.failures = self.slow = self.out = 0

    def story(self, sums: Sums, hanging: int) -> str:
        """Return how many are out and how the others ended."""
        _, failures, slow = sums
        told = [f"{self.out}/{self.limit} probes out", f"{self.calls - failures} passed"]
        told += [f"{count} {what}" for count, what in ((failures, "failed"), (slow, "slow")) if count]
        if hanging:
            told.append(f"{hanging} hanging")
        return ", ".join(told)
