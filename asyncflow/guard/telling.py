"""What the guard tells whoever follows a call beside the ends of its attempts, with the numbers behind it.

Nothing is put together where nobody follows, but for a note on the error that comes out.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from asyncflow.ambient import World
from asyncflow.errors import full_text_of
from asyncflow.outcomes import Decision, Outcome, error_of
from asyncflow.policy.circuit import Circuit
from asyncflow.policy.reading import CircuitState
from asyncflow.ports import AttemptObserver


def tell_of_circuit(circuit: Circuit, old: CircuitState, observer: AttemptObserver | None) -> None:
    """Let the observer know when a circuit is in another state than before, or would be, and why.

    Args:
        circuit: the circuit.
        old: its state before.
        observer: who hears of it.
    """
    if observer is None:
        return
    if circuit.state != old:
        observer.note("breaker_changed", {**_change(circuit), "old": old})
    if circuit.unsaid:
        circuit.unsaid = False
        observer.note("breaker_exceeded", {"breaker": circuit.spec.name, "why": circuit.why})


def _change(circuit: Circuit) -> dict[str, Any]:
    """Return why a circuit is in its state, and what it had counted when it opened."""
    detail: dict[str, Any] = {"breaker": circuit.spec.name, "new": circuit.state, "why": circuit.why}
    if circuit.state == "half-open":
        return {**detail, "probes": circuit.spec.probes}
    if circuit.state == "closed":
        return detail
    now = circuit.clock()
    reading = circuit.reading(now)
    return {
        **detail,
        "probe_in": circuit.retry_after(now),
        "calls": reading.calls,
        "failures": reading.failures,
        "slow": reading.slow,
        "openings": reading.openings,
        "cause": None if circuit.cause is None else full_text_of(circuit.cause),
    }


class Waiting:
    """Tells that an attempt has to wait to be admitted, and how long it did; a context manager for the wait.

    Args:
        gate: what is waited for: "rate limit" or "bulkhead".
        name: the policy's name, None when it has none.
        home: the world, for its clock.
        observer: who hears of it.
    """

    __slots__ = ("_began", "_home", "_observer", "_what")

    def __init__(self, gate: str, name: str | None, home: World, observer: AttemptObserver | None) -> None:
        self._what = {"gate": gate, "name": name}
        self._home = home
        self._observer = observer
        self._began = 0.0

    def __enter__(self) -> Self:
        self._began = self._home.monotonic()
        if self._observer is not None:
            self._observer.note("admission_delayed", self._what)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._observer is not None:
            seconds = self._home.monotonic() - self._began
            told = {**self._what, "seconds": seconds, "admitted": error is None}
            self._observer.note("admission_waited", told)


def note_attempts(outcome: Outcome, attempts: int, decision: Decision) -> None:
    """Leave on the error that comes out how many attempts were made, where nobody followed them.

    Args:
        outcome: what the call came to.
        attempts: how many were made; a single one is no news.
        decision: why none follows.
    """
    error = error_of(outcome)
    if error is not None and attempts > 1:
        error.add_note(f"asyncflow: {attempts} attempts were made; {decision.reason}")
