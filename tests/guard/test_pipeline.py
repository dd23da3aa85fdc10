from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from asyncflow.ambient import world
from asyncflow.errors import BreakerOpen, InvalidPolicy, UsageError
from asyncflow.guard.pipeline import outcome_of
from asyncflow.guard.policy import Policy
from asyncflow.outcomes import (
    Again,
    Enough,
    Raised,
    Refused,
    Returned,
    Signalled,
    TimedOut,
)
from asyncflow.policy.backoff import exponential
from asyncflow.policy.breaker import Breaker
from asyncflow.policy.retry import Retry
from asyncflow.signals import ENDRUN, FAIL, RETRY, SKIP, SUCCESS
from asyncflow.states import Success
from tests.clock import run_virtual
from tests.guard.doubles import Body, Follower, attempts_in

BREAKER = Breaker("b", failures=3, open_for=30)


def run(policy, body, follower=None):
    """Return the outcome, the attempts, the calls and the state of the circuit."""

    async def story():
        observer = follower or Follower()
        outcome = await outcome_of(policy, body, (), {}, observer)
        circuit = policy.breaker.circuit().state if policy.breaker else None
        return outcome, attempts_in(observer), body.calls, circuit

    return run_virtual(story())


F = ValueError("F")


@pytest.mark.parametrize(
    ("policy", "script", "kind", "attempts", "calls", "circuit"),
    [
        (Policy(), [1], Returned, 1, 1, None),
        (Policy(), [F], Raised, 1, 1, None),
        (Policy(), [SKIP()], Signalled, 1, 1, None),
        (Policy(), [RETRY(), RETRY(), 1], Returned, 3, 3, None),
        (Policy(timeout=1), [1], Returned, 1, 1, None),
        (Policy(timeout=1), [5.0], TimedOut, 1, 1, None),
        (Policy(timeout=1), [RETRY(delay=9), 5.0], TimedOut, 2, 2, None),
        (Policy(retry=3), [F, F, 1], Returned, 3, 3, None),
        (Policy(retry=3), [F], Raised, 3, 3, None),
        (Policy(retry=3), [F, RETRY(), RETRY(), RETRY(), F], Raised, 5, 5, None),
        (Policy(retry=3), [FAIL(), SUCCESS(result=1)], Signalled, 2, 2, None),
        (Policy(retry=3), [ENDRUN(Success())], Signalled, 1, 1, None),
        (Policy(retry=Retry(3, on=KeyError)), [F], Raised, 1, 1, None),
        (Policy(retry=Retry(3, on_result=lambda value: value < 3)), [1, 2, 3], Returned, 3, 3, None),
        (Policy(retry=Retry(3, on_result=lambda value: value < 3)), [1], Returned, 3, 3, None),
        # A slow call is a failure that `on` may name.
        (Policy(timeout=0.05, retry=3), [0.1, 0.1, 0.01], Returned, 3, 3, None),
        (Policy(timeout=0.05, retry=Retry(3, on=KeyError)), [0.1, 1], TimedOut, 1, 1, None),
        # Each attempt is one sample of the breaker.
        (Policy(retry=3, breaker=BREAKER), [F, F, 1], Returned, 3, 3, "closed"),
        (Policy(retry=3, breaker=BREAKER), [F], Raised, 3, 3, "open"),
        (Policy(retry=9, breaker=BREAKER), [F], Refused, 4, 3, "open"),
        (Policy(timeout=1, retry=3, breaker=BREAKER), [5.0], TimedOut, 3, 3, "open"),
        (Policy(retry=9, breaker=BREAKER), [F, F, RETRY(), F], Refused, 5, 4, "open"),
        (Policy(retry=5, breaker=BREAKER), [F, F, SUCCESS()], Signalled, 3, 3, "closed"),
        (Policy(retry=5, breaker=BREAKER), [FAIL()], Refused, 4, 3, "open"),
        (Policy(retry=5, breaker=Breaker("b", failures=1, on=KeyError)), [F], Raised, 5, 5, "closed"),
        # A refused attempt is not retried unless `on` names it.
        (Policy(retry=3, breaker=Breaker("b", failures=1)), [F], Refused, 2, 1, "open"),
        (
            Policy(
                retry=Retry(3, on=(ValueError, BreakerOpen), honour_retry_after=False),
                breaker=Breaker("b", failures=1),
            ),
            [F],
            Refused,
            3,
            1,
            "open",
        ),
        (
            Policy(retry=Retry(3, on=(ValueError, BreakerOpen)), breaker=Breaker("b", failures=1)),
            [F, 1],
            Returned,
            3,
            2,
            "closed",
        ),
        # or the caller rather waits.
        (Policy(retry=9, breaker=BREAKER, when_rejected="wait"), [F, F, F, 1], Returned, 5, 4, "closed"),
        (Policy(retry=4, breaker=BREAKER, when_rejected="wait"), [F, F, F, F], Raised, 5, 4, "open"),
        (
            Policy(retry=9, breaker=Breaker("b", failures=1, open_for=float("inf")), when_rejected="wait"),
            [F],
            Refused,
            2,
            1,
            "open",
        ),
    ],
)
def test_policies_together_make_so_many_attempts_and_calls(policy, script, kind, attempts, calls, circuit):
    outcome, *counts = run(policy, Body(*script))
    assert type(outcome) is kind
    assert counts == [attempts, calls, circuit]


