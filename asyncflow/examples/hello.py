"""The two smallest flows: one task, and one task that needs another's value."""

from __future__ import annotations

from typing import Any

from asyncflow import flow, task


@task
async def say_hello(name: str = "world") -> str:
    """Return a greeting."""
    return f"Hello, {name}!"


@flow(name="hello world")
async def hello_world(name: str = "world") -> Any:
    """Run one task."""
    return say_hello(name)


@task
async def make_numbers(count: int) -> list[int]:
    """Return the first numbers."""
    return list(range(1, count + 1))


@task
def add_up(numbers: list[int]) -> int:
    """Return the sum."""
    return sum(numbers)


@flow(name="data dependency")
async def data_dependency(count: int = 4) -> Any:
    """Pass one task's value to another: the handle as an argument is the edge."""
    return add_up(make_numbers(count).later)
