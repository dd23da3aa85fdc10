"""Compiled frames mean what the general frame means; they are only faster."""

from __future__ import annotations

import asyncio
import gc
import itertools
import traceback
import weakref
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.ambient import world
from asyncflow.errors import DeadlineExceeded
from asyncflow.guard import compiled, pipeline
from asyncflow.guard.compiled import source_of
from asyncflow.guard.deadlines import queue_for
from asyncflow.guard.policy import Policy
from asyncflow.policies import (
    AIMD,
    Breaker,
    Budget,
    Bulkhead,
    RateLimit,
    Retry,
    Throttle,
    TokenBudget,
    deadline,
    exponential,
)
from asyncflow.signals import FAIL, RETRY, SKIP
from tests.clock import run_virtual
from tests.guard.doubles import Body

# -- what a random call is ---------------------------------------------------------------------------------

PARTS = ("timeout", "retry", "breaker", "rate_limit", "bulkhead")
ENDINGS = ["value", "error", "error", "base", "skip", "fail", "retry", "swallow", "swallow"]


class Odd(BaseException):
    pass


@dataclass(frozen=True)
class Call:
    """One call: when it starts, what its attempts do, and when it is cancelled, maybe once more."""

    start: float
    attempts: tuple[tuple[float, str], ...]
    cancelled_after: float | None
    deadline: float | None
    by_decorator: bool
    in_cleanup: bool


# Eighths of a second, so that ends, timeouts, cancellations and probes often fall together.
def eighths(most):
    return st.integers(0, most).map(lambda count: count / 8)


CALLS = st.builds(
    Call,
    start=eighths(24),
    attempts=st.lists(st.tuples(eighths(16), st.sampled_from(ENDINGS)), min_size=1, max_size=3).map(tuple),
    cancelled_after=st.none() | st.none() | eighths(24),
    deadline=st.none() | st.none() | st.integers(1, 24).map(lambda count: count / 8),
    by_decorator=st.booleans(),
    in_cleanup=st.sampled_from([False, False, True]),
)

POLICIES = st.builds(
    Policy,
    timeout=st.sampled_from([None, 0.5, 1.0]),
    retry=st.sampled_from(
        [
            None,
            Retry(3),
            Retry(3, 0.25),
            Retry(2, exponential(0.25), jitter="decorrelated"),
            Retry(3, 0.125, budget=Budget("share", share=0.0, floor=1)),
            Retry(3, 0.125, budget=TokenBudget("tokens", capacity=2)),
            Retry(3, 0.25, within=0.5),
            Retry(3, on_result=lambda value: value == "value"),
        ]
    ),
    breaker=st.sampled_from(
        [
            None,
            Breaker("b", failures=2, open_for=0.5),
            Breaker("b", window=4, min_calls=2, open_for=0.5),
            Breaker("b", window_for=2.0, min_calls=2, slow_after=0.5, open_for=0.5),
            Breaker("b", failures=2, open_for=0.5, on_result=lambda value: value == "value"),
        ]
    ),
    when_rejected=st.sampled_from([None, "fail"]),
    throttle=st.sampled_from([None, None, Throttle(min_calls=2, name="t")]),
    rate_limit=st.sampled_from([None, RateLimit(2, per=1.0, name="r"), RateLimit(8, per=1.0, name="r")]),
    bulkhead=st.sampled_from([None, Bulkhead(2, name="h"), Bulkhead(1, queue=2, name="h")]),
) | st.builds(
    Policy,
    retry=st.sampled_from([None, Retry(3, 0.25)]),
    breaker=st.sampled_from([None, Breaker("b", failures=2, open_for=0.5)]),
    when_rejected=st.just("wait"),
    rate_limit=st.sampled_from([None, RateLimit(2, per=1.0, name="r")]),
    bulkhead=st.sampled_from([None, Bulkhead(1, queue=2, queue_timeout=0.5, name="h")]),
)


