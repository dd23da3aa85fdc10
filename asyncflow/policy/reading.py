"""What a circuit looks like at one moment, for programs and for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CircuitState = Literal["closed", "open", "half-open"]
Mode = Literal["normal", "forced-open", "disabled", "metrics-only"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A circuit at one moment.

    Attributes:
        state: closed, open or half-open; of an open circuit whose time is over it says open, too.
        mode: normal, forced-open, disabled or metrics-only.
        calls: the calls that have ended and count: while closed those of the streak or window, while
            half-open those of the probes, and while open those that opened it.
        failures: how many of them failed.
        slow: how many of them were slow.
        hanging: calls in flight that are slow already.
        failure_rate: the share of failures, None while it takes more calls to speak of one.
        slow_rate: the share of slow calls, those that hang included; None likewise.
        refused: calls turned away since the state last changed.
        openings: how often it opened since it was last closed.
        story: the state and its numbers in a few words.
    """

    state: CircuitState
    mode: Mode
    calls: int
    failures: int
    slow: int
    hanging: int
    failure_rate: float | None
    slow_rate: float | None
    refused: int
    openings: int
    story: str
