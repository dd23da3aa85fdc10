"""Runs flows: the engine that `Flow.run`, `Flow.start` and calls of flows reach through `ports.engine`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from asyncflow import ports
from asyncflow.engine.flow_run import FlowRun
from asyncflow.engine.options import PLAIN, RunOptions
from asyncflow.engine.task_run import TaskRun
from asyncflow.errors import full_text_of
from asyncflow.flow import Flow
from asyncflow.ports import Store

__all__ = ["FlowRun", "RunOptions", "TaskRun", "call", "run", "start", "to_its_end"]


_log = logging.getLogger("asyncflow")


def run(
    flow: Flow[..., Any],
    parameters: Mapping[str, Any],
    *,
    store: Store | None = None,
    options: RunOptions = PLAIN,
    quiet: bool = False,
) -> FlowRun:
    """Run a flow to its end, or until it pauses, on an event loop of its own and return the run.

    A failure or a pause is logged in one line, so that a script whose run failed does not end in silence.

    The first Ctrl-C cancels the run, which is recorded; the second one leaves at once.

    Args:
        flow: the flow.
        parameters: its parameters, already checked.
        store: an open store in which the run is kept; chosen from flow and environment when not given.
        options: how the run differs from a plain one.
        quiet: whether a failure is not logged, since the caller raises it.

    Raises:
        KeyboardInterrupt: after Ctrl-C.
    """
    runner = asyncio.Runner()
    begun: list[FlowRun] = []
    left = False
    try:
        done = runner.run(to_its_end(flow, parameters, store=store, options=options, begun=begun.append))
        if done.is_failed() and not quiet:
            state = done.state
            cause = f" {full_text_of(state.result)}" if isinstance(state.result, BaseException) else ""
            _log.error("flow run %s of %r ended %s: %s%s", done.name, flow.name, state, state.message, cause)
        if done.is_paused() and not quiet:
            _log.warning(
                "flow run %s of %r is paused: %s. flow.resume(run, input=...) goes on",
                *(done.name, flow.name, done.state.message),
            )
        return done
    except KeyboardInterrupt:
        left = not all(flow_run.is_final() for flow_run in begun)
        raise
    finally:
        if left:
            # The second Ctrl-C: closing the runner would wait for what does not want to end.
            begun[0].abandon()
        else:
            runner.close()


async def to_its_end(
    flow: Flow[..., Any],
    parameters: Mapping[str, Any],
    *,
    store: Store | None = None,
    options: RunOptions = PLAIN,
    begun: Callable[[FlowRun], None] | None = None,
) -> FlowRun:
    """Run a flow and return the run when it is final or paused; cancelling the caller cancels it first.

    Args:
        flow: the flow.
        parameters: its parameters, already checked.
        store: an open store in which the run is kept; chosen from flow and environment when not given.
        options: how the run differs from a plain one.
        begun: told of the run as soon as there is one.
    """
    flow_run = await start(flow, parameters, store=store, options=options)
    if begun is not None:
        begun(flow_run)
    return await flow_run.to_its_end("Interrupted.")


async def start(
    flow: Flow[..., Any],
    parameters: Mapping[str, Any],
    *,
    store: Store | None = None,
    options: RunOptions = PLAIN,
) -> FlowRun:
    """Start a flow on the running event loop and return the run; it owns its asyncio tasks."""
    owned = None
    if store is None:
        store = await _chosen_store(flow.store)
        owned = None if store is flow.store else store
    flow_run = FlowRun(flow, parameters, store, options, owned)
    flow_run.begin()
    return flow_run


async def _chosen_store(asked_for: Any) -> Store:
    """Return the store that flow or environment ask for, open; memory when nobody asks or it can't be had."""
    stores = ports.stores()
    keeper, warning = await stores.open_or_memory(stores.told(asked_for) or stores.MemoryStore())
    if warning is not None:
        _log.warning(warning)
    chosen: Store = keeper
    return chosen


async def call(flow: Flow[..., Any], parameters: Mapping[str, Any]) -> Any:
    """Run a flow and return its value, or raise what made it fail; cancelling the caller cancels the run."""
    return await (await start(flow, parameters))