class Bodies:
    """The bodies of all calls, and the order in which they were called and ended."""

    def __init__(self):
        self.log = []

    def of(self, number, call):
        attempts = iter(call.attempts)

        async def body():
            takes, ending = next(attempts, (0.0, "value"))
            self.log.append((now(), number, "called"))
            try:
                if takes:
                    await asyncio.sleep(takes)
            except asyncio.CancelledError:
                self.log.append((now(), number, "cancelled"))
                if ending != "swallow":
                    raise
            else:
                self.log.append((now(), number, ending))
            raised = {
                "error": ValueError(f"of call {number}"),
                "base": Odd(f"of call {number}"),
                "skip": SKIP("no news"),
                "fail": FAIL("bad news"),
                "retry": RETRY("later", delay=0.25),
            }
            if ending in raised:
                raise raised[ending]
            return ending

        return body


def now():
    return round(world().monotonic(), 6)


async def one(policy, number, call, bodies, told):
    """Make a call and write down what it came to."""
    await asyncio.sleep(call.start)
    if call.in_cleanup:
        asyncio.current_task().cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
    body = bodies.of(number, call)
    made = policy(body) if call.by_decorator else lambda: policy.call(body)
    try:
        if call.deadline is None:
            value = await made()
        else:
            async with deadline(call.deadline):
                value = await made()
    except BaseException as error:
        notes = getattr(error, "__notes__", [])
        told[number] = (now(), type(error), str(error), repr(error.__cause__), notes)
        if isinstance(error, Odd | asyncio.CancelledError):
            return
    else:
        told[number] = (now(), value)
    finally:
        told[number] += (asyncio.current_task().cancelling() - call.in_cleanup,)


async def story(policy, calls):
    """Make all calls at once; return all that can be seen of them, and what is left behind."""
    loop, bodies, told = asyncio.get_running_loop(), Bodies(), {}
    policy.plan.find(asyncio.current_task())  # as after a first call, so that all calls have a choice
    async with asyncio.timeout(500), asyncio.TaskGroup() as group:
        for number, call in enumerate(calls):
            task = group.create_task(one(policy, number, call, bodies, told))
            if call.cancelled_after is not None:
                loop.call_at(loop.time() + call.start + call.cancelled_after, task.cancel)
    return bodies.log, told, repr(policy), left_behind(policy)


def left_behind(policy):
    """Return what calls that are over still hold."""
    held = []
    if policy.timeout is not None:
        held.append(", 0 running," in repr(queue_for(asyncio.get_running_loop(), policy.timeout)))
    if policy.bulkhead is not None:
        places = policy.bulkhead.places()
        held.append((places.taken, places.waiting) == (0, 0))
    if policy.retry is not None and isinstance(policy.retry.budget, Budget):
        shares = policy.retry.budget.spending()
        held.append((shares.calls, shares.extra) == (0, 0))
    if policy.breaker is not None:
        circuit = policy.breaker.circuit()
        held.append(circuit.state != "half-open" or circuit._probes.out == 0)
    return held


@settings(max_examples=150)
@given(policy=POLICIES, calls=st.lists(CALLS, min_size=1, max_size=8))
def test_compiled_and_general_frames_agree_and_hold_nothing_back(policy, calls):
    fast = run_virtual(story(policy, calls))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "source_of", lambda parts: source_of(frozenset()))
        compiled._maker.cache_clear()
        try:
            general = run_virtual(story(policy.replace(), calls))
        finally:
            compiled._maker.cache_clear()
    assert fast == general
    assert all(fast[-1])
    cancelled = {number for number, call in enumerate(calls) if call.cancelled_after is not None}
    for number, what in fast[1].items():
        assert what[-1] == 0 or number in cancelled


# -- the frames themselves ---------------------------------------------------------------------------------

EVERY = ("call", "memory", "budget", "timeout", "breaker", "rate limit", "bulkhead")


@pytest.mark.parametrize("judge", ["praise", "critic"])
@pytest.mark.parametrize("watch", ["watched", "unwatched"])
def test_the_source_of_every_set_of_parts_compiles(watch, judge):
    for count in range(len(EVERY)):
        for parts in itertools.combinations(EVERY[1:], count):
            wanted = {"call", *parts} | ({watch, judge} if "breaker" in parts else set())
            compile(source_of(frozenset(wanted)).format(first=""), "frame", "exec")


