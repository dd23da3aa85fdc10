"""Runs flows: the engine that `Flow.run`, `Flow.start` and calls of flows reach through `ports.engine`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from asyncflow import ports
from asyncflow.engine.flow_run import FlowRun
from asyncflow.engine.options import PLAIN, RunOptions
from asyncflow.engine.task_run import TaskRun
from asyncflow.flow import Flow
from asyncflow.ports import Store

__all__ = ["FlowRun", "RunOptions", "TaskRun", "call", "run", "start"]


def run(
    flow: Flow[..., Any],
    parameters: Mapping[str, Any],
    *,
    store: Store | None = None,
    options: RunOptions = PLAIN,
) -> FlowRun:
    """Run a flow to its end on an event loop of its own and return the run.

    The first Ctrl-C cancels the run, which is recorded; the second one leaves at once.

    Args:
        flow: the flow.
        parameters: its parameters, already checked.
        store: where the run is kept; chosen from the flow and the environment when not given.
        options: how the run differs from a plain one.

    Raises:
        KeyboardInterrupt: after Ctrl-C.
    """
    with asyncio.Runner() as runner:
        return runner.run(_to_its_end(flow, parameters, store, options))


async def _to_its_end(
    flow: Flow[..., Any], parameters: Mapping[str, Any], store: Store | None, options: RunOptions
) -> FlowRun:
    keeper = store or await ports.stores().for_script(flow.store)
    try:
        flow_run = FlowRun(flow, parameters, keeper, options)
        flow_run.begin()
        try:
            return await flow_run.wait()
        except asyncio.CancelledError:
            flow_run.cancel("Interrupted.")
            await flow_run.wait()
            raise
    finally:
        if store is None:
            await keeper.close()


async def start(
    flow: Flow[..., Any],
    parameters: Mapping[str, Any],
    *,
    store: Store | None = None,
    options: RunOptions = PLAIN,
) -> FlowRun:
    """Start a flow on the running event loop and return the run; it owns its asyncio tasks."""
    keeper = store or await ports.stores().for_script(flow.store)
    flow_run = FlowRun(flow, parameters, keeper, options)
    flow_run.begin()
    return flow_run


async def call(flow: Flow[..., Any], parameters: Mapping[str, Any]) -> Any:
    """Run a flow and return its value, or raise what made it fail; cancelling the caller cancels the run."""
    return await (await start(flow, parameters))
