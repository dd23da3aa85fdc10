"""What the elements of a map amount to: the state of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncflow.engine.elements import MOST_ERRORS, Counts, Outcomes
from asyncflow.engine.wiring import error_after
from asyncflow.human import plural
from asyncflow.states import Failed, Skipped, State, Success, TriggerFailed

if TYPE_CHECKING:
    from asyncflow.engine.mapped import MappedRun


def conclusion(mapped: MappedRun, outcomes: Outcomes) -> State:
    """Return Failed when more elements failed than may, Skipped when all were skipped, else Success."""
    counts, total = mapped.counts, len(outcomes)
    detail = {"elements": counts.to_json()}
    if mapped.is_beyond_tolerance():
        return _failed(mapped, outcomes, detail)
    if total and counts.states.get("Skipped") == total:
        return Skipped("Every element was skipped.", [], detail)
    return Success(_told(counts), outcomes.values(), detail)


def unpausable(state: State, name: str) -> State:
    """Return the state, or the failure of a map at work, or of an element, that is asked to pause."""
    if not state.is_paused():
        return state
    return Failed(
        f"{name!r} was to pause, which a map can do only before its first element; "
        "pause in a task of its own that the map follows, or give the map the trigger manual_only"
    )


def _told(counts: Counts) -> str:
    """Say in a sentence how the elements ended."""
    told = [f"{plural(counts.total, 'element')}"]
    skipped = counts.states.get("Skipped", 0)
    for count, what in ((counts.retried, "after a retry"), (skipped, "skipped"), (counts.failed, "failed")):
        if count:
            told.append(f"{count:,} {what}")
    return ", ".join(told) + "."


def _failed(mapped: MappedRun, outcomes: Outcomes, detail: dict[str, Any]) -> State:
    """Return the failure of a map: one error as itself, several as a group."""
    counts = mapped.counts
    allowed = mapped.plan.allows(counts.total)
    message = f"{counts.failed:,} of {plural(counts.total, 'element')} failed" + (
        f"; {allowed:,} may." if allowed else "."
    )
    own = [
        error_after(f"{mapped.name}[{index}]", state)
        for index, state in outcomes.failures()
        if not (isinstance(state, TriggerFailed) and mapped.links)
    ]
    errors = [error for error in own if error is not None][:MOST_ERRORS]
    if not errors:
        return TriggerFailed(message, None, detail)  # the failures lie with the maps that it follows
    if len(errors) == 1:
        return Failed(f"{message[:-1]}: {errors[0]!r}.", errors[0], detail)
    return Failed(
        message, BaseExceptionGroup(f"{len(own)} elements of {mapped.name!r} failed", errors), detail
    )
