"""A body that goes on although it was cancelled is found and named, and the run's end says so."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from asyncflow import flow, task
from tests.clock import run_virtual
from tests.engine.kit import of_kind
from tests.engine.kit import states as final


@task
async def swallows(seconds):
    until = asyncio.get_running_loop().time() + seconds
    while (left := until - asyncio.get_running_loop().time()) > 0:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(left)


@task
async def obeys():
    await asyncio.sleep(1000)


def cancelled(body, at=1.0):
    """Run a flow of one call, cancel it, and return the run."""

    async def story():
        run = await flow(name="f")(body).start()
        await asyncio.sleep(at)
        run.cancel()
        return await run.wait()

    return run_virtual(story())


def swallowed(run):
    return [
        (event.offset, event.task, event.attempt, event.detail)
        for event in run.events
        if event.kind == "cancel_swallowed"
    ]


def test_one_that_goes_on_for_five_seconds_is_named_with_the_line_where_it_waits(caplog):
    run = cancelled(lambda: [swallows(8), obeys()])
    ((offset, number, attempt, detail),) = swallowed(run)
    assert (offset, number, attempt) == (6.0, 1, 1)
    assert (detail["seconds"], detail["why"]) == (5.0, "cancelled")
    assert detail["where"].startswith("tests/engine/test_unheeded.py:")
    assert detail["where"].endswith(" in swallows")
    assert final(run) == {"swallows": "Success", "obeys": "Cancelled"}
    assert run.state.name == "Cancelled"
    assert run.state.message == (
        "The flow run was cancelled. Task 'swallows' went on for more than 5 s after that."
    )
    (said,) = [
        record.getMessage() for record in caplog.records if "after it was cancelled" in record.getMessage()
    ]
    assert said.startswith(
        f"task 'swallows', attempt 1, of flow run {run.name} goes on 5 s after it was cancelled; "
    )


def test_one_that_ends_in_time_is_not():
    run = cancelled(lambda: [swallows(5), obeys()])
    assert swallowed(run) == []
    assert run.state.message == "The flow run was cancelled."


def test_it_is_said_again_after_twice_the_time_but_recorded_once(caplog):
    run = cancelled(lambda: swallows(40))
    assert len(swallowed(run)) == 1
    said = [record.getMessage().split(" goes on ")[1].split(" after")[0] for record in caplog.records]
    assert said == ["5 s", "10 s", "20 s"]


def test_a_timeout_that_is_swallowed_is_named_too(caplog):
    body = swallows.with_options(timeout=2)

    async def story():
        return await (await flow(name="f")(lambda: [body(9), body(6)]).start()).wait()

    run = run_virtual(story())
    ((offset, number, attempt, detail),) = swallowed(run)
    assert (offset, number, attempt) == (7.0, 1, 1)
    assert (detail["seconds"], detail["why"]) == (5.0, "timeout")
    assert detail["where"].endswith(" in swallows")
    assert final(run) == {"swallows": "Success", "swallows#2": "Success"}
    assert "goes on 5 s after its time was over" in caplog.text


def test_a_missed_heartbeat_that_is_swallowed_is_named_too():
    body = swallows.with_options(heartbeat=2)

    async def story():
        return await (await flow(name="f")(lambda: body(9)).start()).wait()

    assert [offset for offset, *_ in swallowed(run_virtual(story()))] == [7.0]


@pytest.mark.parametrize("times", [1, 2])
def test_a_flows_own_body_is_named_too(times):
    async def body():
        await swallows.fn(8 * times)

    run = cancelled(body)
    ((offset, number, attempt, detail),) = swallowed(run)
    assert (offset, number, attempt) == (6.0, 0, 0)
    assert detail["where"].endswith(" in swallows")
    assert run.state.message.endswith(" The flow's body went on for more than 5 s after that.")


def test_a_body_that_has_ended_is_not_blamed_for_its_tasks():
    async def body():
        swallows(8)

    assert [number for _, number, *_ in swallowed(cancelled(body))] == [1]


def test_cancelling_one_task_run_is_watched_as_well():
    async def story():
        run = await flow(name="f")(lambda: swallows(30)).start()
        await asyncio.sleep(1)
        run.tasks[0].cancel()
        await run.wait()
        return run

    assert [offset for offset, *_ in swallowed(run_virtual(story()))] == [6.0]


def test_a_run_that_fails_fast_says_it_too():
    @task
    async def fails():
        await asyncio.sleep(1)
        raise ValueError("no")

    async def story():
        declared = flow(name="f", fail_fast=True)(lambda: [swallows(8), fails()])
        return await (await declared.start()).wait()

    run = run_virtual(story())
    assert run.state.message == (
        "Task 'fails' failed and the flow fails fast. Task 'swallows' went on for more than 5 s after that."
    )
    assert of_kind(run, "cancel_swallowed")
