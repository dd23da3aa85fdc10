"""Total deadlines: as a block, of a policy, inherited; whose cancellation is it?"""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow.errors import AttemptTimedOut, DeadlineExceeded, InvalidPolicy, UsageError
from asyncflow.guard import scopes
from asyncflow.guard.pipeline import outcome_of
from asyncflow.outcomes import Again
from asyncflow.policies import Policy, Retry, Throttle, constant, deadline, remaining
from tests.clock import run_virtual
from tests.guard.doubles import Body, Follower, cancelling, forever, now

# -- a block -----------------------------------------------------------------------------------------------


async def test_a_block_ends_when_its_deadline_is_over(virtual_clock):
    with pytest.raises(DeadlineExceeded, match="the deadline of 2 s was over") as late:
        async with deadline(2):
            await forever()
    assert (now(), cancelling(), remaining()) == (2.0, 0, None)
    assert isinstance(late.value.__cause__, asyncio.CancelledError)
    await asyncio.sleep(5)  # a request left behind would surface here


async def test_a_block_that_ends_in_time_leaves_nothing_behind(virtual_clock):
    async with deadline(2):
        assert remaining() == 2.0
        await asyncio.sleep(1)
        assert remaining() == 1.0
    await asyncio.sleep(5)
    assert (cancelling(), remaining()) == (0, None)


@pytest.mark.parametrize(("outer", "inner", "end"), [(3, 1, 1), (1, 3, 1), (2, 2, 2)])
async def test_the_earlier_of_two_deadlines_holds(virtual_clock, outer, inner, end):
    caught = []
    try:
        async with deadline(outer):
            try:
                async with deadline(inner):
                    assert remaining() == end
                    await forever()
            except DeadlineExceeded:
                caught.append("inner")
                raise
    except DeadlineExceeded:
        caught.append("outer")
    assert caught == (["inner", "outer"] if inner < outer else ["outer"])  # the outer one wins a tie
    assert (now(), cancelling()) == (end, 0)


async def test_an_outer_deadline_works_after_an_inner_one_was_over(virtual_clock):
    with pytest.raises(DeadlineExceeded, match="of 3 s"):
        async with deadline(3):
            with pytest.raises(DeadlineExceeded, match="of 1 s"):
                async with deadline(1):
                    await forever()
            assert remaining() == 2.0
            await forever()
    assert (now(), cancelling()) == (3.0, 0)


async def test_a_timeout_of_the_body_keeps_its_identity(virtual_clock):
    mine = TimeoutError("the body's own")
    with pytest.raises(TimeoutError) as raised:
        async with deadline(2):
            raise mine
    assert raised.value is mine


async def test_a_body_that_answers_the_cancellation_keeps_its_answer(virtual_clock):
    async with deadline(2):
        with pytest.raises(asyncio.CancelledError):
            await forever()
    assert (now(), cancelling()) == (2.0, 0)


async def test_a_cancellation_by_somebody_else_wins(virtual_clock):
    async def both():
        async with deadline(2):
            await forever()

    task = asyncio.create_task(both())
    asyncio.get_running_loop().call_at(2.0, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


@pytest.mark.parametrize("length", [0, -1, float("inf"), "2"])
def test_a_deadline_is_a_length_of_time(length):
    with pytest.raises(InvalidPolicy):
        deadline(length)


async def test_each_block_has_a_deadline_of_its_own(virtual_clock):
    one = deadline(2)
    async with one:
        with pytest.raises(UsageError, match="is in use"):
            async with one:
                raise AssertionError("never entered")
    async with one:  # one after the other is fine
        assert remaining() == 2.0


def timers(loop):
    """Return the list of the times for which timers are set from now on."""
    times, call_at = [], loop.call_at

    def noted(when, *call, **context):
        times.append(when)
        return call_at(when, *call, **context)

    loop.call_at = noted
    return times


async def test_one_timer_serves_all_who_work_under_a_deadline(virtual_clock):
    loop, calls = asyncio.get_running_loop(), []
    times = timers(loop)
    with pytest.raises(DeadlineExceeded):
        async with deadline(2):
            calls += [asyncio.create_task(Policy().call(forever)) for _ in range(50)]
            await asyncio.sleep(0)
            assert times == [2.0]
            await forever()
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error) for error in ended} == {DeadlineExceeded}


async def test_calls_with_the_same_deadline_share_a_timer(virtual_clock):
    times = timers(asyncio.get_running_loop())
    policy = Policy(deadline=2.0)
    ended = await asyncio.gather(*(policy.call(forever) for _ in range(100)), return_exceptions=True)
    assert {type(error) for error in ended} == {DeadlineExceeded}
    assert times.count(2.0) == 1


