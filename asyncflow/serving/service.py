"""Follows the schedules of several flows until all have ended or somebody stops it: `asyncflow serve`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from asyncflow.engine import FlowRun
from asyncflow.errors import InvalidSchedule
from asyncflow.flow import Flow
from asyncflow.ports import Store
from asyncflow.serving.telling import Teller
from asyncflow.serving.timekeeper import Timekeeper

_LOOKED_AT = 20
"""How many of a flow's newest runs are looked at for one that a schedule made."""


class Service:
    """Follows the schedules of flows, whose runs are kept in one store.

    Args:
        flows: the flows; each has a schedule.
        store: an open store.
        teller: who hears what happens.
        begun: told of each run as soon as there is one.
    """

    def __init__(
        self,
        flows: Sequence[Flow[..., Any]],
        store: Store,
        *,
        teller: Teller | None = None,
        begun: Callable[[FlowRun], None] | None = None,
    ) -> None:
        self._flows = flows
        self._store = store
        self._teller = teller or Teller()
        self._begun = begun
        self._keepers: list[Timekeeper] = []
        self._stopped_with: tuple[float | None] | None = None

    async def follow(self) -> None:
        """Follow all schedules to their ends, or until `stop`.

        Where missed fires count, those since the flow's newest scheduled run in the store are missed ones.

        Raises:
            ParameterError: when a clock's parameters are not those of its flow.
            InvalidSchedule: when a flow has no schedule, or no schedule has a fire any more.
        """
        self._keepers = await self._with_fires()
        if self._stopped_with is not None:
            return
        async with asyncio.TaskGroup() as group:
            for keeper in self._keepers:
                group.create_task(keeper.follow(), name=f"serve {keeper.flow.name}")

    def stop(self, grace: float | None = None) -> None:
        """Take no more fires, and end when the runs that are going on have ended.

        Args:
            grace: seconds after which these runs are cancelled; None lets them take their time.
        """
        self._stopped_with = (grace,)
        for keeper in self._keepers:
            keeper.stop(grace)

    @property
    def going(self) -> int:
        """How many runs are going on."""
        return sum(keeper.going for keeper in self._keepers)

    async def _with_fires(self) -> list[Timekeeper]:
        """Return who follows the flows whose schedules have not come to their ends."""
        keepers = []
        for flow in self._flows:
            keeper = await self._keeper(flow)
            if keeper.begin():
                keepers.append(keeper)
            else:
                self._teller.exhausted(flow.name)
        if not keepers:
            names = ", ".join(repr(flow.name) for flow in self._flows)
            raise InvalidSchedule(f"there are no more scheduled runs of {names}; their schedules have ended")
        return keepers

    async def _keeper(self, flow: Flow[..., Any]) -> Timekeeper:
        since = None
        if flow.schedule is not None and flow.schedule.rules.missed != "skip":
            since = await last_fire(self._store, flow.name)
        return Timekeeper(
            flow, {}, store=self._store, teller=self._teller, since=since, begun=self._begun, exits=False
        )


async def last_fire(store: Store, flow: str) -> datetime | None:
    """Return the fire for which a flow's newest scheduled run was made, or None when there is none near."""
    for summary in await store.runs(limit=_LOOKED_AT, flow=flow):
        if summary.home is None:
            events = await store.events(summary.header.id)
            scheduled = events[0].detail.get("scheduled") if events else None
            if scheduled is not None:
                return datetime.fromtimestamp(scheduled, UTC)
    return None
