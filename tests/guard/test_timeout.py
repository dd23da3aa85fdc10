"""Whose cancellation is it? The bookkeeping around an attempt timeout."""

from __future__ import annotations

import asyncio

import pytest

from asyncflow.errors import AttemptTimedOut
from asyncflow.guard.policy import Policy
from tests.clock import run_virtual
from tests.guard.doubles import cancelling, forever


def test_our_timeout_leaves_no_request_to_cancel_behind():
    async def story():
        with pytest.raises(AttemptTimedOut, match="attempt 1 ran longer than its timeout of 1 s"):
            await Policy(timeout=1.0).call(forever)
        assert cancelling() == 0
        await asyncio.sleep(1)  # a request left behind would surface here

    run_virtual(story())


def test_the_error_shows_where_the_body_was():
    async def story():
        with pytest.raises(AttemptTimedOut) as late:
            await Policy(timeout=1.0).call(forever)
        cause = late.value.__cause__
        assert isinstance(cause, asyncio.CancelledError)
        assert cause.__traceback__.tb_frame.f_code.co_name == "forever"

    run_virtual(story())


def test_an_enclosing_timeout_works_after_ours_fired():
    async def story():
        with pytest.raises(TimeoutError) as outer:
            async with asyncio.timeout(5):
                with pytest.raises(AttemptTimedOut):
                    await Policy(timeout=1.0).call(forever)
                await forever()
        assert not isinstance(outer.value, AttemptTimedOut)
        assert cancelling() == 0

    run_virtual(story())


@pytest.mark.parametrize("outer_first", [True, False])
def test_the_outer_deadline_wins_a_tie(outer_first):
    async def story():
        loop = asyncio.get_running_loop()
        end = loop.time() + 2.0
        policy = Policy(timeout=2.0)
        if not outer_first:
            # The queue's timer is set, and thus runs, before that of the enclosing timeout.
            await asyncio.create_task(policy.call(asyncio.sleep, 0))
        with pytest.raises(TimeoutError) as outer:
            async with asyncio.timeout_at(end):
                await policy.call(forever)
        assert not isinstance(outer.value, AttemptTimedOut)
        assert cancelling() == 0

    run_virtual(story())


def test_of_two_guards_that_are_due_together_the_outer_one_reports():
    async def story():
        inner, outer = Policy(timeout=2.0), Policy(timeout=2.0)
        seen = []

        async def body():
            try:
                await inner.call(forever)
            except BaseException as error:
                seen.append(type(error))
                raise

        with pytest.raises(AttemptTimedOut):
            await outer.call(body)
        assert seen == [asyncio.CancelledError]
        assert cancelling() == 0

    run_virtual(story())


def test_an_inner_guard_that_is_due_first_reports_to_its_own_caller():
    async def story():
        async def body():
            with pytest.raises(AttemptTimedOut):
                await Policy(timeout=1.0).call(forever)
            return "recovered"

        assert await Policy(timeout=2.0).call(body) == "recovered"

    run_virtual(story())


def test_the_callers_cancellation_comes_out_as_itself():
    async def story():
        task = asyncio.create_task(Policy(timeout=5.0, retry=3).call(forever))
        await asyncio.sleep(1)
        task.cancel("stop")
        with pytest.raises(asyncio.CancelledError, match="stop"):
            await task
        assert task.cancelled()

    run_virtual(story())


def test_a_cancellation_in_the_tick_of_our_timeout_wins():
    async def story():
        task = asyncio.create_task(Policy(timeout=1.0, retry=3).call(forever))
        asyncio.get_running_loop().call_at(1.0, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.get_running_loop().time() == pytest.approx(1.0)

    run_virtual(story())


def test_a_cancellation_while_the_body_cleans_up_after_our_timeout_wins():
    async def slow_to_leave():
        try:
            await forever()
        finally:
            await asyncio.sleep(10)

    async def story():
        task = asyncio.create_task(Policy(timeout=1.0, retry=3).call(slow_to_leave))
        await asyncio.sleep(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(story())


def test_a_cancellation_in_the_tick_of_the_result_is_not_lost():
    async def story():
        answered = asyncio.get_running_loop().create_future()

        async def body():
            return await answered

        task = asyncio.create_task(Policy(timeout=5.0, retry=3).call(body))
        await asyncio.sleep(1)
        answered.set_result("too late")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(story())


@pytest.mark.parametrize("error", [TimeoutError("mine"), AttemptTimedOut("of a guard further in")])
def test_the_bodys_own_timeout_error_keeps_its_identity(error):
    async def body():
        raise error

    async def story():
        with pytest.raises(TimeoutError) as raised:
            await Policy(timeout=5.0).call(body)
        assert raised.value is error

    run_virtual(story())


def test_a_body_that_answers_the_cancellation_with_a_value_keeps_it():
    async def body():
        try:
            await forever()
        except asyncio.CancelledError:
            return "what there is"

    async def story():
        assert await Policy(timeout=1.0).call(body) == "what there is"
        assert cancelling() == 0
        await asyncio.sleep(1)

    run_virtual(story())


def test_a_body_that_answers_the_cancellation_with_an_error_keeps_it():
    async def body():
        try:
            await forever()
        finally:
            raise ValueError("cleanup failed")

    async def story():
        with pytest.raises(ValueError, match="cleanup failed"):
            await Policy(timeout=1.0).call(body)
        assert cancelling() == 0

    run_virtual(story())


def test_a_cancellation_that_is_not_asked_of_the_caller_travels_on():
    async def body():
        inner = asyncio.create_task(forever())
        await asyncio.sleep(0)
        inner.cancel()
        await inner

    async def story():
        with pytest.raises(asyncio.CancelledError):
            await Policy(timeout=5.0, retry=3).call(body)
        assert cancelling() == 0

    run_virtual(story())


def test_a_guard_works_in_the_cleanup_of_a_cancelled_task():
    """The task already has a request to cancel pending; ours is counted on top of it, and retries go on."""

    async def story():
        cleaned = []

        async def release():
            cleaned.append(cancelling())
            if len(cleaned) < 3:
                await forever()

        async def work():
            try:
                await forever()
            finally:
                await Policy(timeout=1.0, retry=3).call(release)
                cleaned.append(cancelling())

        task = asyncio.create_task(work())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cleaned == [1, 1, 1, 1]

    run_virtual(story())


def test_a_body_with_a_task_group_is_timed_out_like_any_other():
    async def body():
        async with asyncio.TaskGroup() as group:
            group.create_task(forever())
            group.create_task(forever())

    async def story():
        with pytest.raises(AttemptTimedOut):
            await Policy(timeout=1.0).call(body)
        assert cancelling() == 0

    run_virtual(story())