async def test_a_deadline_that_is_held_once_more_still_cuts(virtual_clock):
    async def child(start):
        await asyncio.sleep(start)
        await Policy().call(forever)

    async def body():
        return asyncio.create_task(child(0.5)), asyncio.create_task(child(1.0))

    first, second = await Policy(deadline=2.0).call(body)
    await asyncio.sleep(0.7)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    with pytest.raises(DeadlineExceeded):
        await second
    assert (now(), second.cancelling()) == (2.0, 0)


# -- inherited ---------------------------------------------------------------------------------------------


async def test_an_asyncio_task_inherits_the_deadline_and_is_cut_in_its_calls(virtual_clock):
    body = Body(10.0)

    async def child():
        assert remaining() == 2.0
        await Policy().call(body)

    async with deadline(2):
        left_alone = asyncio.create_task(child())
        await asyncio.sleep(1)
    with pytest.raises(DeadlineExceeded, match="during attempt 1"):
        await left_alone
    assert (now(), body.cancelled) == (2.0, 1)


async def test_nothing_begins_under_an_inherited_deadline_that_is_over(virtual_clock):
    body = Body("done")

    async def child():
        await asyncio.sleep(3)
        assert remaining() == 0.0
        await Policy(retry=3).call(body)

    async with deadline(2):
        late = asyncio.create_task(child())
    with pytest.raises(DeadlineExceeded, match="before it began") as error:
        await late
    assert (body.calls, error.value.attempts) == (0, 0)


@pytest.mark.parametrize(
    "limit",
    [Policy(timeout=1.0), Policy(timeout=1.0, throttle=Throttle()), Policy(deadline=1.0), None],
    ids=["compiled", "general", "of a policy", "block"],
)
async def test_what_cleans_up_after_a_deadline_has_its_own_limits(virtual_clock, limit):
    """The deadline has cut its task and will not do so again; nobody else would end a cleanup that hangs."""
    ends = []

    async def clean_up():
        if limit is not None:
            await limit.call(forever)
        async with deadline(1.0):
            await forever()

    async def work():
        try:
            await forever()
        finally:
            try:
                await clean_up()
            except TimeoutError as error:
                ends.append((now(), type(error)))

    async def story():
        async with deadline(2.0):
            await work()

    with pytest.raises(DeadlineExceeded, match="of 2 s"):
        await asyncio.wait_for(story(), 100)
    own = AttemptTimedOut if limit is not None and limit.timeout else DeadlineExceeded
    assert (ends, cancelling(), remaining()) == ([(3.0, own)], 0, None)


async def test_what_has_rung_early_is_over(virtual_clock):
    """A loop runs timers early by the resolution of its clock, which is 16 ms on Windows."""
    async with deadline(2.0):
        innermost = scopes.innermost()
        late = asyncio.create_task(Policy(retry=3).call(forever))
        innermost.fired = True
        assert (remaining(), remaining(now())) == (0.0, 0.0)
        with pytest.raises(DeadlineExceeded, match="before it began"):
            await late


async def test_an_inherited_deadline_outlasts_the_block_that_set_it(virtual_clock):
    async def child():
        async with deadline(5):
            await forever()

    async with deadline(2):
        orphan = asyncio.create_task(child())
    with pytest.raises(DeadlineExceeded, match="of 2 s"):
        await orphan
    assert now() == 2.0


def test_a_loop_in_another_thread_has_the_rest_of_the_time():
    async def inside():
        async with deadline(100):
            assert 0 < remaining() <= 60
            own = scopes.innermost()
            assert own.loop is asyncio.get_running_loop(), "whose timers can cancel this task"
            assert own.cuts(asyncio.current_task())
            await Policy(retry=2).call(asyncio.sleep, 0)

    async def story():
        async with deadline(60):
            await asyncio.to_thread(asyncio.run, inside())

    asyncio.run(story())


# -- of a policy -------------------------------------------------------------------------------------------


async def test_a_deadline_counts_all_attempts_and_waits(virtual_clock):
    policy = Policy(deadline=2.2, retry=Retry(10, delay=constant(0.5)))
    body = Body(OSError("one"), OSError("two"), OSError("three"), 10.0)
    with pytest.raises(DeadlineExceeded, match=r"the deadline of 2.2 s was over during attempt 4") as late:
        await policy.call(body)
    assert (now(), body.calls, body.cancelled, cancelling()) == (2.2, 4, 1, 0)
    assert late.value.attempts == 4
    assert str(late.value.__cause__) == "three"


async def test_trap_06_a_deadline_cuts_a_running_attempt(virtual_clock):
    body = Body(0.5)
    with pytest.raises(DeadlineExceeded) as late:
        await Policy(deadline=0.1, retry=3).call(body)
    assert (now(), body.calls, body.cancelled) == (0.1, 1, 1)
    assert isinstance(late.value.__cause__, asyncio.CancelledError)