def test_a_breaker_around_retries_counts_one_failure_per_call():
    async def story():
        body = Body(F)
        outer, inner = Policy(breaker=Breaker("b", failures=5)), Policy(retry=3)
        with pytest.raises(ValueError, match="F"):
            await outer.call(inner.call, body)
        return body.calls, repr(outer.breaker.circuit())

    assert run_virtual(story()) == (3, "<Breaker b closed, 1/5 failures>")


def test_nested_retries_multiply():
    async def story():
        body = Body(F, F, F, F, F, "done")
        assert await Policy(retry=11).call(Policy(retry=2).call, body) == "done"
        return body.calls

    assert run_virtual(story()) == 6


def test_a_rejection_further_in_is_neutral_for_the_policies_around_it():
    async def story():
        outer = Policy(retry=5, breaker=Breaker("outer", failures=1))
        inner = Policy(breaker=Breaker("inner", failures=1))
        with pytest.raises(ValueError, match="F"):
            await inner.call(Body(F))
        body = Body(1)
        with pytest.raises(BreakerOpen, match="inner"):
            await outer.call(inner.call, body)
        return body.calls, outer.breaker.circuit().state

    assert run_virtual(story()) == (0, "closed")


def test_each_timed_out_body_sees_its_cancellation_and_the_quick_one_does_not():
    body = Body(0.1, 0.1, 0.01)
    outcome, attempts, calls, _ = run(Policy(timeout=0.05, retry=3), body)
    assert (outcome, attempts, calls, body.cancelled) == (Returned(0.01), 3, 3, 2)


def test_waits_follow_the_backoff():
    async def story():
        times = []

        async def body():
            times.append(round(world().monotonic(), 6))
            raise F

        await outcome_of(Policy(retry=Retry(5, exponential(1.0, cap=5.0))), body, (), {})
        return times

    assert run_virtual(story()) == [0, 1, 3, 7, 12]


def test_callers_that_share_a_policy_do_not_share_its_backoff():
    async def story():
        policy = Policy(retry=Retry(4, exponential(1.0)))

        async def caller(times):
            async def body():
                times.append(round(world().monotonic(), 6))
                raise F

            await outcome_of(policy, body, (), {})

        lists = [[], [], []]
        async with asyncio.TaskGroup() as group:
            for times in lists:
                group.create_task(caller(times))
        return lists

    assert run_virtual(story()) == [[0, 1, 3, 7]] * 3


def test_jitter_is_drawn_from_the_world_so_that_a_seed_fixes_it():
    async def story():
        await outcome_of(Policy(retry=Retry(6, 10.0, jitter="full")), Body(F), (), {})
        return world().monotonic()

    assert run_virtual(story(), seed=1) == run_virtual(story(), seed=1)
    assert run_virtual(story(), seed=1) != run_virtual(story(), seed=2)


