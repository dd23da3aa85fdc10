"""Runs flows at the fires of their schedules: what `Flow.run`, `Flow.follow` and `asyncflow serve` use."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from asyncflow import engine
from asyncflow.engine import FlowRun
from asyncflow.errors import InvalidSchedule
from asyncflow.flow import Flow
from asyncflow.serving.service import Service
from asyncflow.serving.telling import Teller
from asyncflow.serving.timekeeper import Timekeeper

__all__ = ["Service", "Teller", "Timekeeper", "follow", "run"]


def run(flow: Flow[..., Any], given: Mapping[str, Any]) -> FlowRun:
    """Follow a flow's schedule on an event loop of its own until it ends, and return the last run.

    Runs that fail are logged, and survived. The first Ctrl-C cancels the run that is going on, the second one
    leaves at once.

    Args:
        flow: the flow; it has a schedule.
        given: parameters that win over those of the schedule's clocks.

    Raises:
        ParameterError: when parameters are missing or unexpected.
        InvalidSchedule: when there is no fire any more.
        KeyboardInterrupt: after Ctrl-C.
    """

    def story(begun: Callable[[FlowRun], None]) -> Coroutine[Any, Any, FlowRun]:
        return follow(flow, given, begun=begun)

    return engine.on_a_loop_of_its_own(story)


async def follow(
    flow: Flow[..., Any],
    given: Mapping[str, Any],
    *,
    teller: Teller | None = None,
    begun: Callable[[FlowRun], None] | None = None,
) -> FlowRun:
    """Follow a flow's schedule on the running event loop until it ends, and return the last run.

    Args:
        flow: the flow; it has a schedule.
        given: parameters that win over those of the schedule's clocks.
        teller: who hears what happens; log lines tell of it when not given.
        begun: told of each run as soon as there is one.

    Raises:
        ParameterError: when parameters are missing or unexpected.
        InvalidSchedule: when there is no fire any more, or all were missed.
    """
    keeper = Timekeeper(flow, given, teller=teller, begun=begun)
    await keeper.follow()
    if keeper.last is None:
        raise InvalidSchedule(f"no scheduled run of flow {flow.name!r} was made: the time of all was missed")
    return keeper.last
