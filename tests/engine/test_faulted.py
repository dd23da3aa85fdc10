"""Planned faults strike innermost, inside the attempt's timeout, and say that they did."""

from __future__ import annotations

import pytest

from asyncflow import flow, signals, states, task
from asyncflow.engine import RunOptions, start
from asyncflow.faults import FaultPlan, TaskFault
from tests.clock import run_virtual
from tests.engine.kit import moves, of_kind
from tests.engine.kit import states as final

CALLS: list[int] = []


@task
async def give(value=1):
    CALLS.append(value)
    return value


def fault(do, **options):
    return TaskFault(id=options.pop("id", "f1"), task=options.pop("task", "give"), do=do, **options)


def struck(*faults, one=give, times=1):
    """Run one task under a plan; return the run and the plan."""
    CALLS.clear()
    plan = FaultPlan(faults)

    @flow
    async def f():
        return [one() for _ in range(times)]

    async def story():
        run = await start(f, {}, options=RunOptions(faults=plan))
        return await run.wait()

    return run_virtual(story()), plan


@pytest.mark.parametrize(
    ("one", "state", "calls"),
    [
        (fault("raise", error=ValueError, message="no"), "Failed", []),
        (fault("raise", error=ValueError, when="after"), "Failed", [1]),
        (fault("signal", signal=signals.SKIP, message="x"), "Skipped", []),
        (fault("signal", signal=signals.SUCCESS, value=7), "Success", []),
        (fault("signal", signal=signals.ENDRUN, state=states.Failed("x")), "Failed", []),
        (fault("delay", delay=5.0), "Success", [1]),
        (fault("cancel"), "Cancelled", []),
        (fault("cancel", when="after"), "Cancelled", [1]),
        (fault("wrong-result", value=9, when="after"), "Success", [1]),
    ],
)
def test_each_fault_does_what_it_says_and_is_reported(one, state, calls):
    run, plan = struck(one)
    assert final(run) == {"give": state}
    assert calls == CALLS
    assert plan.fired == {"f1": 1}
    assert of_kind(run, "fault_injected") == [{"id": "f1", "at": one.at, "do": one.do}]
    assert of_kind(run, "run_ended")[0]["faults"] == 1


def test_a_delay_takes_its_time_and_a_wrong_result_takes_the_place():
    run, _ = struck(fault("delay", delay=5.0), fault("wrong-result", id="f2", value=9, when="after"))
    assert run.result() == [9]
    assert run.events[-1].offset == 5.0


def test_a_hang_is_ended_by_the_timeout_and_the_retry_meets_no_fault():
    run, plan = struck(fault("hang", attempts=(1,)), one=give.with_options(timeout=3, retry=2))
    assert moves(run, "give") == ["Running", "Retrying", "Running", "Success"]
    assert run.events[-1].offset == 3.0
    assert plan.fired == {"f1": 1}


def test_a_fault_may_be_meant_for_one_call_only():
    run, _ = struck(fault("raise", error=ValueError, call=2), times=3)
    assert final(run) == {"give": "Success", "give#2": "Failed", "give#3": "Success"}


def test_a_fault_that_the_attempt_did_not_reach_is_missed():
    run, plan = struck(
        fault("raise", error=ValueError),
        fault("delay", id="f2", delay=5.0),
        fault("raise", id="f3", when="after"),
    )
    assert plan.fired == {"f1": 1, "f2": 0, "f3": 0}
    assert [one["id"] for one in of_kind(run, "fault_injected")] == ["f1"]


def test_tasks_of_child_flows_are_struck_too():
    @flow(name="inner")
    async def inner():
        return give()

    run, plan = struck(fault("raise", error=ValueError), one=inner)
    assert final(run) == {"inner": "Failed"}
    assert plan.fired == {"f1": 1}


def test_validation_stands_outside_the_fault_and_finds_a_wrong_result_out():
    @task(validate=True, name="give")
    def blocking() -> int:
        return 3

    run, _ = struck(fault("wrong-result", value="x", when="after"), one=blocking)
    assert run.tasks["give"].state.is_validation_failed()