def test_a_server_that_says_when_is_obeyed_on_the_worlds_wall_clock():
    async def story():
        overloaded = ConnectionError("503")
        overloaded.headers = {"Retry-After": "Tue, 14 Nov 2023 22:14:20 GMT"}
        await outcome_of(Policy(retry=Retry(2, 1.0)), Body(overloaded, "well again"), (), {})
        return world().monotonic()

    assert run_virtual(story()) == pytest.approx(60)


@pytest.mark.parametrize("policy", [Policy(), Policy(retry=3), Policy(5, Retry(3), BREAKER)])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_must_not_be_caught_travels_on_and_nothing_is_tried_again(policy, error):
    body = Body(error)
    with pytest.raises(error):
        run(policy, body)
    assert body.calls == 1


def test_a_base_exception_of_the_users_own_is_an_outcome_that_is_not_retried():
    class Odd(BaseException):
        pass

    error = Odd()
    outcome, attempts, *_ = run(Policy(retry=Retry(3, on=lambda error: True)), Body(error))
    assert (outcome, attempts) == (Raised(error), 1)


def test_a_group_of_one_signal_counts_as_the_signal():
    skip = SKIP("nothing new")
    grouped = BaseExceptionGroup("tasks", [BaseExceptionGroup("more", [skip])])
    assert run(Policy(retry=3), Body(grouped))[0] == Signalled(skip)
    mixed = BaseExceptionGroup("tasks", [skip, ValueError()])
    assert run(Policy(retry=3), Body(mixed))[:2] == (Raised(mixed), 1)


# -- cancellation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cancel_at", [0.5, 1.0, 3.0])
def test_a_cancelled_caller_makes_no_other_attempt(cancel_at):
    """The body runs until 1.0, and then the backoff lasts until 6.0."""

    async def story():
        body = Body(1.0)
        policy = Policy(retry=Retry(9, 5.0, on_result=lambda value: True), breaker=BREAKER, timeout=4)
        task = asyncio.create_task(outcome_of(policy, body, (), {}))
        await asyncio.sleep(cancel_at)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert world().monotonic() == pytest.approx(cancel_at)
        await asyncio.sleep(60)
        return body.calls

    assert run_virtual(story()) == 1


def test_cancelled_calls_never_count_for_the_breaker():
    async def story():
        policy = Policy(retry=3, breaker=Breaker("b", failures=3))
        with pytest.raises(ValueError, match="F"):
            await policy.replace(retry=None).call(Body(F))
        for _ in range(10):
            task = asyncio.create_task(policy.call(Body(5.0)))
            await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.wait([task])
        return repr(policy.breaker.circuit())

    assert run_virtual(story()) == "<Breaker b closed, 1/3 failures>"


def test_a_cancelled_probe_gives_its_permit_back():
    async def story():
        policy = Policy(breaker=Breaker("b", failures=1, open_for=5))
        with pytest.raises(ValueError, match="F"):
            await policy.call(Body(F))
        await asyncio.sleep(5)
        probe = asyncio.create_task(policy.call(Body(9.0)))
        await asyncio.sleep(1)
        with pytest.raises(BreakerOpen):
            await policy.call(Body(1))
        probe.cancel()
        await asyncio.wait([probe])
        assert policy.breaker.circuit().state == "half-open"
        assert await policy.call(Body("well")) == "well"
        return policy.breaker.circuit().state

    assert run_virtual(story()) == "closed"


@pytest.mark.parametrize("answer", [ValueError("turned into an error"), RETRY("once more")])
def test_a_body_that_answers_a_cancellation_with_a_failure_is_not_run_again(answer):
    async def story():
        calls = []

        async def body():
            calls.append(1)
            try:
                await asyncio.sleep(9)
            except asyncio.CancelledError:
                raise answer from None

        task = asyncio.create_task(outcome_of(Policy(retry=5), body, (), {}))
        await asyncio.sleep(1)
        task.cancel()
        outcome = await task
        return type(outcome), len(calls)

    assert run_virtual(story()) == (Signalled if isinstance(answer, RETRY) else Raised, 1)


