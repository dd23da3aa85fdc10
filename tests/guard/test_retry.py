"""What belongs to one call and what to all: waits, time, budgets and hooks of retries, in virtual time."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.errors import AttemptTimedOut, BreakerOpen, InvalidPolicy
from asyncflow.guard.pipeline import outcome_of
from asyncflow.guard.policy import Policy
from asyncflow.outcomes import Again, Enough, Raised, Returned
from asyncflow.policy.backoff import exponential
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.budget import Budget, TokenBudget
from asyncflow.policy.retry import Retry
from asyncflow.signals import FAIL, LOOP, RETRY, SKIP, SUCCESS
from tests.clock import run_virtual
from tests.guard.doubles import Body, Follower, Plan, played

F = ConnectionError("F")


class Diary:
    """A body that writes down when it was called, and fails as often as it is told."""

    def __init__(self, failures=10**9, takes=0.0):
        self.failures = failures
        self.takes = takes
        self.times = []
        self.errors = []

    async def __call__(self, *_):
        self.times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.takes)
        if len(self.times) <= self.failures:
            self.errors.append(ConnectionError(f"failure {len(self.times)}"))
            raise self.errors[-1]
        return "done"

    def waits(self):
        return [round(after - before - self.takes, 6) for before, after in pairwise(self.times)]


async def failed(policy, body):
    """Return what a call failed with and when, in seconds from its start."""
    began = asyncio.get_running_loop().time()
    with pytest.raises(Exception) as failure:
        await policy.call(body)
    return failure.value, asyncio.get_running_loop().time() - began


# Time.


@pytest.mark.parametrize(
    ("retry", "takes", "calls", "ends"),
    [
        # Each of these ran over its total time elsewhere, since it was looked at between attempts only.
        (Retry(10, 0.25, within=0.3), 0.0, 2, 0.25),
        (Retry(3, 0.5, within=0.6, jitter="none"), 0.0, 2, 0.5),
        (Retry(10, 0.01, within=0.1), 0.5, 1, 0.5),
        # The time is over when the wait would be: not a moment later.
        (Retry(10, 1.0, within=3.0), 0.0, 3, 2.0),
        (Retry(10, 1.0, within=3.001), 0.0, 4, 3.0),
        (Retry(None, exponential(1.0), within=20), 0.0, 5, 15.0),
    ],
)
def test_trap_06_no_wait_is_started_that_cannot_fit(retry, takes, calls, ends):
    async def story():
        body = Diary(takes=takes)
        error, ended = await failed(Policy(retry=retry), body)
        assert error is body.errors[-1]
        assert len(body.times) == calls
        assert ended == pytest.approx(ends)
        notes = getattr(error, "__notes__", [])
        assert len(notes) == (calls > 1)
        assert all("that are left" in note or "no time is left" in note for note in notes)

    run_virtual(story())


def test_the_time_of_a_call_begins_with_the_call_and_not_with_the_policy():
    async def story():
        policy = Policy(retry=Retry(10, 1.0, within=2.5))
        for _ in range(3):
            body = Diary()
            await failed(policy, body)
            assert body.waits() == [1.0, 1.0]
            await asyncio.sleep(5)

    run_virtual(story())


def test_an_iteration_of_a_loop_has_its_own_time_and_its_own_waits():
    async def story():
        retry = Retry(9, exponential(1.0, cap=100.0), jitter="decorrelated", within=60)
        heard = []
        steps = [F, F, LOOP(), F, 1]

        def seen(judged):
            heard.append(judged.decision.detail)

        policy = Policy(retry=Retry(9, retry.delay, jitter=retry.jitter, within=60, on_retry=seen))
        assert await policy.call(Body(*steps)) == 1
        assert [detail["previous"] for detail in heard] == [0.0, heard[0]["delay"], 0.0]
        assert [detail["attempt"] for detail in heard] == [1, 2, 1]
        assert heard[2]["left"] == 60

    run_virtual(story())


def test_a_wait_for_an_open_breaker_has_to_fit_too():
    async def story():
        breaker = Breaker("b", failures=1, open_for=30)
        policy = Policy(retry=Retry(2, 1.0, on=ValueError, within=20), breaker=breaker, when_rejected="wait")
        await failed(policy, Diary())
        error, ended = await failed(policy, Diary())
        assert isinstance(error, BreakerOpen)
        assert ended == 0

    run_virtual(story())


# What callers share, and what they don't.


@pytest.mark.parametrize(
    ("retry", "waits"),
    [
        (Retry(4, exponential(1.0)), [1, 2, 4]),
        (Retry(4, [1, 2, 4]), [1, 2, 4]),
        (Retry(4, exponential(1.0, cap=50.0), jitter="decorrelated"), None),
    ],
)
def test_trap_08_concurrent_callers_of_one_policy_have_their_own_waits(retry, waits):
    async def story():
        guarded = Policy(retry=retry)
        bodies = [Diary() for _ in range(3)]
        async with asyncio.TaskGroup() as group:
            for body in bodies:
                group.create_task(failed(guarded, body))
        for body in bodies:
            found = body.waits()
            if waits is None:
                assert 1 <= found[0] <= 3
                assert all(1 <= after <= 3 * before for before, after in pairwise(found))
            else:
                assert found == waits

    run_virtual(story())


def test_a_policy_is_used_by_one_event_loop_after_another():
    """Neither the budget nor the time of a call knows of a loop."""
    policy = Policy(retry=Retry(3, budget=Budget("of two loops"), within=60))
    for _ in range(2):
        assert asyncio.run(policy.call(Diary(failures=2))) == "done"


# Budgets.


def test_row_32_beyond_the_budget_the_last_error_comes_out_as_it_is():
    """Of two calls one may be in a retry, by the floor; the other's error is its caller's at once."""

    async def story():
        policy = Policy(retry=Retry(5, 1.0, budget=Budget("api", share=0.5, floor=1)))
        first = asyncio.create_task(failed(policy, Diary(takes=0.1)))
        body = Diary(takes=0.2)
        error, ended = await failed(policy, body)
        assert error is body.errors[-1]
        assert ended == pytest.approx(0.2)
        assert not first.done()
        _, ended = await first
        assert ended == pytest.approx(4.5)

    run_virtual(story())


def test_the_reason_of_a_refused_retry_is_on_the_error():
    async def story():
        error = ValueError("x")
        body = Body(error)
        policy = Policy(retry=Retry(5, budget=TokenBudget("api", capacity=1, per_success=0)))
        with pytest.raises(ValueError) as failure:
            await policy.call(body)
        assert failure.value is error
        assert error.__cause__ is None
        assert body.calls == 2
        assert error.__notes__ == [
            "asyncflow: 2 attempts were made; ValueError is in `on`, but budget 'api' allows no more: 0 of 1 "
            "tokens are left, and a retry costs 1"
        ]
        # First attempts are free, also where nothing is left.
        assert await policy.call(Body(5)) == 5

    run_virtual(story())


@pytest.mark.parametrize(
    ("script", "tokens"),
    [
        ([1], 5.1),
        ([F, 1], 4.1),
        ([SUCCESS()], 5.1),
        ([SKIP()], 5.0),
        ([F], 3.0),
        ([KeyError()], 5.0),
        ([F, KeyError()], 4.0),
        ([RETRY(), 1], 5.1),  # a retry that the body asks for is not the policy's
    ],
)
def test_tokens_go_with_retries_and_come_with_successes(script, tokens):
    async def story():
        budget = TokenBudget("b", capacity=10)
        budget.spending().tokens = 5.0
        policy = Policy(retry=Retry(3, on=ConnectionError, budget=budget))
        await outcome_of(policy, Body(*script), (), {})
        assert budget.spending().tokens == pytest.approx(tokens)

    run_virtual(story())


def test_the_next_iteration_of_a_loop_is_no_retry():
    async def story():
        budget, steps, seen = Budget("b"), [F, LOOP(), 1], []

        async def body():
            seen.append(budget.spending().extra)
            step = steps.pop(0)
            if isinstance(step, BaseException):
                raise step
            return step

        assert await Policy(retry=Retry(3, budget=budget)).call(body) == 1
        assert seen == [0, 1, 0]

    run_virtual(story())


def test_a_policy_shows_what_is_left_of_its_budget():
    async def story():
        policy = Policy(retry=Retry(3, budget=TokenBudget("api", capacity=2)))
        await failed(policy, Diary())
        assert repr(policy) == "<Policy retry 3 attempts, constant(0), budget api: 0 of 2 left > body>"

    run_virtual(story())


def test_an_observer_that_ends_a_call_leaves_nothing_of_it_in_the_budget():
    async def story():
        budget = Budget("b")
        policy = Policy(retry=Retry(3, budget=budget))
        await outcome_of(policy, Body(F), (), {}, Follower(late={1: Enough("no more")}))
        await outcome_of(policy, Body(F), (), {}, Follower(early={1: Enough("not at all")}))
        spending = budget.spending()
        assert (spending.calls, spending.extra) == (0, 0)

    run_virtual(story())


def test_a_budget_with_other_settings_is_refused_before_the_body_runs():
    async def story():
        body = Body(1)
        Budget("b").spending()
        with pytest.raises(InvalidPolicy, match="budget 'b' is used with two different settings"):
            await Policy(retry=Retry(3, budget=Budget("b", share=0.5))).call(body)
        assert body.calls == 0

    run_virtual(story())


QUARTERS = st.integers(0, 12).map(lambda quarters: quarters / 4)
PLANS = st.builds(
    Plan,
    start=QUARTERS,
    takes=QUARTERS,
    ends=st.sampled_from(["value", "error", "error", "error", "skip", "fail", "swallow"]),
    cancelled_after=st.none() | QUARTERS,
)


async def overlapping(policy, plans, body):
    """Make the calls that are planned, and cancel those that are to be cancelled."""

    async def call(plan):
        await asyncio.sleep(plan.start)
        before = asyncio.current_task().cancelling()
        await outcome_of(policy, body, (plan,), {})
        assert asyncio.current_task().cancelling() == before or plan.ends == "swallow"

    tasks = [asyncio.create_task(call(plan)) for plan in plans]
    for task, plan in zip(tasks, plans, strict=True):
        if plan.cancelled_after is not None:
            asyncio.get_running_loop().call_later(plan.start + plan.cancelled_after, task.cancel)
    await asyncio.wait(tasks)
    assert all(task.cancelled() or task.exception() is None for task in tasks)


@pytest.mark.parametrize("tokens", [False, True], ids=["shares", "tokens"])
@settings(max_examples=60, deadline=None)
@given(plans=st.lists(PLANS, min_size=1, max_size=12), seed=st.integers(0, 99))
def test_permits_are_conserved_whatever_becomes_of_calls(tokens, plans, seed):
    """Success, failure, timeout and cancellation, in attempts and in waits, at the same moments."""
    budget = TokenBudget("b", capacity=3) if tokens else Budget("b", share=0.3, floor=1)
    policy = Policy(
        timeout=2.0,
        retry=Retry(4, exponential(0.25, cap=1.0), jitter="full", budget=budget, within=9),
        breaker=Breaker("b", failures=4, open_for=0.5),
    )

    async def body(plan):
        spending = budget.spending()
        assert tokens or 0 <= spending.extra <= spending.calls
        await played(plan, fails=random.random() < 0.8)

    async def story():
        await overlapping(policy, plans, body)
        left = budget.spending().numbers()
        assert 0 <= left["tokens"] <= 3 if tokens else (left["calls"], left["retries"]) == (0, 0)

    run_virtual(story(), seed=seed)


# Non-idempotent work.


def test_trap_15_work_that_may_have_been_done_is_not_done_twice():
    """A timeout does not tell whether the order was booked; a refused connection does."""

    async def story():
        booked = []

        async def book(order):
            booked.append(order)
            await asyncio.sleep(60)

        policy = Policy(timeout=1.0, retry=Retry(4, never=AttemptTimedOut))
        with pytest.raises(AttemptTimedOut):
            await policy.call(book, "order 1")
        assert booked == ["order 1"]
        refused = Body(ConnectionRefusedError(), ConnectionRefusedError(), "booked")
        assert await policy.call(refused) == "booked"

    run_virtual(story())


# Hooks.


def hooked(heard, max_attempts=3, **settings):
    def writes(name):
        return lambda judged: heard.append((name, judged.attempt, judged.delay, judged.error, judged.reason))

    hooks = {name: writes(name) for name in ("on_retry", "on_success", "on_give_up")}
    return Policy(retry=Retry(max_attempts, 1.0, on=ConnectionError, **hooks, **settings))


K = KeyError("k")


@pytest.mark.parametrize(
    ("script", "heard"),
    [
        ([1], []),
        (
            [F, 1],
            [
                (
                    "on_retry",
                    1,
                    1.0,
                    F,
                    "ConnectionError is in `on`; attempt 2 of 3 follows in 1 s: the backoff asks for 1 s",
                ),
                ("on_success", 2, 0.0, None, ""),
            ],
        ),
        ([K], [("on_give_up", 1, 0.0, K, "KeyError is not in `on`")]),
        ([F, SKIP()], ["on_retry"]),
        ([F, SUCCESS()], ["on_retry", "on_success"]),
        ([SUCCESS()], []),
        ([LOOP(), 1], []),
        ([RETRY(), 1], ["on_retry", "on_success"]),
        ([F], ["on_retry", "on_retry", "on_give_up"]),
    ],
)
def test_hooks_hear_of_each_retry_of_success_after_one_and_of_giving_up(script, heard):
    told = []

    async def story():
        await outcome_of(hooked(told), Body(*script), (), {})

    run_virtual(story())
    assert [
        each if isinstance(mine, tuple) else each[0] for each, mine in zip(told, heard, strict=True)
    ] == heard


def test_hooks_hear_of_values_that_are_refused():
    told = []

    async def story():
        await outcome_of(hooked(told, on_result=lambda value: value < 9), Body(1, 2, 3), (), {})

    run_virtual(story())
    assert [each[0] for each in told] == ["on_retry", "on_retry", "on_give_up"]
    assert told[2][4] == "attempt 3 of 3 was the last"


def test_a_hook_hears_of_a_retry_before_the_wait():
    async def story():
        times = []
        loop = asyncio.get_running_loop()
        policy = Policy(retry=Retry(2, 5.0, on_retry=lambda judged: times.append(loop.time())))
        body = Diary(failures=1)
        await policy.call(body)
        assert times == [body.times[0]]

    run_virtual(story())


@pytest.mark.parametrize("problem", [ValueError("boom"), FAIL("boom")])
@pytest.mark.parametrize(
    ("hook", "script", "kind"),
    [("on_retry", [F, 1], Returned), ("on_success", [F, 1], Returned), ("on_give_up", [F], Raised)],
)
def test_an_error_in_a_hook_is_reported_and_does_no_harm(hook, script, kind, problem):
    def raises(judged):
        raise problem

    async def story():
        reports = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.append(context))
        follower = Told()
        policy = Policy(retry=Retry(2, **{hook: raises}))
        outcome = await outcome_of(policy, Body(*script), (), {}, follower)
        assert isinstance(outcome, kind)
        (report,) = reports
        name = type(problem).__name__
        assert report["exception"] is problem
        assert report["message"].startswith(f"asyncflow: the hook {hook} raised {name}: boom, after attempt ")
        noted = [decision for decision in follower.decisions if decision.reason.endswith(f"{name}: boom")]
        assert len(noted) == (hook != "on_success")  # a plain success has no reason, and keeps having none
        assert all(decision.detail["hook_failed"] for decision in noted)
        assert isinstance(follower.decisions[0], Again)

    run_virtual(story())


class Told:
    """An observer that writes down the decisions."""

    def __init__(self):
        self.decisions = []

    def attempt_started(self, attempt):
        return None

    def attempt_ended(self, attempt, outcome, decision):
        self.decisions.append(decision)
        return decision

    def note(self, kind, detail):
        pass
