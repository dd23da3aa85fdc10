"""What decides a flow's final state."""

from __future__ import annotations

import asyncio

import pytest

from asyncflow import current, flow, signals, states, task, triggers
from tests.engine.kit import play
from tests.engine.kit import states as final

FAILED, PASSED = "Some reference tasks failed.", "All reference tasks succeeded."


@task
async def give(value=1):
    return value


@task
async def fail(*_):
    raise ValueError("no")


@task
async def end(state):
    raise signals.ENDRUN(state)


@task
async def slow_fail(seconds):
    await asyncio.sleep(seconds)
    raise ValueError("late")


@task(trigger=triggers.all_failed)
async def cleanup(*_):
    return "clean"


CANCELLED, SKIPPED, GOOD, BAD = states.Cancelled(), states.Skipped(), states.Success(), states.Failed()


@pytest.mark.parametrize(
    ("terminal", "state"),
    [
        ([], "Success"),
        ([GOOD, GOOD], "Success"),
        ([GOOD, SKIPPED], "Success"),
        ([SKIPPED], "Success"),
        ([GOOD, BAD], "Failed"),
        ([BAD, CANCELLED], "Failed"),
        ([CANCELLED, GOOD], "Cancelled"),
        ([states.TimedOut(), GOOD], "Failed"),
        ([states.TriggerFailed()], "Failed"),
        ([states.ValidationFailed(), CANCELLED], "Failed"),
    ],
)
def test_failed_beats_cancelled_beats_success(terminal, state):
    @flow
    async def f():
        for one in terminal:
            end(one)

    run = play(f)
    assert run.state.name == state
    assert run.state.message == {"Failed": FAILED, "Cancelled": "Some reference tasks were cancelled."}.get(
        state, PASSED
    )


def test_the_terminal_tasks_decide_when_nothing_else_was_said():
    @flow
    async def healed():
        cleanup(fail())

    @flow
    async def broken():
        give.with_options(trigger=triggers.all_finished)(fail())
        fail()

    assert play(healed).state.message == PASSED
    assert play(broken).state.message == FAILED


def test_a_task_that_only_orders_another_is_no_terminal_task():
    @flow
    async def f():
        first = fail()
        cleanup.after(first)()

    assert play(f).state.is_success()


def test_an_edge_from_a_task_that_was_final_already_counts_too():
    @flow
    async def f():
        first = fail()
        await asyncio.sleep(1)
        cleanup.after(first)()

    assert play(f).state.is_success()


@pytest.mark.parametrize("which", ["returned", "in a container", "element", "set"])
def test_handles_that_are_returned_or_set_decide(which):
    @flow
    async def f(good):
        value, broken = give({"k": 1}), fail()
        chosen = value if good else broken
        if which == "set":
            current().set_reference_tasks([chosen])
        return {"returned": chosen, "in a container": {"k": [chosen]}, "element": chosen["k"]}.get(which)

    assert play(f, good=True).state.is_success()
    run = play(f, good=False)
    assert run.state.message == FAILED
    assert final(run) == {"give": "Success", "fail": "Failed"}


def test_what_is_set_beats_what_is_returned():
    @flow
    async def f():
        broken = fail()
        current().set_reference_tasks([broken])
        return give()

    assert play(f).state.is_failed()


def test_an_awaited_failure_is_the_bodys_to_handle():
    @flow
    async def f():
        try:
            await fail()
        except ValueError:
            return await give("recovered")

    run = play(f)
    assert run.result() == "recovered"
    assert final(run) == {"fail": "Failed", "give": "Success"}


def test_an_awaited_failure_that_is_not_handled_is_the_bodys_failure():
    @flow
    async def f():
        give()
        await fail()

    run = play(f)
    assert run.state.message == "The flow's body raised ValueError: no"


def test_awaiting_elements_and_gathering_count_as_awaiting():
    @flow
    async def f():
        with pytest.raises(ValueError, match="no"):
            await fail()["k"]
        results = await asyncio.gather(fail(), give(), return_exceptions=True)
        return isinstance(results[0], ValueError)

    assert play(f).result() is True


def test_a_wait_that_was_given_up_delivers_no_failure():
    @flow
    async def f():
        handle = slow_fail(5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await handle

    run = play(f)
    assert run.state.message == FAILED
    with pytest.raises(ValueError, match="late"):
        run.result()


def test_awaiting_a_child_flow_is_awaiting():
    @flow
    async def inner():
        fail()

    @flow
    async def outer():
        with pytest.raises(ValueError, match="no"):
            await inner()
        return 1

    assert play(outer).result() == 1


def test_an_empty_list_of_references_leaves_it_to_the_terminal_tasks():
    @flow
    async def f():
        fail()
        current().set_reference_tasks([])

    assert play(f).state.is_failed()
