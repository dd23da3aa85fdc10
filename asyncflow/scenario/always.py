"""Expectations that hold after every event of a run, watched while it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from asyncflow.events import Event, RunHeader
from asyncflow.history import History
from asyncflow.human import duration
from asyncflow.scenario.expectations import Check, Facts, check_all
from asyncflow.scenario.format import Expectations

KEYS = ("flow", "tasks", "attempts", "calls")
"""What can be told at any moment; the rest of an expectation is known at the end only."""


class Watch:
    """A listener that checks expectations after each event and remembers where each first broke.

    Each event costs a look at all task runs, so it is meant for flows of the size that people read.

    Args:
        expected: the expectations.
    """

    def __init__(self, expected: Sequence[Expectations]) -> None:
        self._expected = expected
        self._history: History | None = None
        self._claims: dict[str, Check] = {}

    def listener(self, header: RunHeader, seq: int, event: Event) -> None:
        """Take an event of the rehearsed run; those of child runs are not meant."""
        if header.parent is not None:
            return
        if self._history is None:
            self._history = History(header)
        self._history.add(event)
        facts = Facts(self._history.view(), None, Path())
        for expected in self._expected:
            for check in check_all(expected, facts, at_the_end=False):
                self._remember(check, seq, event)

    def _remember(self, check: Check, seq: int, event: Event) -> None:
        known = self._claims.get(check.what)
        if known is not None and not known.held:
            return
        place = f"{check.detail}, at event {seq} ({event.kind}) after {duration(event.offset)}"
        what = f"always, {check.what}"
        self._claims[check.what] = Check(what, check.held, "" if check.held else place)

    def checks(self) -> list[Check]:
        """Return a check for each claim."""
        return list(self._claims.values())
