"""Expectations that hold after every event of a run: its events are gone through once more, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from asyncflow.events import Event, RunHeader
from asyncflow.history import History
from asyncflow.human import duration
from asyncflow.scenario.check import Check
from asyncflow.scenario.expectations import check_now
from asyncflow.scenario.format import Expectations

KEYS = ("flow", "tasks", "attempts", "calls")
"""What can be told at any moment; the rest of an expectation is known at the end only."""


def check_always(expected: Sequence[Expectations], header: RunHeader, events: Iterable[Event]) -> list[Check]:
    """Return a check for each claim; a broken one says after which event it was first false.

    Each event costs a look at all task runs, so this is meant for flows of the size that people read.

    Args:
        expected: the claims.
        header: the run.
        events: all its events, in order.
    """
    if not expected:
        return []
    history = History(header)
    claims: dict[str, Check] = {}
    for number, event in enumerate(events):
        history.add(event)
        now = history.view()
        for check in (check for claim in expected for check in check_now(claim, now)):
            known = claims.get(check.what)
            if known is None or known.held > check.held:
                claims[check.what] = _at(check, number, event)
    return list(claims.values())


def _at(check: Check, number: int, event: Event) -> Check:
    place = f"at event {number} ({event.kind}), {duration(event.offset)} into the run"
    return Check.of(f"always, {check.what}", held=check.held, found=f"{check.detail} {place}")
