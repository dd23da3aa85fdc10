"""What a whole Retry is in a flow: budgets that tasks share, time, hooks, and the sentences about them."""

from __future__ import annotations

import asyncio
import json

import pytest

from asyncflow import Retry, exponential, flow, signals, task
from asyncflow.history import fold
from asyncflow.history.why import explain
from asyncflow.policies import Budget, TokenBudget
from asyncflow.store import MemoryStore
from tests.clock import run_virtual
from tests.engine.kit import moves, play


def sentences(run, key):
    """Return the sentence about each attempt of a task run."""
    history = fold(run.header, run.events)
    (found,) = [one for one in history.tasks if one.key == key]
    return [explain(attempt) for attempt in found.attempts]


def down(error=ConnectionResetError, **options):
    async def body(*_):
        raise error("down")

    return task(name="call", **options)(body)


def test_the_attempts_are_told_with_their_numbers():
    call = down(retry=Retry(3, exponential(0.2, cap=5.0), jitter="decorrelated", on=ConnectionError))
    run = play(flow(lambda: call(), name="f"))
    first, second, last = sentences(run, "call")
    assert first.startswith(
        "Attempt 1 of 3 failed: ConnectionResetError is in `on`; attempt 2 of 3 follows in "
    )
    assert ": the backoff allows 200 ms to 600 ms and decorrelated jitter drew " in first
    assert "Attempt 2 of 3 failed: " in second
    assert last == (
        "Attempt 3 of 3 failed with ConnectionResetError and was not retried: attempt 3 of 3 was the last."
    )


def test_tasks_of_a_flow_share_a_budget_and_the_one_that_is_refused_says_so():
    budget = TokenBudget("api", capacity=1, per_success=0)
    call = down(retry=Retry(3, 1.0, budget=budget))
    run = play(flow(lambda: [call(), call()], name="f"))
    assert sorted(len(moves(run, key)) for key in ("call", "call#2")) == [2, 4]
    refused = "call" if len(moves(run, "call")) == 2 else "call#2"
    assert sentences(run, refused) == [
        "Attempt 1 of 3 failed and was not retried: ConnectionResetError is in `on`, but budget 'api' "
        "allows no more: 0 of 1 tokens are left, and a retry costs 1."
    ]
    detail = run.tasks[refused].state.detail
    assert detail["budget"] == {"name": "api", "tokens": 0.0, "capacity": 1}
    assert json.loads(json.dumps(detail)) == detail


def test_elements_of_a_map_share_a_budget():
    calls = []

    @task(retry=Retry(4, budget=TokenBudget("api", capacity=5, per_success=0)))
    async def fetch(number):
        calls.append(number)
        raise ConnectionResetError

    run = play(flow(lambda: fetch.map(range(20)), name="f"))
    assert run.is_failed()
    assert len(calls) == 25


def test_what_a_run_that_is_cancelled_has_taken_is_given_back():
    budget = Budget("api")
    call = down(retry=Retry(9, 60.0, budget=budget))

    async def story():
        run = await flow(lambda: [call() for _ in range(3)], name="f").start()
        await asyncio.sleep(1)
        during = budget.spending().numbers()
        run.cancel()
        await run.wait()
        return during, budget.spending().numbers()

    during, after = run_virtual(story())
    assert (during["calls"], during["retries"]) == (3, 3)
    assert (after["calls"], after["retries"]) == (0, 0)


def test_a_pause_gives_back_what_is_held_and_the_time_begins_again():
    budget = Budget("api")
    steps = [ConnectionResetError(), signals.PAUSE(), ConnectionResetError(), 5]

    @task(retry=Retry(9, 1.0, budget=budget, within=1.5))
    async def call():
        step = steps.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step

    f = flow(lambda: call(), name="f").with_options(store=MemoryStore())

    async def story():
        run = await (await f.start()).wait()
        assert run.is_paused()
        assert budget.spending().numbers()["calls"] == 0
        await asyncio.sleep(100)
        run = await (await f.start_resumed(run)).wait()
        return run.result()

    assert run_virtual(story()) == 5


def test_no_wait_is_started_that_does_not_fit():
    call = down(retry=Retry(None, 1.0, within=2.5))
    run = play(flow(lambda: call(), name="f"))
    assert moves(run, "call") == ["Running", "Retrying"] * 2 + ["Running", "Failed"]
    assert run.events[-1].offset == 2.0
    assert "a wait of 1 s does not fit into the 500 ms that are left" in sentences(run, "call")[-1]


@pytest.mark.parametrize("hook", ["on_retry", "on_give_up"])
def test_a_hook_that_fails_is_named_in_the_record_and_changes_nothing(hook):
    def broken(judged):
        raise LookupError(judged.attempt)

    call = down(retry=Retry(2, **{hook: broken}))
    run = play(flow(lambda: call(), name="f"))
    assert moves(run, "call") == ["Running", "Retrying", "Running", "Failed"]
    told = sentences(run, "call")
    assert ["raised LookupError" in sentence for sentence in told] == [
        hook == "on_retry",
        hook == "on_give_up",
    ]


def test_a_task_that_succeeds_in_the_end_tells_its_hook():
    heard = []
    steps = [ConnectionResetError(), 5]

    @task(retry=Retry(3, on_success=lambda judged: heard.append(judged.attempt)))
    async def call():
        step = steps.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step

    assert play(flow(lambda: call(), name="f")).tasks["call"].state.is_success()
    assert heard == [2]
