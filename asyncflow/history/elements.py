"""What the elements of a map add up to: those with events of their own, and those that are only counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from asyncflow.states import BY_NAME

if TYPE_CHECKING:
    from asyncflow.history.record import Standing


@dataclass(frozen=True, slots=True)
class Elements:
    """How the elements of a map stand.

    Attributes:
        states: how many are in the state of that name.
        retried: how many succeeded after a retry.
        attempts: tries of all of them, refused ones included.
        calls: how many bodies ran, those of hedges included.
        expected: how many there will be, None while nobody knows.
        started: when the map began, in seconds into the run; None before.
        hedge_calls: how many of the bodies ran for hedges.
    """

    states: Mapping[str, int] = field(default_factory=dict)
    retried: int = 0
    attempts: int = 0
    calls: int = 0
    expected: int | None = None
    started: float | None = None
    hedge_calls: int = 0

    @property
    def total(self) -> int:
        """How many there are so far."""
        return sum(self.states.values())


class Element(Protocol):
    """What is known of one element with events of its own."""

    @property
    def state(self) -> Standing:
        """Where it is."""

    @property
    def attempt_count(self) -> int:
        """All tries."""

    @property
    def call_count(self) -> int:
        """How many bodies ran, those of hedges included."""

    @property
    def hedge_calls(self) -> int:
        """How many of them ran for hedges."""


class MapFold:
    """The counts of one map while its run is being folded.

    Args:
        called: the `map` part of its call's detail.

    Attributes:
        started: when it began, in seconds into the run; None before.
    """

    def __init__(self, called: Any) -> None:
        expected = called.get("elements") if isinstance(called, Mapping) else None
        self._expected = expected if isinstance(expected, int) else None
        self._counted: Mapping[str, Any] = {}
        self._absorbed: list[Elements] = []
        self.started: float | None = None

    def count(self, detail: Any) -> None:
        """Take the event `elements_counted`, which tells of all so far that have no events of their own."""
        if isinstance(detail, Mapping):
            self._counted = detail

    def absorb(self, element: Element) -> None:
        """Keep of a final element that it was there."""
        one = _sum([element])
        last = self._absorbed.pop() if self._absorbed else Elements()
        self._absorbed.append(_joined(last, one))

    def view(self, state: Standing, told: Iterable[Element]) -> Elements:
        """Return how the elements stand; at its end a map says so itself.

        Args:
            state: the map's own.
            told: the elements with events of their own that were not absorbed.
        """
        final = state.detail.get("elements")
        found = _counted(final) if isinstance(final, Mapping) else _counted(self._counted)
        if not isinstance(final, Mapping):
            for part in (*self._absorbed, _sum(told)):
                found = _joined(found, part)
        return replace(found, expected=self._expected, started=self.started)


def _counted(detail: Mapping[str, Any]) -> Elements:
    states = detail.get("states") or {}
    return Elements(
        {str(name): int(count) for name, count in states.items() if name in BY_NAME},
        int(detail.get("retried", 0)),
        int(detail.get("attempts", 0)),
        int(detail.get("calls", 0)),
        hedge_calls=int(detail.get("hedge_calls", 0)),
    )


def _sum(elements: Iterable[Element]) -> Elements:
    states: dict[str, int] = {}
    retried = attempts = calls = hedge_calls = 0
    for element in elements:
        states[element.state.name] = states.get(element.state.name, 0) + 1
        retried += element.state.name == "Success" and element.attempt_count > 1
        attempts += element.attempt_count
        calls += element.call_count
        hedge_calls += element.hedge_calls
    return Elements(states, retried, attempts, calls, hedge_calls=hedge_calls)


def _joined(one: Elements, other: Elements) -> Elements:
    states = dict(one.states)
    for name, count in other.states.items():
        states[name] = states.get(name, 0) + count
    return Elements(
        states,
        one.retried + other.retried,
        one.attempts + other.attempts,
        one.calls + other.calls,
        hedge_calls=one.hedge_calls + other.hedge_calls,
    )