async def test_trap_06_no_wait_starts_that_does_not_fit(virtual_clock):
    body = Body(OSError("down"))
    with pytest.raises(OSError, match="down") as last:
        await Policy(deadline=0.3, retry=Retry(9, delay=0.25)).call(body)
    assert (now(), body.calls) == (0.25, 2)
    assert any("2 attempts were made" in note and "left" in note for note in last.value.__notes__)


async def test_trap_06_the_deadline_is_of_the_whole_and_not_of_an_attempt(virtual_clock):
    body = Body(OSError("down"))
    with pytest.raises(OSError, match="down"):
        await Policy(deadline=0.2, retry=Retry(5, delay=0.5)).call(body)
    assert (now(), body.calls) == (0.0, 1)


async def test_an_attempt_timeout_is_for_the_retry_and_the_deadline_is_not(virtual_clock):
    body = Body(10.0)
    with pytest.raises(DeadlineExceeded) as late:
        await Policy(deadline=2.5, timeout=1.0, retry=9).call(body)
    assert (now(), body.calls, late.value.attempts) == (2.5, 3, 3)
    assert isinstance(late.value.__cause__, AttemptTimedOut)


async def test_the_deadline_wins_a_tie_with_the_attempt_timeout(virtual_clock):
    body = Body(10.0)
    with pytest.raises(DeadlineExceeded):
        await Policy(deadline=1.0, timeout=1.0, retry=3).call(body)
    assert (now(), body.calls, cancelling()) == (1.0, 1, 0)


async def test_what_the_body_calls_inherits_the_deadline_of_the_policy(virtual_clock):
    inner, told = Body(OSError("down")), []

    async def body():
        told.append(remaining())
        await asyncio.sleep(0.5)
        await Policy(retry=Retry(9, delay=1.0)).call(inner)

    with pytest.raises(OSError, match="down"):
        await Policy(deadline=2.0).call(body)
    assert told == [2.0]
    assert (now(), inner.calls) == (1.5, 2)


async def test_a_nested_deadline_can_only_be_earlier(virtual_clock):
    async def body():
        await Policy(deadline=60.0, retry=5).call(forever)

    with pytest.raises(DeadlineExceeded, match="of 1 s was over during attempt 1"):
        await Policy(deadline=1.0).call(body)
    assert now() == 1.0


async def test_the_observer_hears_of_a_cut_attempt_once(virtual_clock):
    follower = Follower()
    await outcome_of(Policy(deadline=1.0, retry=3), forever, (), {}, follower)
    assert follower.heard == [("started", 1), ("ended", 1, "TimedOut", "Enough")]


async def test_an_observer_that_wants_another_attempt_gets_a_new_deadline(virtual_clock):
    follower = Follower(late={1: Again(3.0, "once more")}, waits=True)
    body = Body(10.0, "done")
    await outcome_of(Policy(deadline=1.0), body, (), {}, follower)
    assert [heard[:2] for heard in follower.heard] == [
        ("started", 1),
        ("ended", 1),
        ("started", 2),
        ("ended", 2),
    ]
    assert now() == 4.0


def test_what_was_cut_is_not_held_by_a_cycle():
    async def story():
        try:
            await Policy(deadline=1.0, retry=2, hedge=0.5).call(forever)
        except DeadlineExceeded as late:
            return weakref.ref(late)

    gc.disable()
    try:
        assert run_virtual(story())() is None
    finally:
        gc.enable()


@given(
    st.lists(st.tuples(st.sampled_from([0.5, 1.0, 1.5, 2.0, 2.5]), st.booleans()), max_size=4),
    st.sampled_from([0.5, 1.0, 2.0, 3.0]),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.booleans(),
)
def test_no_schedule_of_cancellations_leaves_a_request_behind(cancels, outer, inner, swallows):
    """Cancellations at any time, ours or not: afterwards the count is what the others asked for."""

    async def body():
        try:
            await asyncio.sleep(1.25)
        except asyncio.CancelledError:
            if not swallows:
                raise
        return "done"

    async def victim(ends):
        try:
            async with deadline(outer):
                await Policy(deadline=inner, timeout=0.4, retry=Retry(9, delay=0.3)).call(body)
        except (DeadlineExceeded, AttemptTimedOut):
            pass
        finally:
            ends.append(asyncio.current_task().cancelling())
            ends.append(remaining())

    async def story():
        loop, ends, asked = asyncio.get_running_loop(), [], []
        task = asyncio.create_task(victim(ends))
        for at, _ in cancels:
            loop.call_at(at, lambda: asked.append(task.cancel()))
        await asyncio.wait([task])
        counted = sum(asked)
        assert ends == [counted, None]
        assert not asyncio.all_tasks() - {asyncio.current_task()}

    run_virtual(story())
