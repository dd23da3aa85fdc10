"""Follows the schedule of one flow: waits for its fires, and makes the runs that the rules ask for.

Two asyncio tasks, both owned by `follow`: one waits for fires and decides what each comes to, the other makes
the runs, one fire after the other. Between them is a queue whose bound the rules set. Fires of one instant
(several clocks with parameters of their own) do not overlap each other: their runs go on side by side.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from asyncflow import ambient, engine
from asyncflow.engine import FlowRun, RunOptions
from asyncflow.errors import InvalidSchedule
from asyncflow.flow import Flow
from asyncflow.human import duration
from asyncflow.ports import Store
from asyncflow.schedules import Fire, Schedule
from asyncflow.serving.lateness import Moments, take_due
from asyncflow.serving.telling import Teller

_LONGEST_NAP = 30.0
"""Seconds after which the wall clock is looked at again: it may be set, and computers sleep.

Half of what counts as being on time, so that nothing is missed for a nap.
"""

_SHORTEST_NAP = 0.001


class Timekeeper:
    """Follows the schedule of one flow.

    Args:
        flow: the flow; it has a schedule.
        given: parameters that win over those of the schedule's clocks.
        store: an open store for all runs; each run chooses and opens its own when not given.
        teller: who hears what happens.
        since: fires after this instant count; those after now when not given.
        begun: told of each run as soon as there is one.
        options: makes the options of each run; plain ones when not given.
        fires: follow so many fires at most.
        exits: whether a body that calls `sys.exit` ends all this, as it ends a script.

    Attributes:
        last: the run that ended last.

    Raises:
        ParameterError: when a clock's parameters and the given ones are not those of the flow.
        InvalidSchedule: when the flow has no schedule.
    """

    def __init__(
        self,
        flow: Flow[..., Any],
        given: Mapping[str, Any],
        *,
        store: Store | None = None,
        teller: Teller | None = None,
        since: datetime | None = None,
        begun: Callable[[FlowRun], None] | None = None,
        options: Callable[[], RunOptions] = RunOptions,
        fires: int | None = None,
        exits: bool = True,
    ) -> None:
        self._schedule = _schedule_of(flow)
        for clock in self._schedule.clocks:
            flow.arguments({**clock.parameters, **given})
        self.flow = flow
        self._given = given
        self._store = store
        self._teller = teller or Teller()
        self._since = since
        self._begun = begun
        self._options = options
        self._most = fires
        self._exits = exits
        self.last: FlowRun | None = None
        self._waiting: deque[list[Fire]] = deque()
        self._news = asyncio.Event()
        self._stopped = asyncio.Event()
        self._no_more = False
        self._playing: list[Fire] = []
        self._going: list[FlowRun] = []
        self._cut = ""
        self._leaving: SystemExit | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._moments: Moments | None = None

    # ------------------------------------------------------------------ for those who follow

    def begin(self) -> bool:
        """Look at the first fire, and return whether there is one.

        Raises:
            InvalidSchedule: when nothing passes the schedule's filters.
        """
        self._moments = Moments(islice(self._schedule.fires(self._since or _now()), self._most))
        return self._moments.next_at is not None

    async def follow(self) -> None:
        """Make runs until the schedule has no more fires, or until `stop`; cancelling cancels what goes on.

        Raises:
            InvalidSchedule: when there is no fire at all.
            SystemExit: what a body raised, when that ends all this.
        """
        if self._moments is None:
            self.begin()
        moments = self._moments
        if moments is None or moments.next_at is None:
            raise InvalidSchedule(
                f"Flow has no more scheduled runs. {self._schedule!r} of flow {self.flow.name!r} has come to "
                "its end; `run(run_on_schedule=False)` runs it once and now"
            )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_time(moments), name=f"schedule of {self.flow.name}")
                group.create_task(self._play(), name=f"scheduled runs of {self.flow.name}")
        finally:
            if self._patience is not None:
                self._patience.cancel()
        if self._leaving is not None:
            raise self._leaving

    def stop(self, grace: float | None = None) -> None:
        """Take no more fires, and end when the runs that are going on have ended.

        Args:
            grace: seconds after which these runs are cancelled; None lets them take their time.
        """
        if self._stopped.is_set():
            return
        self._stopped.set()
        if self._waiting:
            until = self._waiting[-1][0].at
            self._teller.left_out(self.flow.name, len(self._waiting), until, "no more runs are started")
            self._waiting.clear()
        self._news.set()
        if grace is not None:
            loop = asyncio.get_running_loop()
            reason = f"It was stopped, and did not end within {duration(grace)}."
            self._patience = loop.call_later(grace, self._cut_short, reason)

    @property
    def going(self) -> int:
        """How many runs are going on."""
        return len(self._going)

    # ------------------------------------------------------------------ waiting for fires

    async def _keep_time(self, moments: Moments) -> None:
        while (at := moments.next_at) is not None and not self._stopped.is_set():
            self._teller.waiting(self.flow.name, at)
            await self._wait_until(at)
            if self._stopped.is_set():
                break
            due = take_due(moments, _now(), self._schedule.rules)
            if due.missed:
                self._teller.left_out(self.flow.name, due.missed, due.until, "their time was missed")
            for together in due.run:
                self._admit(together)
            await asyncio.sleep(0)  # where fires come faster than they are dealt with, others have a turn too
        if moments.next_at is None:
            self._teller.exhausted(self.flow.name)
        self._no_more = True
        self._news.set()

    async def _wait_until(self, at: datetime) -> None:
        """Return at an instant of the wall clock, or when all this is stopped."""
        while not self._stopped.is_set() and (left := at.timestamp() - ambient.world().wall()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(_SHORTEST_NAP, min(left, _LONGEST_NAP))):
                    await self._stopped.wait()

    def _admit(self, together: list[Fire]) -> None:
        """Let the fires of an instant be run, or leave them out, as the rule for overlap says."""
        rules = self._schedule.rules
        at = together[0].at
        if self._playing or self._waiting:
            if rules.overlap == "skip":
                self._leave_out(at, "a run is still going on")
                return
            if rules.overlap == "queue" and len(self._waiting) >= rules.queue:
                self._leave_out(at, f"{rules.queue} are waiting already")
                return
            if rules.overlap == "cancel":
                while self._waiting:
                    self._leave_out(self._waiting.popleft()[0].at, "the next one has come")
                self._cut_short(f"The next scheduled run was due at {at.isoformat()}.")
        self._waiting.append(together)
        self._news.set()

    def _leave_out(self, at: datetime, why: str) -> None:
        self._teller.left_out(self.flow.name, 1, at, why)

    def _cut_short(self, reason: str) -> None:
        self._cut = reason
        for flow_run in self._going:
            flow_run.cancel(reason)

    # ------------------------------------------------------------------ making runs

    async def _play(self) -> None:
        while True:
            while not self._waiting:
                if self._no_more:
                    return
                self._news.clear()
                await self._news.wait()
            self._playing, self._cut = self._waiting.popleft(), ""
            async with asyncio.TaskGroup() as group:
                for fire in self._playing:
                    group.create_task(self._make_run(fire))
            self._playing = []

    async def _make_run(self, fire: Fire) -> None:
        parameters = self.flow.arguments({**fire.parameters, **self._given})
        options = replace(self._options(), scheduled=fire.at.timestamp())
        flow_run = await engine.start(self.flow, parameters, store=self._store, options=options)
        self._going.append(flow_run)
        if self._begun is not None:
            self._begun(flow_run)
        if self._cut:
            flow_run.cancel(self._cut)
        try:
            await flow_run.to_its_end("Interrupted.")
        except SystemExit as error:
            if self._exits:
                self._leaving = error
                self.stop()
        finally:
            self._going.remove(flow_run)
        self.last = flow_run
        self._teller.ended(flow_run, fire.at)


def _schedule_of(flow: Flow[..., Any]) -> Schedule:
    if flow.schedule is None:
        raise InvalidSchedule(
            f"flow {flow.name!r} has no schedule; give it one, as in Flow({flow.name!r}, "
            "IntervalSchedule(timedelta(minutes=1))), or run it once with `run` or `start`"
        )
    return flow.schedule


def _now() -> datetime:
    return datetime.fromtimestamp(ambient.world().wall(), UTC)
