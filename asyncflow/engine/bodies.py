"""What an attempt calls: the task's own function, or what stands between it and the guard."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from asyncflow import ambient
from asyncflow.engine.faulted import faulted
from asyncflow.engine.threads import ThreadPool
from asyncflow.validation import validated

if TYPE_CHECKING:
    from asyncflow.engine.task_run import TaskRun

Body = Callable[..., Any]


def body_of(task_run: TaskRun) -> Body:
    """Return the coroutine function that one attempt of a task run awaits."""
    task = task_run.task
    body: Body = task.fn if task.is_async else in_thread(task.fn, task_run.note)
    if task_run.run.faults is not None and task_run.takes_faults:
        body = faulted(task_run, body)
    if task.validate:
        body = validated(task.fn, body)  # outside the faults: a wrong result has to be found out
    return body


def in_thread(fn: Body, note: Callable[[str, dict[str, Any]], None]) -> Body:
    """Return a coroutine function that runs a `def` body in the world's thread pool.

    Args:
        fn: the body.
        note: records that a thread was given up.
    """

    def left_behind(threads: int) -> None:
        note("thread_abandoned", {"threads": threads})

    async def body(*args: Any, **kwargs: Any) -> Any:
        value, error = await thread_pool().run(fn, args, kwargs, left_behind)
        if error is None:
            return value
        try:
            raise error
        finally:
            del error  # whose traceback holds this frame

    return body


def thread_pool() -> ThreadPool:
    """Return the current world's pool, made on first use."""
    world = ambient.world()
    if world.threads is None:
        world.threads = ThreadPool()
    pool: ThreadPool = world.threads
    return pool
