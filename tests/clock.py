"""Virtual time for tests: stories, and whole tests, are played in the simulated world.

A `def` test calls `run_virtual(story())`. An `async def` test that asks for the fixture `virtual_clock` is
the story itself. Either way an hour of waiting costs nothing, and all clocks agree.

pytest-asyncio takes over what is a coroutine function when it is collected; a test of virtual time is none
any more by then. Its hooks for other event loops are of no use: a simulated world is more than its loop.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, TypeVar

import pytest

from asyncflow.sim import Simulation
from asyncflow.sim.clock import Clock

T = TypeVar("T")
Story = Callable[..., Coroutine[Any, Any, None]]

_SEED = 7
_WORLD = pytest.StashKey[Simulation]()


def run_virtual(story: Coroutine[Any, Any, T], *, seed: int = _SEED) -> T:
    """Run a coroutine in a simulated world of its own and return its value.

    Args:
        story: what to run.
        seed: fixes the world's chance.
    """
    return Simulation(seed).run(story)


@pytest.fixture
def virtual_clock(request: pytest.FixtureRequest) -> Clock:
    """Play an `async def` test in a simulated world; the value is that world's clock.

    The test makes for itself what it needs on its loop: a fixture that is a coroutine would run on another.
    """
    simulation = request.node.stash[_WORLD] = Simulation(_SEED)
    return simulation.clock


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pycollect_makeitem() -> Iterator[None]:
    """Make plain functions of the tests that ask for the fixture, before pytest-asyncio sees them."""
    collected = yield
    for item in collected if isinstance(collected, list) else [collected]:
        if isinstance(item, pytest.Function) and "virtual_clock" in item.fixturenames:
            item.obj = _played(item, item.obj)
    return collected


def _played(item: pytest.Function, story: Story) -> Callable[..., None]:
    if not inspect.iscoroutinefunction(story):
        raise pytest.Collector.CollectError(
            f"{item.nodeid}: virtual_clock is for `async def` tests; in others call run_virtual(story())"
        )
    for name, fixtures in item._fixtureinfo.name2fixturedefs.items():
        if inspect.iscoroutinefunction(fixtures[-1].func) or inspect.isasyncgenfunction(fixtures[-1].func):
            raise pytest.Collector.CollectError(
                f"{item.nodeid}: the fixture {name} runs on a real event loop; do what it does in the test"
            )

    @wraps(story)
    def play(**given: Any) -> None:
        item.stash[_WORLD].run(story(**given))

    return play
