"""The traps that breakers of other libraries fall into, sprung on a whole policy in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import weakref
from random import Random

import pytest

from asyncflow.ambient import World, entered
from asyncflow.errors import AttemptTimedOut, BreakerOpen
from asyncflow.guard.pipeline import outcome_of
from asyncflow.guard.policy import Policy
from asyncflow.policy.breaker import Breaker
from asyncflow.sim.clock import Clock
from tests.clock import run_virtual
from tests.guard.doubles import Body, Follower

KINDS = {
    "streak": {"failures": 1},
    "count window": {"window": 2},
    "time window": {"window_for": 1000, "min_calls": 2},
    "watched": {"window_for": 1000, "min_calls": 2, "slow_after": 500},
}
EACH_KIND = pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)


async def tripped(policy):
    """Open the policy's circuit by calls that fail."""
    while policy.breaker.circuit().state == "closed":
        with pytest.raises(ValueError, match="no"):
            await policy.call(Body(ValueError("no")))


@EACH_KIND
def test_trap_07_a_wall_clock_that_jumps_neither_opens_nor_closes_anything(settings):
    clock, days = Clock(), itertools.count(step=86_400)
    policy = Policy(breaker=Breaker("b", **settings, open_for=5))

    async def story():
        await tripped(policy)
        clock.now += 4.9
        with pytest.raises(BreakerOpen) as refused:
            await policy.call(Body(1))
        assert refused.value.retry_after == pytest.approx(0.1)
        clock.now += 0.1
        return await policy.call(Body(1))

    with entered(World(monotonic=clock.monotonic, wall=lambda: float(next(days)))):
        assert asyncio.run(story()) == 1
        assert policy.breaker.circuit().state == "closed"


@EACH_KIND
@pytest.mark.parametrize("probes", [1, 3])
@pytest.mark.parametrize("waits", [0.0, 1.0])
def test_trap_09_a_herd_at_probe_time_runs_as_many_bodies_as_there_are_probes(settings, probes, waits):
    async def story():
        policy = Policy(breaker=Breaker("b", **settings, open_for=5, probes=probes))
        await tripped(policy)
        await asyncio.sleep(5)
        body, hold = Body(waits), asyncio.Event()

        async def held():
            await body()
            await hold.wait()

        herd = [asyncio.create_task(policy.call(held)) for _ in range(20)]
        await asyncio.sleep(2)
        ran = body.calls
        hold.set()
        ends = await asyncio.gather(*herd, return_exceptions=True)
        return (
            ran,
            body.calls,
            sum(isinstance(end, BreakerOpen) for end in ends),
            policy.breaker.circuit().state,
        )

    assert run_virtual(story()) == (probes, probes, 20 - probes, "closed")


@EACH_KIND
def test_trap_10_a_probe_that_never_answers_does_not_keep_the_circuit_half_open(settings):
    async def story():
        policy = Policy(breaker=Breaker("b", **settings, open_for=5, half_open_for=10))
        await tripped(policy)
        await asyncio.sleep(5)
        stuck = asyncio.create_task(policy.call(asyncio.Event().wait))
        await asyncio.sleep(9)
        with pytest.raises(BreakerOpen, match="half-open and waits for 1 of 1 probes"):
            await policy.call(Body(1))
        await asyncio.sleep(1)
        with pytest.raises(BreakerOpen, match="its probes did not answer in time; ask again in 5 s"):
            await policy.call(Body(1))
        await asyncio.sleep(5)
        assert await policy.call(Body(1)) == 1
        state = policy.breaker.circuit().state
        stuck.cancel()
        await asyncio.wait([stuck])
        return state, policy.breaker.circuit().state

    assert run_virtual(story()) == ("closed", "closed")


@EACH_KIND
def test_trap_10_a_probe_that_is_cancelled_gives_its_place_back(settings):
    async def story():
        policy = Policy(breaker=Breaker("b", **settings, open_for=5))
        await tripped(policy)
        await asyncio.sleep(5)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await policy.call(Body(60.0))
        assert policy.breaker.circuit().state == "half-open"
        return await policy.call(Body(1))

    assert run_virtual(story()) == 1


@EACH_KIND
@pytest.mark.parametrize("setting", ["on", "on_result", "open_for"])
def test_trap_10_a_probe_that_cannot_be_judged_does_not_keep_the_circuit_half_open(settings, setting):
    broken = False

    def judge(_):
        if broken:
            raise LookupError("broken")
        return {"on": True, "on_result": False, "open_for": 5}[setting]

    async def story():
        nonlocal broken
        policy = Policy(breaker=Breaker("b", **{"open_for": 5, **settings, setting: judge}))
        await tripped(policy)
        await asyncio.sleep(5)
        broken = True
        with pytest.raises((LookupError, ValueError)):
            await policy.call(Body(1 if setting == "on_result" else ValueError("no")))
        broken = False
        await asyncio.sleep(30)
        return await policy.call(Body(1))

    assert run_virtual(story()) == 1


