"""`asyncflow serve`: run the scheduled flows of a module until stopped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import click

from asyncflow.cli.command import declare
from asyncflow.cli.draining import Draining
from asyncflow.cli.endings import DONE, INTERRUPTED, tell
from asyncflow.cli.following import log_options, writing_logs
from asyncflow.cli.settings import Settings
from asyncflow.cli.stores import store_option
from asyncflow.cli.targets import flow_of, flows_of
from asyncflow.errors import UsageError
from asyncflow.human import duration, plural

if TYPE_CHECKING:
    from asyncflow.flow import Flow
    from asyncflow.serving import Service


@declare(
    "serve",
    "TARGET is a module or a file, whose flows with a schedule are served, or one flow of it: "
    "package.module:flow or file.py:flow. A run that fails does not end it.\n\nAfter the first Ctrl-C, or "
    "SIGTERM, no more runs are started; what has not ended after the grace is cancelled, and recorded as "
    "cancelled. A second Ctrl-C leaves at once.",
    examples=("asyncflow serve etl.py", "asyncflow serve etl.py:nightly --grace 300 --json"),
    exits={
        0: "all schedules have ended, or SIGTERM came",
        2: "usage; no flow with a schedule that still has fires",
        4: "no such module, file or flow",
        130: "Ctrl-C",
    },
    json="Print one JSON object a line on stdout, for each run that has ended.",
)
@click.argument("target")
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=30.0,
    metavar="SECONDS",
    help="How long runs may go on after Ctrl-C or SIGTERM, 30 s as a rule.",
)
@store_option
@log_options
@click.pass_obj
def command(
    settings: Settings,
    *,
    target: str,
    grace: float,
    store: str | None,
    log_level: str | None,
    log_format: Literal["auto", "console", "json"],
) -> int:
    """Serve scheduled flows."""
    flows = scheduled_flows(target)
    with writing_logs(log_level, log_format) as listener:
        return _Server(flows, store, grace, settings).serve(listener)


def scheduled_flows(target: str) -> list[Flow[..., Any]]:
    """Return the flows with a schedule that a target names.

    Raises:
        UsageError: when there is none.
        NotFound: when there is no such module, file or flow.
    """
    from asyncflow.targets import split

    source, name = split(target)
    found = [flow_of(target)] if name else [flow for _, flow in flows_of(source)]
    flows = [flow for flow in dict.fromkeys(found) if flow.schedule is not None]
    if not flows:
        raise UsageError(
            f'{target!r} has no schedule to serve; write Flow("etl", CronSchedule("0 9 * * *")) or '
            "@flow(schedule=...), or use `asyncflow run`"
        )
    return flows


class _Server:
    """Serves flows on an event loop of its own."""

    def __init__(
        self, flows: list[Flow[..., Any]], store: str | None, grace: float, settings: Settings
    ) -> None:
        self._flows = flows
        self._store = store
        self._grace = grace
        self._settings = settings
        self._service: Service | None = None

    def serve(self, listener: Any) -> int:
        """Serve until the schedules end or a signal comes, and return the exit code."""
        from asyncflow import ambient

        listeners = ambient.world().listeners
        added = [] if listener in listeners else [listener]
        listeners.extend(added)
        try:
            with Draining(self._drain) as signals:
                asyncio.run(self._follow(signals))
        finally:
            for each in added:
                listeners.remove(each)
        return INTERRUPTED if signals.was_interrupted else DONE

    async def _follow(self, signals: Draining) -> None:
        from asyncflow.cli.serving import Lines
        from asyncflow.serving import Service
        from asyncflow.store import choose, open_or_memory

        store, warning = await open_or_memory(choose(self._store or self._declared_store()))
        if warning is not None:
            tell(f"Warning: {warning}.")
        self._service = Service(self._flows, store, teller=Lines(self._settings))
        signals.arm()
        try:
            await self._service.follow()
        finally:
            await store.close()

    def _declared_store(self) -> Any:
        """Return the store that the flows were declared with, or None."""
        named = [flow.store for flow in self._flows if flow.store is not None]
        if any(store != named[0] for store in named):
            raise UsageError(f"the flows are declared with {len(named)} stores; --store names one for all")
        return named[0] if named else None

    def _drain(self) -> None:
        assert self._service is not None
        going = self._service.going
        if going:
            waits = f"{plural(going, 'run')} may go on for {duration(self._grace)}"
            tell(f"Stopping; {waits}. Ctrl-C again leaves at once.")
        else:
            tell("Stopping.")
        self._service.stop(self._grace)