def test_a_part_that_is_not_there_leaves_no_line():
    source = source_of(Policy(retry=3).plan.parts)
    assert not any(word in source for word in ("circuit", "places", "limiter", "alarm", "spending"))


@pytest.mark.parametrize(
    ("policy", "is_compiled"),
    [
        (Policy(), True),
        (Policy(timeout=1, retry=3, breaker=Breaker("b"), bulkhead=Bulkhead(3)), True),
        (Policy(retry=Retry(3, budget=Budget("b"))), True),
        (Policy(retry=Retry(3, on_result=bool)), False),
        (Policy(retry=Retry(None, within=3)), False),
        (Policy(throttle=Throttle()), False),
        (Policy(bulkhead=Bulkhead(4, adaptive=AIMD())), False),
        (Policy(deadline=3), False),
    ],
)
def test_policies_that_judge_values_or_learn_are_left_to_the_general_frame(policy, is_compiled):
    assert bool(policy.plan.parts) is is_compiled


def test_a_plain_call_is_one_coroutine_and_never_in_the_general_frame(monkeypatch):
    policy = Policy(timeout=1, retry=3, breaker=Breaker("b"), rate_limit=RateLimit(9), bulkhead=Bulkhead(3))

    async def story():
        body = Body("first", "second")
        await policy.call(body)  # finds the states
        monkeypatch.setattr(pipeline, "attempts", None)
        return await policy.call(body), await policy(body)()

    assert run_virtual(story()) == ("second", "second")


def test_the_traceback_shows_the_lines_of_the_frame_and_leads_to_the_body():
    async def body():
        raise ValueError("F")

    async def story():
        policy = Policy(timeout=1)
        for _ in range(2):  # by the general frame, and by the compiled one
            with pytest.raises(ValueError, match="F") as raised:
                await policy(body)()
        return traceback.extract_tb(raised.value.__traceback__)

    frames = run_virtual(story())
    assert frames[-1].name == "body"
    assert frames[1].line == "return value_of(outcome)"


def test_an_error_out_of_a_compiled_frame_leaves_no_cycle():
    class Payload(Exception):
        pass

    async def body():
        raise Payload

    async def story():
        policy = Policy(timeout=1, retry=2, breaker=Breaker("b", failures=99))
        for _ in range(3):
            try:
                await policy.call(body)
            except Payload as error:
                last = weakref.ref(error)
        return last

    gc.disable()
    try:
        assert run_virtual(story())() is None
    finally:
        gc.enable()


def test_a_coroutine_that_is_thrown_away_gives_everything_back():
    policy = Policy(timeout=9, retry=3, breaker=Breaker("b"), bulkhead=Bulkhead(1))

    async def story():
        await policy.call(Body(1))
        thrown = policy.call(Body(5.0))
        thrown.send(None)
        assert policy.bulkhead.places().taken == 1
        thrown.close()
        return policy.bulkhead.places().taken, repr(queue_for(asyncio.get_running_loop(), 9.0))

    assert run_virtual(story()) == (0, "<DeadlineQueue 9 s, 0 running, 2 finished>")


# -- under a deadline --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeout", "running"), [(1.0, 1), (5.0, 0), (9.0, 0)], ids=["sooner", "tie", "later"]
)
def test_a_compiled_call_is_timed_only_if_it_ends_before_the_deadline(timeout, running):
    async def body():
        return f" {running} running" in repr(queue_for(asyncio.get_running_loop(), timeout))

    async def story():
        policy = Policy(timeout=timeout)
        await policy.call(asyncio.sleep, 0)
        async with deadline(5.0):
            return await policy.call(body)

    assert run_virtual(story())


def test_a_compiled_call_in_a_task_that_inherits_a_deadline_is_cut_by_it():
    async def story():
        policy = Policy(retry=3)
        await policy.call(asyncio.sleep, 0)
        async with deadline(2.0):
            task = asyncio.create_task(policy.call(asyncio.sleep, 60.0))
        with pytest.raises(DeadlineExceeded):
            await task
        return now()

    assert run_virtual(story()) == 2.0