def test_a_coroutine_that_is_thrown_away_gives_its_permit_back():
    async def story():
        policy = Policy(timeout=60, breaker=Breaker("b", failures=1, open_for=0))
        await outcome_of(policy, Body(F), (), {})
        follower = Follower()
        probe = outcome_of(policy, Body(9.0), (), {}, follower, asyncio.current_task())
        probe.send(None)
        assert "1/1 probes out" in repr(policy.breaker.circuit())
        probe.close()
        assert follower.heard[0] == ("started", 1)
        assert not any(heard[0] == "ended" for heard in follower.heard)
        return repr(policy.breaker.circuit())

    assert run_virtual(story()) == "<Breaker b half-open, 0/1 probes out, 0 passed>"


# -- the breaker -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("probes", [1, 3])
def test_of_twenty_calls_at_probe_time_exactly_the_probes_run(probes):
    async def story():
        policy = Policy(breaker=Breaker("b", failures=1, open_for=5, probes=probes))
        await outcome_of(policy, Body(F), (), {})
        await asyncio.sleep(5)
        body = Body(1.0)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(outcome_of(policy, body, (), {})) for _ in range(20)]
        refused = sum(isinstance(task.result(), Refused) for task in tasks)
        return body.calls, refused, policy.breaker.circuit().state

    assert run_virtual(story()) == (probes, 20 - probes, "closed")


def test_twenty_callers_that_rather_wait_all_get_through():
    async def story():
        policy = Policy(breaker=Breaker("b", failures=1, open_for=5), when_rejected="wait")
        await outcome_of(policy, Body(F), (), {})
        body = Body(0.5)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(outcome_of(policy, body, (), {})) for _ in range(20)]
        return {task.result() for task in tasks}, body.calls, world().monotonic()

    outcomes, calls, ended = run_virtual(story())
    assert outcomes == {Returned(0.5)}
    assert calls == 20
    assert ended == pytest.approx(6.5)  # the probe at 5.0 ends at 5.5; the others ask again at 6.0


def test_a_late_success_does_not_close_an_open_circuit():
    async def story():
        policy = Policy(breaker=Breaker("b", failures=1, open_for=60))
        slow = asyncio.create_task(outcome_of(policy, Body(3.0), (), {}))
        await asyncio.sleep(1)
        await outcome_of(policy, Body(F), (), {})
        assert await slow == Returned(3.0)
        return policy.breaker.circuit().state

    assert run_virtual(story()) == "open"


def test_changes_of_the_circuit_are_noted():
    async def story():
        policy = Policy(breaker=Breaker("b", failures=1, open_for=5))
        follower = Follower()
        for script, wait in ((F, 5), (F, 5), (1, 0)):
            await outcome_of(policy, Body(script), (), {}, follower)
            await asyncio.sleep(wait)
        return [detail for kind, detail, *_ in follower.heard if kind == "breaker_changed"]

    told = run_virtual(story())
    assert [(detail["breaker"], detail["old"], detail["new"], detail["why"]) for detail in told] == [
        ("b", "closed", "open", "after a failure"),
        ("b", "open", "half-open", "after a failure"),
        ("b", "half-open", "open", "since a probe failed"),
        ("b", "open", "half-open", "since a probe failed"),
        ("b", "half-open", "closed", ""),
    ]


def test_a_name_with_two_settings_is_a_failure_and_not_a_crash():
    async def story():
        Breaker("b", failures=2).circuit()
        return await outcome_of(Policy(retry=3, breaker=Breaker("b", failures=3)), Body(1), (), {})

    outcome = run_virtual(story())
    assert isinstance(outcome, Raised)
    assert isinstance(outcome.error, InvalidPolicy)


def test_one_policy_lives_in_one_world_after_another():
    policy = Policy(breaker=Breaker("b", failures=1))
    for _ in range(2):
        outcome, _, calls, circuit = run(policy, Body(F))
        assert (type(outcome), calls, circuit) == (Raised, 1, "open")


# -- functions of the user's -------------------------------------------------------------------------------


def broken(*args):
    raise LookupError("a bug in the predicate")


