"""Rehearses a schedule: its runs are made in the scenario's world, fire by fire, and each is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from asyncflow.engine import FlowRun, RunOptions
from asyncflow.errors import InvalidSchedule
from asyncflow.flow import Flow
from asyncflow.human import plural
from asyncflow.ports import Store
from asyncflow.scenario.check import Check
from asyncflow.scenario.expectations import Facts, check_all
from asyncflow.scenario.format import Expectations
from asyncflow.serving import Teller, Timekeeper


class _Quiet(Teller):
    """Says nothing of runs that fail: the report does, and may have expected it."""

    def ended(self, *_: object) -> None:
        """Hear that a run has ended."""


async def follow(
    flow: Flow[..., Any],
    parameters: Mapping[str, Any],
    fires: int,
    *,
    store: Store,
    options: Callable[[], RunOptions],
    begun: list[FlowRun],
) -> None:
    """Follow a flow's schedule for so many fires, or until its end; a run that fails is survived.

    Args:
        flow: the flow; it has a schedule.
        parameters: parameters that win over those of the schedule's clocks.
        fires: how many fires are followed; those that the schedule's rules leave out make no run.
        store: an open store for all runs.
        options: makes the options of each run.
        begun: where each run is put as soon as there is one.

    Raises:
        ParameterError: when parameters are missing or unexpected.
        InvalidSchedule: when there is no fire any more, or all were missed.
    """
    keeper = Timekeeper(
        flow, parameters, store=store, teller=_Quiet(), begun=begun.append, options=options, fires=fires
    )
    await keeper.follow()
    if not begun:
        raise InvalidSchedule(f"no scheduled run of flow {flow.name!r} was made: the time of all was missed")


def check_fires(expected: Sequence[Expectations], facts: Facts) -> Iterator[Check]:
    """Yield a check for the number of runs, and one for each claim about one of them."""
    if not expected:
        return
    wanted, found = (plural(number, "fire") for number in (len(expected), len(facts.runs)))
    yield Check.of(f"{wanted} of the schedule led to a run", held=wanted == found, found=found)
    for number, (claims, run) in enumerate(zip(expected, facts.runs, strict=False), 1):
        if run.history.has_stopped:
            for check in check_all(claims, run):
                yield Check(f"at fire {number}, {check.what}", check.held, check.detail)
