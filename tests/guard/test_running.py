from __future__ import annotations

import asyncio
import threading

import pytest

from asyncflow.errors import AttemptTimedOut
from asyncflow.guard.policy import Policy
from asyncflow.guard.running import NoLoop, running_on, to_ask
from asyncflow.policies import Breaker, Retry
from tests.clock import run_virtual
from tests.guard.doubles import Body, forever


def test_the_running_task_is_found_on_its_own_loop_and_on_no_other():
    async def story():
        loop = asyncio.get_running_loop()
        other = asyncio.new_event_loop()
        found = running_on(to_ask(loop)), running_on(to_ask(other)), running_on(NoLoop)
        other.close()
        return found == (asyncio.current_task(), None, None)

    assert asyncio.run(story())


def test_no_task_is_found_outside_of_one():
    async def story():
        loop, answer = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        loop.call_soon(lambda: answer.set_result(running_on(to_ask(loop))))
        return await answer

    assert asyncio.run(story()) is None


def test_a_task_of_another_thread_is_not_taken_for_ones_own():
    """While a loop is in the middle of a step in one thread, a task in another thread asks for its task."""

    async def ask(loop):
        return running_on(loop)

    async def story():
        seen = []
        loop = to_ask(asyncio.get_running_loop())
        asking = threading.Thread(target=lambda: seen.append(asyncio.run(ask(loop))))
        asking.start()
        asking.join()
        return seen

    assert asyncio.run(story()) == [None]


def test_one_policy_serves_two_loops_in_two_threads_at_once():
    policy = Policy(timeout=60.0, retry=Retry(2), breaker=Breaker("two threads", failures=99))
    gate = threading.Barrier(2)
    results = []

    async def calls():
        for number in range(200):
            assert await policy.call(asyncio.sleep, 0, number) == number
            if number == 0:
                gate.wait(timeout=30)
        return asyncio.current_task().cancelling()

    threads = [threading.Thread(target=lambda: results.append(asyncio.run(calls()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0, 0]


def test_a_loop_that_hides_its_thread_has_policies_all_the_same(monkeypatch):
    monkeypatch.setattr("asyncflow.guard.found.to_ask", lambda loop: NoLoop)
    policy = Policy(timeout=1.0, retry=2)

    async def story():
        with pytest.raises(AttemptTimedOut):
            await policy.call(forever)
        return await policy.call(Body(ValueError(), "second")), asyncio.current_task().cancelling()

    assert run_virtual(story()) == ("second", 0)
