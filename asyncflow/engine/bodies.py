"""What an attempt calls: the task's own function, or what stands between it and the guard."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from asyncflow import ambient
from asyncflow.engine.faulted import faulted
from asyncflow.engine.heartbeats import beating
from asyncflow.engine.leftovers import Leftover, Threaded
from asyncflow.engine.processes import Processes
from asyncflow.engine.threads import ThreadPool
from asyncflow.handles import innermost
from asyncflow.travel import Errand
from asyncflow.validation import validated

if TYPE_CHECKING:
    from asyncflow.engine.task_run import TaskRun

Body = Callable[..., Any]


def body_of(task_run: TaskRun) -> Body:
    """Return the coroutine function that one attempt of a task run awaits."""
    task = task_run.task
    faults = task_run.run.faults
    if task.is_plain and faults is None:
        return task.fn
    body = _own(task_run)
    if faults is not None and task_run.takes_faults:
        body = faulted(task_run, body)
    if task.heartbeat is not None:
        body = beating(task_run, task.heartbeat, body)  # outside the faults: one that hangs has no heartbeat
    if task.validate:
        body = validated(task.fn, body)  # outside the faults: a wrong result has to be found out
    return body


def _own(task_run: TaskRun) -> Body:
    """Return the coroutine function for the task's own function, wherever that runs."""
    task = task_run.task
    if task.process:
        return in_process(task_run)
    return task.fn if task.is_async else in_thread(task.fn, lambda: Leftover(task_run))


def in_thread(fn: Body, attempt: Callable[[], Threaded]) -> Body:
    """Return a coroutine function that runs a `def` body in the world's thread pool.

    Args:
        fn: the body.
        attempt: makes, for each time that the body is run, what hears of a thread that is left behind.
    """

    async def body(*args: Any, **kwargs: Any) -> Any:
        thread = attempt()
        return _answer(*await thread_pool().run(fn, args, kwargs, thread.left, thread.back))

    return body


def in_process(task_run: TaskRun) -> Body:
    """Return a coroutine function that runs a body in a process of its own."""

    async def body(*args: Any, **kwargs: Any) -> Any:
        world = ambient.world()
        if world.processes is None:
            world.processes = Processes()
        here = cast("TaskRun", innermost())  # the task run, or its hedge that makes the attempt
        errand = Errand(task_run.task.fn, args, kwargs, here.about())
        return _answer(*await world.processes.run(errand, task_run.heartbeat))

    return body


def _answer(value: Any, error: BaseException | None) -> Any:
    """Return what a body returned, or raise what it raised."""
    if error is None:
        return value
    try:
        raise error
    finally:
        del error  # whose traceback holds this frame


def thread_pool() -> ThreadPool:
    """Return the current world's pool, made on first use."""
    world = ambient.world()
    if world.threads is None:
        world.threads = ThreadPool()
    pool: ThreadPool = world.threads
    return pool