@pytest.mark.parametrize(
    ("policy", "step"),
    [
        (Policy(retry=Retry(3, on=broken)), F),
        (Policy(retry=Retry(3, never=broken)), F),
        (Policy(retry=Retry(3, broken)), F),
        (Policy(retry=Retry(3, on_result=broken)), 1),
        (Policy(retry=3, breaker=Breaker("b", on=broken)), F),
    ],
)
def test_a_function_that_fails_while_it_judges_makes_the_attempt_fail_and_names_the_outcome(policy, step):
    outcome, attempts, *_ = run(policy, Body(step))
    assert isinstance(outcome.error, LookupError)
    assert "judged" in outcome.error.__notes__[0]
    assert ("ValueError('F')" if step is F else "value=1") in outcome.error.__notes__[0]
    assert attempts == 1


def test_a_predicate_that_fails_on_a_probe_gives_its_permit_back():
    async def story():
        judged = []

        def fickle(error):
            judged.append(error)
            return broken() if len(judged) == 2 else True

        policy = Policy(breaker=Breaker("b", failures=1, open_for=0, on=fickle))
        await outcome_of(policy, Body(F), (), {})
        await outcome_of(policy, Body(F), (), {})
        return repr(policy.breaker.circuit())

    assert run_virtual(story()) == "<Breaker b half-open, 0/1 probes out, 0 passed>"


# -- the observer ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("waits", [False, True])
def test_an_observer_hears_every_attempt_in_order(waits):
    follower = Follower(waits=waits)
    run(Policy(retry=3), Body(F, 1), follower)
    assert follower.heard == [
        ("started", 1),
        ("ended", 1, "Raised", "Again"),
        ("started", 2),
        ("ended", 2, "Returned", "Enough"),
    ]


@pytest.mark.parametrize("waits", [False, True])
def test_an_observer_may_stand_in_for_the_body(waits):
    follower = Follower(early={1: Again(5.0, "not yet"), 2: Enough("that will do")}, waits=waits)
    outcome, attempts, calls, _ = run(Policy(retry=3), Body(F), follower)
    assert (outcome, attempts, calls) == (Returned(None), 2, 0)
    assert [heard[0] for heard in follower.heard] == ["started", "started"]


def test_an_observer_that_ends_a_later_attempt_leaves_the_outcome_before_it():
    outcome, attempts, calls, _ = run(Policy(retry=3), Body(F), Follower(early={2: Enough("no more")}))
    assert (outcome, attempts, calls) == (Raised(F), 2, 1)


@pytest.mark.parametrize("waits", [False, True])
def test_an_observer_has_the_last_word_about_an_attempt(waits):
    again = Follower(late={1: Again(0.0, "a handler said so")}, waits=waits)
    assert run(Policy(), Body(1, 2), again)[:3] == (Returned(2), 2, 2)
    enough = Follower(late={1: Enough("a handler said so")}, waits=waits)
    assert run(Policy(retry=3), Body(F, 1), enough)[:3] == (Raised(F), 1, 1)


def test_what_an_observer_saw_is_not_noted_on_the_error_as_well():
    outcome, *_ = run(Policy(retry=2), Body(ValueError()))
    assert not hasattr(outcome.error, "__notes__")


# -- traces ------------------------------------------------------------------------------------------------


def test_an_outcome_and_its_error_make_no_cycle():
    async def story():
        class Payload(Exception):
            pass

        async def body():
            raise Payload

        return weakref.ref((await outcome_of(Policy(retry=2, timeout=1), body, (), {})).error)

    gc.disable()
    try:
        assert run_virtual(story())() is None
    finally:
        gc.enable()


def test_a_timeout_outside_any_asyncio_task_says_what_it_needs():
    async def story():
        ended = asyncio.get_running_loop().create_future()

        def by_hand():
            try:
                outcome_of(Policy(timeout=1, breaker=BREAKER), Body(1), (), {}).send(None)
            except StopIteration as returned:
                ended.set_result(returned.value)

        asyncio.get_running_loop().call_soon(by_hand)
        return (await ended).error

    error = run_virtual(story())
    assert isinstance(error, UsageError)
    assert "start one with asyncio.run" in str(error)


def test_arguments_reach_the_body():
    async def body(*args, **kwargs):
        return args, kwargs

    async def story():
        return await outcome_of(Policy(timeout=1), body, (1, 2), {"size": 3})

    assert run_virtual(story()) == Returned(((1, 2), {"size": 3}))
