"""Hedges: when they start, who wins, and that nothing of them is left."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.errors import BreakerOpen, DeadlineExceeded
from asyncflow.guard.pipeline import outcome_of
from asyncflow.policies import Breaker, Bulkhead, Hedge, Policy, Retry, constant
from asyncflow.policy.budget import Budget
from tests.clock import run_virtual
from tests.guard.doubles import Follower, now


def others():
    return asyncio.all_tasks() - {asyncio.current_task()}


@dataclass
class Call:
    """One call of a body: after so many seconds it returns or raises `end`."""

    length: float
    end: object


class Bodies:
    """A coroutine function whose calls go their own ways, in the order in which they are made.

    Attributes:
        begun: when each call began.
        ends: how each call ended.
    """

    def __init__(self, *calls: Call) -> None:
        self._calls = calls
        self.begun: list[float] = []
        self.ends: dict[int, object] = {}

    async def __call__(self) -> object:
        number = len(self.begun)
        call = self._calls[min(number, len(self._calls) - 1)]
        self.begun.append(now())
        try:
            await asyncio.sleep(call.length)
        except asyncio.CancelledError:
            self.ends[number] = "cancelled"
            raise
        self.ends[number] = call.end
        if isinstance(call.end, BaseException):
            raise call.end
        return call.end


SLOW = Call(10.0, "slow")
FAST = Call(0.1, "fast")
DOWN = Call(0.1, OSError("down"))


# -- row 31 ------------------------------------------------------------------------------------------------


async def test_row_31_a_fast_primary_is_the_only_call(virtual_clock):
    bodies = Bodies(FAST)
    assert await Policy(hedge=1.0).call(bodies) == "fast"
    await asyncio.sleep(5)
    assert bodies.begun == [0.0]


async def test_row_31_a_slow_primary_gets_a_hedge(virtual_clock):
    bodies = Bodies(SLOW, FAST)
    assert await Policy(hedge=1.0).call(bodies) == "fast"
    assert (now(), bodies.begun, bodies.ends) == (1.1, [0.0, 1.0], {0: "cancelled", 1: "fast"})


async def test_row_31_no_delay_starts_all_at_once(virtual_clock):
    bodies = Bodies(SLOW, SLOW, FAST)
    assert await Policy(hedge=Hedge(0, max_hedges=2)).call(bodies) == "fast"
    assert (now(), bodies.begun) == (0.1, [0.0, 0.0, 0.0])


async def test_row_31_without_a_delay_hedges_come_one_after_the_other(virtual_clock):
    bodies = Bodies(DOWN, DOWN, Call(5.0, "third"), FAST)
    assert await Policy(hedge=Hedge(max_hedges=3)).call(bodies) == "third"
    assert (now(), bodies.begun) == (5.2, [0.0, 0.1, 0.2])


async def test_row_31_a_primary_that_fails_brings_the_hedge_forward(virtual_clock):
    bodies = Bodies(DOWN, FAST)
    assert await Policy(hedge=1.0).call(bodies) == "fast"
    assert (now(), bodies.begun) == (0.2, [0.0, 0.1])


async def test_row_31_when_all_fail_the_outcome_is_the_primarys(virtual_clock):
    bodies = Bodies(Call(2.0, OSError("first")), Call(0.1, OSError("second")), Call(0.1, OSError("third")))
    with pytest.raises(OSError, match="first"):
        await Policy(hedge=Hedge(1.0, max_hedges=2)).call(bodies)
    assert (now(), bodies.begun) == (2.0, [0.0, 1.0, 1.1])


async def test_row_31_losers_have_ended_before_the_answer_is_given(virtual_clock):
    cleaned = []

    async def body():
        number = len(cleaned)
        cleaned.append(None)
        try:
            await asyncio.sleep(0.1 if number == 1 else 10.0)
        finally:
            await asyncio.sleep(2.0 if number == 0 else 3.0 if number == 2 else 0)
            cleaned[number] = now()
        return number

    assert await Policy(hedge=Hedge(0, max_hedges=2)).call(body) == 1
    assert (now(), cleaned) == (3.1, [2.1, 0.1, 3.1])  # all at once, not one after the other
    assert not others()


async def test_row_31_a_quantile_says_nothing_until_it_is_warm(virtual_clock):
    policy = Policy(hedge=Hedge(quantile=0.5, warm_up=3))
    quick = Bodies(Call(1.0, "done"))
    for _ in range(2):
        await policy.call(quick)
    bodies = Bodies(SLOW, FAST)
    assert await policy.call(bodies) == "slow"  # the third answer that is known: 1, 1 and 10 s
    assert len(bodies.begun) == 1
    bodies, began = Bodies(SLOW, FAST), now()
    assert await policy.call(bodies) == "fast"
    assert [at - began for at in bodies.begun] == [0.0, 1.0]


async def test_calls_that_were_given_up_do_not_make_the_quantile_shrink(virtual_clock):
    policy = Policy(hedge=Hedge(quantile=0.5, warm_up=4, window=4))
    for length in (1.0, 2.0, 3.0, 4.0):
        await policy.call(Bodies(Call(length, "done")))
    for _ in range(4):  # every second call is slow, and answered by a hedge
        assert await policy.call(Bodies(Call(1.0, "done"))) == "done"
        assert await policy.call(Bodies(SLOW, FAST)) == "fast"
    bodies, began = Bodies(SLOW, FAST), now()
    await policy.call(bodies)
    assert bodies.begun[1] - began >= 3.0


# -- who wins ----------------------------------------------------------------------------------------------


async def test_a_hedge_that_fails_leaves_it_to_the_primary(virtual_clock):
    bodies = Bodies(Call(3.0, "slow"), DOWN)
    assert await Policy(hedge=1.0).call(bodies) == "slow"
    assert (now(), bodies.begun) == (3.0, [0.0, 1.0])


async def test_a_failure_that_is_not_meant_is_the_answer(virtual_clock):
    bodies = Bodies(SLOW, Call(0.1, ValueError("your mistake")))
    with pytest.raises(ValueError, match="your mistake"):
        await Policy(hedge=Hedge(1.0, on=OSError)).call(bodies)
    assert now() == 1.1


async def test_a_value_that_on_result_refuses_is_no_answer(virtual_clock):
    bodies = Bodies(Call(0.5, None), Call(2.0, "good"))
    assert await Policy(hedge=Hedge(1.0, on_result=lambda value: value is None)).call(bodies) == "good"
    assert bodies.begun == [0.0, 0.5]


async def test_a_predicate_that_fails_ends_the_call(virtual_clock):
    with pytest.raises(ZeroDivisionError) as error:
        await Policy(hedge=Hedge(1.0, on_result=lambda value: 1 / 0)).call(Bodies(FAST))
    assert "raised by a function of the hedge" in error.value.__notes__[0]


async def test_each_hedge_has_retries_of_its_own(virtual_clock):
    bodies = Bodies(SLOW, DOWN, FAST)
    policy = Policy(hedge=1.0, retry=Retry(2, delay=constant(0.5)))
    assert await policy.call(bodies) == "fast"
    assert bodies.begun == [0.0, 1.0, 1.6]


async def test_the_wait_of_a_retry_ends_when_a_hedge_has_the_answer(virtual_clock):
    bodies = Bodies(Call(0.9, OSError("down")), FAST)
    assert await Policy(hedge=1.0, retry=Retry(3, delay=constant(60))).call(bodies) == "fast"
    assert now() == 1.1


async def test_a_rejection_brings_no_hedge_forward_and_wins_nothing(virtual_clock):
    bodies = Bodies(Call(2.0, "slow"))
    policy = Policy(hedge=1.0, bulkhead=Bulkhead(1))
    assert await policy.call(bodies) == "slow"  # the hedge found no place
    assert (now(), len(bodies.begun)) == (2.0, 1)


async def test_a_hedge_that_is_refused_has_attempts_and_no_calls(virtual_clock):
    follower = Follower()
    await outcome_of(Policy(hedge=1.0, bulkhead=Bulkhead(1)), Bodies(Call(2.0, "slow")), (), {}, follower)
    told = next(detail for kind, *rest in follower.heard if kind == "hedge_ended" for detail in rest)
    assert (told["end"], told["attempts"], told["calls"]) == ("refused", 1, 0)


async def test_a_refused_primary_is_refused_at_once(virtual_clock):
    policy = Policy(hedge=Hedge(), breaker=Breaker("hedged", failures=1), when_rejected="fail")
    with pytest.raises(OSError, match="down"):
        await policy.replace(hedge=None).call(Bodies(DOWN))
    bodies = Bodies(FAST)
    with pytest.raises(BreakerOpen):
        await policy.call(bodies)
    assert bodies.begun == []


async def test_the_answer_of_a_primary_that_swallows_its_loss_is_too_late(virtual_clock):
    calls = []

    async def body():
        calls.append(now())
        if len(calls) == 2:
            return "hedge"
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            return "too late"

    assert await Policy(hedge=1.0).call(body) == "hedge"
    assert asyncio.current_task().cancelling() == 0


# -- trap 14 and cancellation ------------------------------------------------------------------------------


async def test_trap_14_losers_are_awaited_and_what_they_raise_is_not_lost_on_the_loop(virtual_clock):
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    ended = []

    async def body():
        number = len(ended)
        ended.append(None)
        try:
            await asyncio.sleep(10.0 if number != 1 else 0.1)
        except asyncio.CancelledError:
            await asyncio.sleep(0.5)
            ended[number] = "cleaned up"
            raise OSError("while being cancelled") from None
        return "answer"

    assert await Policy(hedge=Hedge(0, max_hedges=3)).call(body) == "answer"
    assert ended == ["cleaned up", None, "cleaned up", "cleaned up"]
    assert not others()
    await asyncio.sleep(1)
    assert complaints == []


@pytest.mark.parametrize(("at", "calls"), [(0.5, 1), (1.5, 2)], ids=["before the hedge", "during the hedge"])
async def test_row_29_a_cancelled_caller_cancels_all(virtual_clock, at, calls):
    bodies = Bodies(SLOW)
    task = asyncio.create_task(Policy(hedge=1.0).call(bodies))
    await asyncio.sleep(at)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (now(), len(bodies.begun)) == (at, calls)
    assert set(bodies.ends.values()) == {"cancelled"}
    assert not others()


async def test_a_caller_who_is_cancelled_while_losers_end_is_cancelled_after_them(virtual_clock):
    ended = []

    async def body():
        number = len(ended)
        ended.append(None)
        try:
            await asyncio.sleep(0.1 if number == 0 else 10)
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.sleep(2))
            ended[number] = now()
            raise
        return "answer"

    async def wait_for_it():
        return await Policy(hedge=0).call(body)

    task = asyncio.create_task(wait_for_it())
    asyncio.get_running_loop().call_at(1.0, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert now() == 1.0, "those who clean up hear of it, too"
    assert not [one for one in others() if "hedge" in one.get_name()]


async def test_a_deadline_cuts_the_call_and_its_hedges(virtual_clock):
    bodies = Bodies(SLOW)
    with pytest.raises(DeadlineExceeded) as late:
        await Policy(deadline=2.5, hedge=Hedge(1.0, max_hedges=5)).call(bodies)
    assert (now(), bodies.begun, late.value.attempts) == (2.5, [0.0, 1.0, 2.0], 1)
    assert (set(bodies.ends.values()), others()) == ({"cancelled"}, set())


async def test_what_would_stop_the_loop_leaves_through_the_caller(virtual_clock):
    async def body():
        if asyncio.current_task().get_name().startswith("hedge"):
            raise SystemExit(3)
        await asyncio.sleep(10)

    with pytest.raises(SystemExit):
        await Policy(hedge=1.0).call(body)
    assert (now(), others(), asyncio.current_task().cancelling()) == (1.0, set(), 0)


async def test_a_hedge_that_cancels_itself_is_out_of_the_race(virtual_clock):
    async def body():
        if asyncio.current_task().get_name().startswith("hedge"):
            raise asyncio.CancelledError
        await asyncio.sleep(3)
        return "slow"

    assert await Policy(hedge=1.0).call(body) == "slow"


# -- budgets and observers ---------------------------------------------------------------------------------


async def test_row_32_a_budget_that_is_used_up_means_no_hedge(virtual_clock):
    policy = Policy(hedge=Hedge(1.0, budget=Budget("shared", share=0.0, floor=2)))
    bodies = Bodies(Call(5.0, "slow"))
    assert await asyncio.gather(*(policy.call(bodies) for _ in range(6))) == ["slow"] * 6
    assert len(bodies.begun) == 8
    spending = Budget("shared", share=0.0, floor=2).spending()
    assert (spending.calls, spending.extra) == (0, 0)


async def test_a_caller_who_is_cancelled_while_losers_end_has_left_the_budget(virtual_clock):
    budget = Budget("left")
    bodies = Bodies(Call(2.0, "first"), SLOW)

    async def body():
        try:
            return await bodies()
        except asyncio.CancelledError:
            await asyncio.sleep(1)
            raise

    task = asyncio.create_task(Policy(hedge=Hedge(1.0, budget=budget)).call(body))
    asyncio.get_running_loop().call_at(2.5, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (budget.spending().calls, budget.spending().extra, others()) == (0, 0, set())


@pytest.mark.parametrize("is_closed", [True, False], ids=["closed loop", "loop that goes on"])
def test_a_race_that_is_closed_waits_for_nobody_and_leaves_the_budget(is_closed):
    """As a coroutine is that its loop has left behind, when it is collected."""
    budget = Budget("closed")
    loop = asyncio.new_event_loop()
    race = Policy(hedge=Hedge(0, budget=budget)).call(asyncio.sleep, 10)

    async def first_steps():
        race.send(None)
        await asyncio.sleep(0)
        return others()

    hedges = loop.run_until_complete(first_steps())
    assert (len(hedges), budget.spending().calls, budget.spending().extra) == (1, 1, 1)
    if is_closed:
        loop.close()
        race.close()
        (hedge,) = hedges
        hedge.get_coro().close()
        hedge._log_destroy_pending = False
    else:
        race.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(asyncio.wait(hedges))
        loop.close()
    assert (budget.spending().calls, budget.spending().extra) == (0, 0)


async def test_retries_and_hedges_are_paid_from_the_same_budget(virtual_clock):
    budget = Budget("both", share=0.0, floor=1)
    policy = Policy(hedge=Hedge(1.0, budget=budget, max_hedges=3), retry=Retry(3, budget=budget, delay=0.1))
    bodies = Bodies(Call(5.0, OSError("down")))
    with pytest.raises(OSError, match="down"):
        await policy.call(bodies)
    assert (budget.spending().calls, budget.spending().extra) == (0, 0)
    assert bodies.begun[:2] == [0.0, 1.0]


async def test_the_observer_follows_the_primary_and_hears_of_hedges(virtual_clock):
    follower = Follower(hedges={1: Follower()})
    await outcome_of(Policy(hedge=1.0), Bodies(SLOW, FAST), (), {}, follower)
    told = {"hedge": 1, "seconds": pytest.approx(0.1), "end": "won", "attempts": 1, "calls": 1, "error": None}
    assert follower.heard == [
        ("started", 1),
        ("hedge_started", {"hedge": 1, "after": 1.0, "cause": "slow", "delay": 1.0}),
        ("hedge_ended", told),
        ("ended", 1, "StoodIn", "Enough"),
    ]
    assert follower.hedges[1].heard == [("started", 1), ("left",)]


async def test_a_hedge_without_room_is_tried_again_after_the_delay(virtual_clock):
    class Full(Follower):
        def hedged(self, number):
            return Follower() if now() > 2.5 else None

    bodies = Bodies(SLOW, FAST)
    await outcome_of(Policy(hedge=1.0), bodies, (), {}, Full())
    assert bodies.begun == [0.0, 3.0]


# -- properties --------------------------------------------------------------------------------------------

_LENGTHS = st.sampled_from([0.0, 0.2, 0.5, 1.0, 1.5, 3.0])
_CALLS = st.lists(st.tuples(_LENGTHS, st.sampled_from(["value", "error", "swallow"])), min_size=1, max_size=8)


@given(
    calls=_CALLS,
    after=st.sampled_from([None, 0.0, 0.5, 1.0]),
    max_hedges=st.integers(1, 3),
    attempts=st.integers(1, 2),
    deadline=st.sampled_from([None, 1.0, 2.5]),
    cancels=st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.2, 2.0]), max_size=2),
)
def test_no_race_leaks_a_task_or_runs_too_many_calls(calls, after, max_hedges, attempts, deadline, cancels):
    begun = 0
    live = set()
    most = 0

    async def body():
        nonlocal begun, most
        length, way = calls[begun % len(calls)]
        begun += 1
        me = object()
        live.add(me)
        most = max(most, len(live))
        try:
            await asyncio.sleep(length)
        except asyncio.CancelledError:
            if way != "swallow":
                raise
        finally:
            live.discard(me)
        if way == "error":
            raise OSError("down")
        return "value"

    async def caller(counts):
        policy = Policy(
            hedge=Hedge(after, max_hedges=max_hedges),
            retry=Retry(attempts, delay=constant(0.3)),
            deadline=deadline,
        )
        try:
            return await policy.call(body)
        except (OSError, DeadlineExceeded):
            return "failed"
        finally:
            counts.append(asyncio.current_task().cancelling())

    async def story():
        loop, counts, asked = asyncio.get_running_loop(), [], []
        task = asyncio.create_task(caller(counts))
        for at in cancels:
            loop.call_at(at, lambda: asked.append(task.cancel()))
        await asyncio.wait([task])
        assert not others()
        assert not live
        assert counts == [sum(asked)]

    run_virtual(story())
    assert most <= 1 + max_hedges
    assert begun <= (1 + max_hedges) * attempts
