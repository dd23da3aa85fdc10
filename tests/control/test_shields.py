"""A cancelled flow cleans up first: whenever it is cancelled, nothing that was opened stays open."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

import pytest

from asyncflow import Retry, flow, states, task
from asyncflow.control import case, resource_manager
from tests.clock import run_virtual
from tests.control.kit import give
from tests.engine.kit import states as final


@dataclass
class Ledger:
    """What was opened and closed, and who is using it."""

    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    users: int = 0


@resource_manager(setup={"retry": Retry(2, delay=0.5)}, cleanup={"retry": Retry(2, delay=0.5)})
class Slow:
    """Opens and closes at the second attempt, each of which takes half a second."""

    def __init__(self, ledger, name="slow"):
        self.ledger = ledger
        self.name = name
        self.tries = [0, 0]

    async def setup(self):
        self.tries[0] += 1
        await asyncio.sleep(0.5)
        if self.tries[0] == 1:
            raise OSError("not yet")
        self.ledger.opened.append(self.name)
        await asyncio.sleep(0.5)
        return self.ledger

    async def cleanup(self, ledger):
        assert ledger.users == 0, "cleaned up while in use"
        self.tries[1] += 1
        await asyncio.sleep(0.7 if self.name == "inner" else 0.5)
        if self.tries[1] == 1:
            raise OSError("not yet")
        ledger.closed.append(self.name)


@task
async def use(ledger, seconds=1.0, lingers=0.0):
    ledger.users += 1
    try:
        await asyncio.sleep(seconds)
    finally:
        try:
            await asyncio.sleep(lingers)
        finally:
            ledger.users -= 1


@task
async def use_after(ledger, *_):
    await asyncio.sleep(0.5)
    assert ledger is not None


@flow
def wired(ledger):
    with Slow(ledger) as slow:
        first = use(slow, 1.0, 0.7)
        use_after(slow, first)


@flow
async def awaiting(ledger):
    with Slow(ledger) as slow:
        await use(slow, 1.0, 0.7)
        await use_after(slow)


@flow
def nested(ledger):
    with Slow(ledger, "outer") as outer, case(give(), 1), Slow(ledger, "inner") as inner:
        use(outer, 1.0, 0.7)
        use_after(inner, use(inner, 0.5, 0.2))


async def slow_handler(_run, _old, new):
    if isinstance(new, states.Success):
        await asyncio.sleep(0.5)


@resource_manager(setup={"state_handlers": [slow_handler]}, cleanup={"state_handlers": [slow_handler]})
class Watched:
    """Its handlers take their time when it is open already."""

    def __init__(self, ledger):
        self.ledger = ledger

    async def setup(self):
        self.ledger.opened.append("watched")
        return self.ledger

    async def cleanup(self, ledger):
        assert ledger.users == 0
        ledger.closed.append("watched")


@flow
def watched(ledger):
    with Watched(ledger) as slow:
        use(slow, 1.0, 0.7)


@flow
async def parent(ledger):
    await wired(ledger)


FLOWS = (wired, awaiting, nested, watched, parent)


def cancelled(which, ledger, at, turns=0, *, again=None):
    """Run a flow and cancel it at an instant, some turns of the loop later."""

    async def story():
        run = await which.start(ledger=ledger)
        await asyncio.sleep(at)
        for _ in range(turns):
            await asyncio.sleep(0)
        run.cancel()
        if again is not None:
            await asyncio.sleep(again)
            run.cancel()
        await run.wait()
        assert run.is_final()
        assert all(task_run.is_final() for task_run in run.tasks)
        assert len(asyncio.all_tasks()) == 1, "an asyncio task was left over"
        return run

    return run_virtual(story())


@pytest.mark.parametrize("which", FLOWS, ids=str)
@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5])
def test_whenever_it_is_cancelled_what_was_opened_is_closed_once_and_in_order(which, turns):
    opened = 0
    for quarter in range(28):
        ledger = Ledger()
        run = cancelled(which, ledger, quarter / 4, turns)
        assert ledger.closed == ledger.opened[::-1], f"cancelled at {quarter / 4}"
        assert ledger.users == 0
        for cleanup in (task_run for task_run in run.tasks if task_run.name.endswith("cleanup")):
            assert_after_all_users(run, cleanup)
        opened += len(ledger.opened)
    assert opened >= 14, "too few of the cancellations found something open"


def assert_after_all_users(run, cleanup):
    kinds = [(event.task, event.detail) for event in run.events if event.kind == "state_changed"]
    begun = [
        at for at, (number, state) in enumerate(kinds) if number == cleanup.number and state.is_running()
    ]
    for upstream in cleanup.upstream:
        ended = next(
            at for at, (number, state) in enumerate(kinds) if number == upstream.number and state.final
        )
        assert all(at > ended for at in begun)


def test_a_setup_that_is_running_comes_to_its_end_and_is_cleaned_up():
    ledger = Ledger()
    run = cancelled(wired, ledger, 1.25)
    assert final(run) == {
        "Slow": "Success",
        "Slow.setup": "Success",
        "use": "Cancelled",
        "use_after": "Cancelled",
        "Slow.cleanup": "Success",
    }
    assert run.is_cancelled()


def test_a_setup_that_waits_for_its_next_attempt_is_cancelled():
    run = cancelled(wired, Ledger(), 0.75)
    assert final(run)["Slow.setup"] == "Cancelled"
    assert final(run)["Slow.cleanup"] == "Skipped"
    assert run.record.offset() == 0.75


def test_cancelling_again_does_not_reach_the_cleanup_either():
    ledger = Ledger()
    cancelled(wired, ledger, 2.5, again=1.0)
    assert ledger.closed == ["slow"]


@resource_manager
class Endless:
    async def setup(self):
        await asyncio.sleep(10_000)

    async def cleanup(self, _resource):
        raise AssertionError("was never set up")


@flow
def endless(ledger):
    with Endless():
        give(ledger)


@resource_manager(cleanup={"timeout": 5})
class Reluctant:
    def setup(self):
        return None

    async def cleanup(self, _resource):
        await asyncio.sleep(10_000)


@flow
def reluctant(ledger):
    with Reluctant() as resource:
        use(ledger, 100)
        give(resource)


BOUNDS = [(endless, 70, {"Endless.setup": "Cancelled", "Endless.cleanup": "Skipped"})]
BOUNDS += [(reluctant, 15, {"Reluctant.setup": "Success", "Reluctant.cleanup": "TimedOut"})]


@pytest.mark.parametrize(("which", "ends", "states_then"), BOUNDS, ids=str)
def test_the_shield_has_a_bound(which, ends, states_then):
    run = cancelled(which, Ledger(), 10)
    assert {key: state for key, state in final(run).items() if key in states_then} == states_then
    assert run.is_cancelled()
    assert run.record.offset() == ends


def test_a_flow_that_fails_fast_cleans_up():
    ledger = Ledger()

    @task
    async def fail(_ledger):
        raise ValueError("no")

    @flow(fail_fast=True)
    def hasty():
        with Slow(ledger) as slow:
            use(slow, 100)
            fail(slow)

    async def story():
        run = await hasty.start()
        return await run.wait()

    run = run_virtual(story())
    assert run.is_failed()
    assert final(run)["use"] == "Cancelled"
    assert (ledger.opened, ledger.closed) == (["slow"], ["slow"])


def test_sys_exit_in_a_task_cleans_up():
    ledger = Ledger()

    @task
    async def leave(_ledger):
        raise SystemExit(3)

    @flow
    def leaving():
        with Slow(ledger) as slow:
            leave(slow)

    async def story():
        run = await leaving.start()
        with pytest.raises(SystemExit):
            await run.wait()
        return run

    run_virtual(story())
    assert (ledger.opened, ledger.closed) == (["slow"], ["slow"])


def test_a_body_that_is_cancelled_inside_the_block_leaves_it_cleaned_up():
    ledger = Ledger()

    @flow
    async def waiting():
        with Slow(ledger):
            await asyncio.sleep(1000)

    async def story():
        run = await waiting.start()
        await asyncio.sleep(10)
        run.cancel()
        return await run.wait()

    run = run_virtual(story())
    assert run.is_cancelled()
    assert ledger.closed == ["slow"]


def test_a_setup_in_a_thread_is_waited_for_and_cleaned_up():
    """A thread can't be stopped: left alone it would open the resource when nobody is there to close it."""
    begun, cancelled_meanwhile = threading.Event(), threading.Event()
    log: list[str] = []

    @resource_manager
    class InThread:
        def setup(self):
            begun.set()
            assert cancelled_meanwhile.wait(10)
            log.append("open")

        def cleanup(self, _resource):
            log.append("close")

    @flow
    def wired():
        with InThread() as resource:
            give(resource)

    async def story():
        run = await wired.start()
        await asyncio.to_thread(begun.wait, 10)
        run.cancel()
        await asyncio.sleep(0)
        cancelled_meanwhile.set()
        return await run.wait()

    run = asyncio.run(story())
    assert final(run)["give"] == "Cancelled"
    assert log == ["open", "close"]