@EACH_KIND
@pytest.mark.parametrize("late", [1, ValueError("late")])
def test_trap_11_a_late_result_neither_closes_an_open_circuit_nor_opens_a_half_open_one(settings, late):
    async def story():
        policy = Policy(breaker=Breaker("b", **settings, open_for=5, probes=2))
        circuit = policy.breaker.circuit()

        async def ends_late(after):
            await asyncio.sleep(after)
            return await Body(late)()

        begun = [asyncio.create_task(policy.call(ends_late, after)) for after in (1, 6)]
        await asyncio.sleep(0)
        await tripped(policy)
        states = [circuit.state]
        await asyncio.sleep(2)  # the first ends late
        states.append(circuit.state)
        await asyncio.sleep(3)
        await policy.call(Body(1))
        states.append(circuit.state)
        await asyncio.sleep(2)  # the second ends late
        states.append(circuit.state)
        await policy.call(Body(1))
        states.append(circuit.state)
        await asyncio.wait(begun)
        return states, [type(task.exception()) for task in begun]

    states, errors = run_virtual(story())
    assert states == ["open", "open", "half-open", "half-open", "closed"]
    assert errors == [type(late) if isinstance(late, Exception) else type(None)] * 2


@pytest.mark.parametrize(
    ("min_calls", "most", "least"),
    [(20, 0, 0), (2, 100, 15)],
    ids=["what a few seconds bring", "a rate over few calls"],
)
def test_trap_22_many_clients_with_few_calls_open_no_circuit_by_chance(min_calls, most, least):
    """A service fails one call in ten; no client sees enough of it to speak of a share."""
    chance = Random(7)
    settings = {"window_for": 10.0, "failure_rate": 0.5, "min_calls": min_calls}
    clients = [Policy(breaker=Breaker(f"client {i}", **settings)) for i in range(100)]

    async def client(policy):
        for _ in range(20):
            await asyncio.sleep(1.0)
            error = ValueError("no")
            with contextlib.suppress(ValueError, BreakerOpen):
                await policy.call(Body(error if chance.random() < 0.1 else "well"))
        return policy.breaker.circuit().openings

    async def story():
        return sum(openings > 0 for openings in await asyncio.gather(*map(client, clients)))

    assert least <= run_virtual(story()) <= most


@pytest.mark.parametrize("is_by_shard", [True, False])
def test_trap_22_a_shard_that_is_down_takes_no_other_with_it(is_by_shard):
    """One circuit over all shards stays closed for a few that fail; one for each opens for those alone."""
    settings = {"window": 40, "failure_rate": 0.5, "open_for": 1000.0}
    names = [f"shard {i}" if is_by_shard else "all shards" for i in range(4)]
    shards = [Policy(breaker=Breaker(name, **settings)) for name in names]

    async def story():
        served = [0] * 4
        for i in range(400):
            with contextlib.suppress(ValueError, BreakerOpen):
                await shards[i % 4].call(Body(ValueError("no") if i % 4 == 0 else "well"))
                served[i % 4] += 1
        return served, [policy.breaker.circuit().state for policy in shards]

    states = ["open" if is_by_shard else "closed", "closed", "closed", "closed"]
    assert run_virtual(story()) == ([0, 100, 100, 100], states)


@EACH_KIND
def test_trap_23_the_call_that_trips_keeps_its_own_error_and_the_next_one_names_it(settings):
    async def story():
        policy = Policy(breaker=Breaker("b", **settings))
        for _ in range(settings.get("failures", 2)):
            with pytest.raises(ConnectionError, match="the trouble") as raised:
                await policy.call(Body(ConnectionError("the trouble")))
            assert raised.value.__cause__ is None
        with pytest.raises(BreakerOpen) as refused:
            await policy.call(Body(1))
        assert refused.value.name == "b"
        assert refused.value.retry_after == pytest.approx(30)
        assert type(refused.value.__cause__) is ConnectionError
        assert str(refused.value.__cause__) == "the trouble"

    run_virtual(story())


def test_trap_23_a_timeout_that_trips_is_named_as_well():
    async def story():
        policy = Policy(timeout=1, breaker=Breaker("b", failures=1))
        with pytest.raises(AttemptTimedOut):
            await policy.call(Body(5.0))
        with pytest.raises(BreakerOpen) as refused:
            await policy.call(Body(1))
        assert isinstance(refused.value.__cause__, AttemptTimedOut)

    run_virtual(story())


class Guest:
    """Something that a caller has in a local variable."""


@EACH_KIND
def test_an_open_circuit_keeps_none_of_those_alive_who_saw_the_failure(settings):
    policy = Policy(breaker=Breaker("b", **settings))
    seen = []

    async def caller():
        guest = Guest()
        seen.append(weakref.ref(guest))
        with contextlib.suppress(ConnectionError):
            await policy.call(Body(ConnectionError("the trouble")))

    async def story():
        while policy.breaker.circuit().state == "closed":
            await caller()
        gc.collect()
        return {ref() for ref in seen}

    with entered(World()):
        assert asyncio.run(story()) == {None}


def test_a_breaker_that_only_measures_tells_once_that_it_would_have_opened():
    async def story():
        policy = Policy(breaker=Breaker("b", failures=2, mode="metrics-only"))
        follower = Follower()
        for _ in range(5):
            await outcome_of(policy, Body(ValueError("no")), (), {}, follower)
        return [told for told in follower.heard if told[0].startswith("breaker")]

    told = {"breaker": "b", "why": "after 2 failures in a row"}
    assert run_virtual(story()) == [("breaker_exceeded", told)]


@EACH_KIND
def test_a_result_may_be_a_failure(settings):
    async def story():
        policy = Policy(breaker=Breaker("b", **settings, on_result=lambda value: value == 503))
        answers = [await policy.call(Body(503)) for _ in range(settings.get("failures", 2))]
        with pytest.raises(BreakerOpen) as refused:
            await policy.call(Body(200))
        return answers, refused.value.__cause__

    answers, cause = run_virtual(story())
    assert set(answers) == {503}
    assert cause is None
