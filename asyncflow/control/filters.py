"""Filters: keep of many results those that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from asyncflow.task import Task, task
from asyncflow.triggers import all_finished


def FilterTask(  # noqa: N802 - reads as the class it stands for
    keep: Callable[[Any], bool] | None = None, **options: Any
) -> Task[[Iterable[Any]], list[Any]]:
    """Return a task that takes results and returns those that are neither None nor failures, in their order.

    It runs whatever became of what gave them: a skipped task's result is None, a failed one's its exception.

    Args:
        keep: asked for each of these results whether it is kept; all are when not given. It sees neither None
            nor failures.
        **options: the options of `@task`; name, trigger and skip_on_upstream_skip have values of their own.
    """

    async def filter_results(results: Iterable[Any]) -> list[Any]:
        there = [one for one in results if one is not None and not isinstance(one, BaseException)]
        return there if keep is None else [one for one in there if keep(one)]

    chosen: dict[str, Any] = {
        "name": "filter_results",
        "trigger": all_finished,
        "skip_on_upstream_skip": False,
        **options,
    }
    return task(**chosen)(filter_results)


filter_results = FilterTask()
"""`filter_results([a, b, c])` keeps the results that are neither None nor failures."""
