"""What is kept of a map's elements when they are final: a value each, and more only where there is more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from asyncflow.engine.stated import Stated
from asyncflow.engine.wiring import PENDING, error_after
from asyncflow.states import Skipped, State, Success

MOST_ERRORS = 1_000
"""How many failures of a map keep their exception; later ones keep its text."""

_OPEN = object()


class _Ending:
    """The end of an element that did not plainly succeed at once."""

    __slots__ = ("attempt", "state")

    def __init__(self, state: State, attempt: int) -> None:
        self.state = state
        self.attempt = attempt


class Outcomes:
    """How the elements ended, by index; a plain success takes no more than the place of its value."""

    __slots__ = ("_all", "_errors")

    def __init__(self) -> None:
        self._all: list[Any] = []
        self._errors = 0

    def __len__(self) -> int:
        return len(self._all)

    def open(self, index: int) -> None:
        """Make room for an element."""
        while len(self._all) <= index:
            self._all.append(_OPEN)

    def put_value(self, index: int, value: Any) -> None:
        """Keep the value of a plain success."""
        self._all[index] = value

    def put(self, index: int, state: State, attempt: int) -> None:
        """Keep an element's end that is more than a plain success."""
        if state.is_failed():
            self._errors += 1
            if self._errors > MOST_ERRORS:
                state = type(state)(state.message)
        self._all[index] = _Ending(state, attempt)

    def close(self, state: State) -> None:
        """Give a state to those that were overtaken and never started; the map is over."""
        for index, kept in enumerate(self._all):
            if kept is _OPEN:
                self._all[index] = _Ending(state, 0)

    def is_final(self, index: int) -> bool:
        """Whether an element has ended."""
        return self._all[index] is not _OPEN

    def is_plain(self, index: int) -> bool:
        """Whether an element plainly succeeded."""
        kept = self._all[index]
        return kept is not _OPEN and type(kept) is not _Ending

    def ending(self, index: int) -> tuple[State, int]:
        """Return an element's state and its attempts."""
        kept = self._all[index]
        if type(kept) is _Ending:
            return kept.state, kept.attempt
        return (PENDING, 0) if kept is _OPEN else (Success("", kept), 1)

    def downstream(self, index: int, name: str) -> Any:
        """Return what what follows an element receives: its value, or its exception."""
        kept = self._all[index]
        if type(kept) is not _Ending:
            return kept
        return kept.state.result if kept.state.is_success() else error_after(name, kept.state)

    def values(self) -> list[Any]:
        """Return the values of those that succeeded, in order; a skipped element has none."""
        values = []
        for kept in self._all:
            if type(kept) is _Ending:
                if not kept.state.is_success() or isinstance(kept.state, Skipped):
                    continue
                values.append(kept.state.result)
            elif kept is not _OPEN:
                values.append(kept)
        return values

    def failures(self) -> Iterator[tuple[int, State]]:
        """Yield index and state of those that failed."""
        for index, kept in enumerate(self._all):
            if type(kept) is _Ending and kept.state.is_failed():
                yield index, kept.state


class Counts:
    """How many elements ended in which state, and how many attempts they made.

    Attributes:
        plain: how many plainly succeeded at once.
        others: how many ended otherwise.
        failed: how many failed in one way or another.
        retried: how many succeeded after a retry.
        refused: tries whose body never ran.
        hedge_calls: bodies that hedges ran.
    """

    __slots__ = ("_attempts", "_states", "failed", "hedge_calls", "others", "plain", "refused", "retried")

    def __init__(self) -> None:
        self._states: dict[str, int] = {}
        self.plain = self.others = self.failed = self.retried = self.refused = self._attempts = 0
        self.hedge_calls = 0

    def add(self, state: State, attempt: int) -> None:
        """Count one element that did more than plainly succeed."""
        name = state.name
        self._states[name] = self._states.get(name, 0) + 1
        self._attempts += attempt
        self.others += 1
        self.failed += state.is_failed()
        if attempt > 1 and name == "Success":
            self.retried += 1

    @property
    def total(self) -> int:
        """How many there are."""
        return self.plain + self.others

    @property
    def attempts(self) -> int:
        """Tries of all of them, refused ones included."""
        return self.plain + self._attempts

    @property
    def states(self) -> dict[str, int]:
        """How many ended in the state of that name."""
        if not self.plain:
            return dict(self._states)
        return {**self._states, "Success": self.plain + self._states.get("Success", 0)}

    def to_json(self) -> dict[str, Any]:
        """Return the counts as an event's detail."""
        calls = self.attempts - self.refused + self.hedge_calls
        told = {"states": self.states, "retried": self.retried, "attempts": self.attempts, "calls": calls}
        return {**told, "hedge_calls": self.hedge_calls} if self.hedge_calls else told


class Child(Stated):
    """One element of a map, as it was when it was asked for.

    Attributes:
        key: `name[index]`.
        index: its place among the elements, from 0.
        state: where it was; Pending while it is not final.
        attempt: how many attempts it made.
    """

    __slots__ = ("attempt", "index", "key", "state")

    def __init__(self, key: str, index: int, state: State, attempt: int) -> None:
        self.key = key
        self.index = index
        self.state = state
        self.attempt = attempt

    def __repr__(self) -> str:
        return f"<element {self.key} {self.state.name}>"


class Children(Sequence[Child]):
    """All elements of a map that were started, in order; each is told anew when it is asked for."""

    __slots__ = ("_key", "_outcomes")

    def __init__(self, key: str, outcomes: Outcomes) -> None:
        self._key = key
        self._outcomes = outcomes

    def __len__(self) -> int:
        return len(self._outcomes)

    @overload
    def __getitem__(self, which: int) -> Child: ...

    @overload
    def __getitem__(self, which: slice) -> list[Child]: ...

    def __getitem__(self, which: int | slice) -> Any:
        places = range(len(self))[which]
        return self._child(places) if isinstance(places, int) else [self._child(place) for place in places]

    def _child(self, index: int) -> Child:
        return Child(f"{self._key}[{index}]", index, *self._outcomes.ending(index))

    def __repr__(self) -> str:
        return f"<{len(self)} elements of {self._key}>"
