"""What policies decided beside the ends of attempts: each kind of event in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from asyncflow.history.notices import length_of
from asyncflow.human import duration, named, plural


@dataclass(frozen=True, slots=True)
class BreakerChange:
    """A circuit breaker went from one state to another.

    Attributes:
        offset: seconds into the run.
        breaker: its name.
        old: the state before.
        new: the state after.
        text: one sentence that says why, with the numbers behind it.
    """

    offset: float
    breaker: str
    old: str
    new: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a policy decided about a task run beside the ends of its attempts.

    Attributes:
        offset: seconds into the run.
        attempt: the number of the attempt that it was about, 0 when it was about none.
        kind: the event's kind.
        text: one sentence.
    """

    offset: float
    attempt: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Hedge:
    """A call that was made once more beside itself.

    Attributes:
        number: from 1, within one call.
        started: seconds into the run.
        ended: seconds into the run; the instant of the view while it is on its way.
        end: `won`, `failed`, `refused`, `late` or `cancelled`; empty while it is on its way.
        calls: how many bodies ran for it.
    """

    number: int
    started: float
    ended: float
    end: str = ""
    calls: int = 0


_STANDS_IN = {"value": "the value", "function": "its function", "cached": "the last good result"}
_WAITED_FOR = {"rate limit": "a permit of", "bulkhead": "a place in"}


def _hedge_started(detail: Mapping[str, Any]) -> str:
    hedge = f"hedge {detail.get('hedge')} was started"
    match detail.get("cause"):
        case "slow":
            return f"{hedge}, since no answer had come for {length_of(detail, 'delay')}"
        case "failed":
            return f"{hedge} after {length_of(detail, 'after')}, since the one before it had failed"
    return f"{hedge} at once"


def _hedge_ended(detail: Mapping[str, Any]) -> str:
    hedge, after = f"hedge {detail.get('hedge')}", f"after {length_of(detail)}"
    attempts = detail.get("attempts") or 0
    tries = f" and {plural(attempts, 'attempt')}" if attempts > 1 else ""
    error = f": {detail['error']}" if detail.get("error") else ""
    match detail.get("end"):
        case "won":
            return f"{hedge} had the answer first, {after}{tries}"
        case "late":
            return f"{hedge} had its answer too late, {after}{tries}"
        case "cancelled":
            return f"{hedge} was cancelled {after}"
        case "refused":
            return f"{hedge} was refused {after}{error}"
    return f"{hedge} failed {after}{tries}{error}"


def _fell_back(detail: Mapping[str, Any]) -> str:
    if detail.get("failed"):
        return f"the fallback failed with {detail['failed']}, after {detail.get('error')}"
    age = detail.get("age")
    old = f", {duration(age)} old," if isinstance(age, int | float) else ""
    to = str(detail.get("to"))
    return f"fell back to {_STANDS_IN.get(to, to)}{old} after {detail.get('error')}"


def _delayed(detail: Mapping[str, Any]) -> str:
    return f"waits for {_gate(detail)}"


def _waited(detail: Mapping[str, Any]) -> str:
    end = "" if detail.get("admitted", True) else ", and did not get it"
    return f"waited {length_of(detail)} for {_gate(detail)}{end}"


def _gate(detail: Mapping[str, Any]) -> str:
    gate = str(detail.get("gate"))
    return f"{_WAITED_FOR.get(gate, 'leave of')} {named(gate, detail.get('name'))}"


DECISIONS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "hedge_started": _hedge_started,
    "hedge_ended": _hedge_ended,
    "fell_back": _fell_back,
    "admission_delayed": _delayed,
    "admission_waited": _waited,
}
"""The sentence for an event's detail, by the event's kind."""


def breaker_story(detail: Mapping[str, Any]) -> str:
    """Return what became of a breaker, and why where its event says so."""
    whose, old, new = f"breaker {detail.get('breaker')!r}", detail.get("old"), detail.get("new")
    match new:
        case "open" if detail.get("why"):
            return f"{whose} opened {detail['why']}{_until_probed(detail)}"
        case "half-open":
            probes = detail.get("probes")
            may = f": {plural(probes, 'probe')} may try" if isinstance(probes, int) else ""
            return f"{whose} is half-open{may}"
        case "closed" if old == "half-open":
            return f"{whose} closed, since what was tried went well"
    return f"{whose} went from {old} to {new}"


def _until_probed(detail: Mapping[str, Any]) -> str:
    if "probe_in" not in detail:
        return ""
    due = detail["probe_in"]
    return f"; a probe may try in {duration(due)}" if isinstance(due, int | float) else "; no probe will try"
