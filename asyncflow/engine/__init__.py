"""Runs flows: the engine that `Flow.run`, `Flow.start` and calls of flows reach through `ports.engine`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any, TypeVar

from asyncflow import ports
from asyncflow.engine.flow_run import FlowRun
from asyncflow.engine.options import PLAIN, RunOptions
from asyncflow.engine.resuming import found, parameters_of, refuse_others, reopened
from asyncflow.engine.task_run import TaskRun
from asyncflow.errors import full_text_of
from asyncflow.flow import Flow
from asyncflow.ports import Store
from asyncflow.travel import Loading

__all__ = [
    "FlowRun",
    "RunOptions",
    "TaskRun",
    "call",
    "log_failure",
    "on_a_loop_of_its_own",
    "resume",
    "run",
    "start",
    "start_resumed",
    "to_its_end",
]

T = TypeVar("T")

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
    done = on_a_loop_of_its_own(
        lambda begun: to_its_end(flow, parameters, store=store, options=options, begun=begun)
    )
    if not quiet:
        log_failure(done)
    return done


def resume(
    flow: Flow[..., Any],
    run: FlowRun | str,
    *,
    given: Any = None,
    tasks: Collection[str] = (),
    store: Any = None,
    parameters: Mapping[str, Any] | None = None,
) -> FlowRun:
    """Go on with a paused run, as `run` does with a new one; the arguments are those of `start_resumed`."""

    async def story(begun: Callable[[FlowRun], None]) -> FlowRun:
        going_on = await start_resumed(
            flow, run, given=given, tasks=tasks, store=store, parameters=parameters
        )
        begun(going_on)
        return await going_on.to_its_end("Interrupted.")

    done = on_a_loop_of_its_own(story)
    log_failure(done)
    return done


def log_failure(done: FlowRun) -> None:
    """Log a run that failed or is paused in one line; any other is no news."""
    state = done.state
    if done.is_failed():
        cause = f" {full_text_of(state.result)}" if isinstance(state.result, BaseException) else ""
        _log.error("flow run %s of %r ended %s: %s%s", done.name, done.flow.name, state, state.message, cause)
    elif done.is_paused():
        text = "flow run %s of %r is paused: %s. flow.resume(run, input=...) goes on"
        _log.warning(text, done.name, done.flow.name, state.message)


def on_a_loop_of_its_own(story: Callable[[Callable[[FlowRun], None]], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine that makes runs, on an event loop of its own, and return its value.

    The first Ctrl-C cancels it; the second one leaves at once.

    Args:
        story: makes the coroutine; it is given a function to which each run has to be told once there is one.

    Raises:
        KeyboardInterrupt: after Ctrl-C.
    """
    runner = asyncio.Runner()
    going: list[FlowRun] = []
    left = False

    def begun(flow_run: FlowRun) -> None:
        going[:] = [*(each for each in going if not each.has_stopped()), flow_run]

    try:
        return runner.run(story(begun))
    except KeyboardInterrupt:
        going[:] = [flow_run for flow_run in going if not flow_run.has_stopped()]
        left = bool(going)
        raise
    finally:
        if left:
            # The second Ctrl-C: closing the runner would wait for what does not want to end.
            for flow_run in going:
                flow_run.abandon()
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
    Loading.refuse()
    owned = None
    if store is None:
        store = await _chosen_store(flow.store)
        owned = None if store is flow.store else store
    flow_run = FlowRun(flow, parameters, store, options, owned)
    flow_run.begin()
    return flow_run


async def start_resumed(
    flow: Flow[..., Any],
    run: FlowRun | str,
    *,
    given: Any = None,
    tasks: Collection[str] = (),
    store: Any = None,
    parameters: Mapping[str, Any] | None = None,
) -> FlowRun:
    """Go on with a paused run on the running event loop and return the run.

    Args:
        flow: the flow that it is a run of.
        run: the run, or its id, its name, or the beginning of its id.
        given: the input of the task runs that go on.
        tasks: the keys of those; all that are paused when there are none.
        store: what keeps the run, a store or a path; the run's own, or the flow's, when not given.
        parameters: what replaces the parameters that the run was started with.

    Raises:
        NotFound: when the store has no such run.
        UsageError: when it is another flow's run, a child run or a rehearsal.
        StoreError: when it is not paused, or the store can't be read or written.
    """
    reference, keeper, is_ours = await _keeper_of(flow, run, store)
    owned = keeper if is_ours else None
    try:
        header, past = await found(keeper, reference)
        refuse_others(flow, header, past, tasks)
        arguments = parameters_of(flow, header, past, parameters or {})
        resumption = await reopened(keeper, header, past, given, tasks)
        options = RunOptions(parent=header.parent, world=header.world, resumption=resumption)
        flow_run = FlowRun(flow, arguments, keeper, options, owned)
    except BaseException:
        if owned is not None:
            await owned.close()
        raise
    flow_run.begin()
    return flow_run


async def _keeper_of(flow: Flow[..., Any], run: FlowRun | str, asked_for: Any) -> tuple[str, Store, bool]:
    """Return a run's id or name, the open store that keeps it, and whether to close that after the run."""
    stores = ports.stores()
    if isinstance(run, FlowRun) and asked_for is None:
        await run.record.store.open()
        return run.id, run.record.store, run.record.owns_store
    told = asked_for if asked_for is not None else flow.store
    keeper: Store = stores.choose(told)
    await keeper.open()
    return (run.id if isinstance(run, FlowRun) else run), keeper, keeper is not told


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
