"""Cached results: when an entry stands in for the body, when not, and what the run says of it."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta

import pytest

from asyncflow import Flow, Parameter, Retry, flow, signals, sim, task
from asyncflow.caching import (
    all_inputs,
    all_parameters,
    duration_only,
    never_use,
    partial_inputs_only,
    partial_parameters_only,
)
from asyncflow.engine.turns import Turns
from asyncflow.errors import StoreError
from asyncflow.human import instant
from asyncflow.states import Success
from asyncflow.store.memory_cache import MemoryCache
from asyncflow.triggers import all_finished, any_failed
from tests.engine.kit import moves, of_kind, states


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    """Each of the stores in turn, as users name it."""
    return ":memory:" if request.param == "memory" else tmp_path / "asyncflow.db"


def played(story):
    """Play a coroutine function in a simulated world and return its value."""
    return sim.run(story(), seed=7)


async def ended(f, **parameters):
    run = await f.start(**parameters)
    return await run.wait()


class Body:
    """A body that counts its calls, takes its time, and fails when it is told to."""

    def __init__(self, takes=0.0, result=None):
        self.calls = []
        self.takes = takes
        self.fails = None
        self.result = result

    def task(self, **options):
        body = self

        async def get(size=10, unit="kg"):
            body.calls.append((size, unit))
            await asyncio.sleep(body.takes)
            if body.fails is not None:
                raise body.fails
            return (size, unit) if body.result is None else body.result

        return task(**{"cache_for": 60, **options})(get)


def missed(run):
    return [detail["reason"] for detail in of_kind(run, "cache_missed")]


# ---------------------------------------------------------------------- hits and misses


def test_a_result_is_computed_once_and_found_by_later_runs(store):
    body = Body()
    get = body.task()
    f = flow(name="f", store=store)(lambda: get().later)

    async def story():
        return [await ended(f), await asyncio.sleep(30), await ended(f)]

    first, _, second = played(story)
    assert len(body.calls) == 1
    assert first.result() == second.result() == (10, "kg")
    assert moves(first, "get") == ["Running", "Success"]
    assert moves(second, "get") == ["Cached"]
    assert missed(first) == ["no entry"]
    assert (first.tasks["get"].attempt, second.tasks["get"].attempt) == (1, 0)
    (hit,) = of_kind(second, "cache_hit")
    assert (hit["run"], hit["stale"], hit["waited"]) == (first.name, False, False)
    state = second.tasks["get"].state
    assert state.is_success()
    assert state.is_cached()
    kept = first.tasks["get"].state
    assert kept.message == f"Kept until {instant(kept.detail['expires'])}."
    assert state.message == f"Computed 30 s ago by run {first.name}."
    assert kept.detail["expires"] == hit["expires"]


def test_dependents_get_the_cached_value_and_a_flow_of_hits_succeeds(store):
    body = Body(result=[1, 2])
    get = body.task()

    @task
    async def total(xs):
        xs.append(3)
        return sum(xs)

    f = flow(name="f", store=store)(lambda: total(get()).later)

    async def story():
        return [await ended(f) for _ in range(3)]

    assert [run.result() for run in played(story)] == [6, 6, 6]
    assert len(body.calls) == 1


@pytest.mark.parametrize(("after", "state"), [(59.9, "Cached"), (60.0, "Success"), (1e6, "Success")])
def test_an_entry_is_valid_for_less_than_its_time(store, after, state):
    body = Body()
    get = body.task()
    f = flow(name="f", store=store)(lambda: get().later)

    async def story():
        await ended(f)
        await asyncio.sleep(after)
        return await ended(f)

    run = played(story)
    assert states(run) == {"get": state}
    assert missed(run) == ([] if state == "Cached" else ["expired"])


def test_an_expired_entry_says_since_when():
    get = Body().task(stale_if_error=1000)
    f = flow(name="f")(lambda: get().later)

    async def story():
        await ended(f)
        await asyncio.sleep(60 + 300)
        return await ended(f)

    (miss,) = of_kind(played(story), "cache_missed")
    assert miss["text"] == "The cache entry expired 5 min ago."


def test_a_shorter_time_that_was_declared_since_holds(store):
    body = Body()
    get = body.task(cache_for=timedelta(days=1))
    long = flow(name="f", store=store)(lambda: get().later)
    short = flow(name="f", store=store)(lambda: get.with_options(cache_for=60)().later)

    async def story():
        await ended(long)
        await asyncio.sleep(120)
        return [await ended(long), await ended(short)]

    assert [states(run) for run in played(story)] == [{"get": "Cached"}, {"get": "Success"}]


RULES = [
    (all_inputs, [(1, "kg"), (1, "kg"), (2, "kg"), (1, "g"), (1, "kg")], 3),
    (None, [(1, "kg"), (1, "kg"), (2, "kg"), (1, "g"), (1, "kg")], 3),
    (duration_only, [(1, "kg"), (2, "kg"), (3, "g")], 1),
    (never_use, [(1, "kg"), (1, "kg")], 2),
    (partial_inputs_only(["unit"]), [(1, "kg"), (2, "kg"), (1, "g")], 2),
]


@pytest.mark.parametrize(("rule", "arguments", "computed"), RULES, ids=lambda each: str(each)[:30])
def test_the_rules_by_inputs(store, rule, arguments, computed):
    body = Body()
    get = body.task(cache_validator=rule)

    @flow(name="f", store=store)
    async def f():
        for size, unit in arguments:
            await get(size, unit)

    run = played(lambda: ended(f))
    assert len(body.calls) == computed
    assert run.is_success()


@pytest.mark.parametrize(
    ("rule", "parameters", "computed"),
    [
        (all_parameters, [(1, 1), (1, 2), (1, 1), (2, 1)], 3),
        (partial_parameters_only(["p"]), [(1, 1), (1, 2), (2, 1)], 2),
        (duration_only, [(1, 1), (1, 2)], 1),
    ],
)
@pytest.mark.parametrize("style", ["recorded", "def", "async"])
def test_the_rules_by_flow_parameters(rule, parameters, computed, style):
    body = Body()
    get = body.task(cache_validator=rule)
    if style == "recorded":
        with Flow("f") as f:
            Parameter("p")
            Parameter("q")
            get()
    elif style == "def":
        f = flow(name="f")(lambda p, q: get().later)
    else:

        @flow(name="f")
        async def f(p, q):
            await asyncio.sleep(1)
            return await get()

    async def story():
        return [await ended(f, p=p, q=q) for p, q in parameters]

    assert all(run.is_success() for run in played(story))
    assert len(body.calls) == computed


@pytest.mark.parametrize("style", ["recorded", "async"])
def test_a_parameter_that_took_its_default_counts_with_that_value(style):
    body = Body()
    get = body.task(cache_validator=partial_parameters_only(["p"]))
    if style == "recorded":
        with Flow("f") as f:
            Parameter("p", default=1)
            get()
    else:

        @flow(name="f")
        async def f(p=1):
            return await get()

    async def story():
        return [await ended(f), await ended(f, p=1), await ended(f, p=2)]

    assert [states(run)["get"] for run in played(story)] == ["Success", "Cached", "Success"]


def test_several_entries_of_a_task_are_kept(store):
    body = Body()
    get = body.task()
    f = flow(name="f", store=store)(lambda p: get(p).later)

    async def story():
        return [await ended(f, p=p) for p in (1, 2, 1)]

    runs = played(story)
    assert [states(run)["get"] for run in runs] == ["Success", "Success", "Cached"]
    assert missed(runs[1]) == ["other inputs"]


def test_other_code_of_the_same_name_is_said_plainly(store):
    def made(number):
        async def get():
            return number

        return flow(name="f", store=store)(lambda: task(cache_for=60)(get)().later)

    async def story():
        return [await ended(made(number)) for number in (1, 2, 1)]

    first, second, third = played(story)
    assert (first.result(), second.result(), third.result()) == (1, 2, 1)
    assert missed(second) == ["other code"]
    assert states(third) == {"get": "Cached"}


def test_tasks_and_flows_of_one_cache_key_share_their_entries(store):
    one, other = Body(), Body()
    first = one.task(cache_key="prices", name="first")
    second = other.task(cache_key="prices", name="second")
    f = flow(name="f", store=store)(lambda: first(3).later)
    g = flow(name="g", store=store)(lambda: second(3).later)

    async def story():
        return [await ended(f), await ended(g)]

    assert [states(run) for run in played(story)] == [{"first": "Success"}, {"second": "Cached"}]
    assert other.calls == []


def test_a_function_says_what_of_the_arguments_counts(store):
    body = Body()
    get = body.task(cache_key=lambda size, unit: unit.lower())

    @flow(name="f", store=store)
    async def f():
        return [await get(1, "kg"), await get(2, "KG"), await get(1, "g")]

    assert played(lambda: ended(f)).result() == [(1, "kg"), (1, "kg"), (1, "g")]


def test_children_find_what_the_parent_computed(store):
    body = Body()
    get = body.task()

    @flow
    async def child():
        return await get()

    @flow(store=store)
    async def parent():
        return await get() == await child()

    assert played(lambda: ended(parent)).result() is True
    assert len(body.calls) == 1


def test_a_def_body_is_cached_too():
    calls = []

    @task(cache_for=60)
    def get():
        calls.append(1)
        return 7

    @flow
    async def f():
        return await get() + await get()

    assert played(lambda: ended(f)).result() == 14
    assert len(calls) == 1


def test_a_plain_script_finds_what_its_earlier_run_computed():
    body = Body()
    get = body.task(name="of a plain script")
    f = flow(name="f")(lambda: get().later)
    assert f.run().result() == f.run().result()
    assert len(body.calls) == 1


def test_a_task_without_cache_for_keeps_nothing(store):
    body = Body()
    get = body.task(cache_for=None)
    f = flow(name="f", store=store)(lambda: get().later)

    async def story():
        return [await ended(f), await ended(f)]

    assert [states(run) for run in played(story)] == [{"get": "Success"}] * 2
    assert of_kind(played(story)[1], "cache_missed") == []


# ---------------------------------------------------------------------- what is kept


ENDS = [
    ("a signal", signals.SUCCESS("by hand", result=5), "Success", "Cached"),
    ("a skip", signals.SKIP("nothing new"), "Skipped", "Skipped"),
    ("a failure", ValueError("no"), "Failed", "Failed"),
    ("a fail signal", signals.FAIL("no"), "Failed", "Failed"),
]


@pytest.mark.parametrize(("what", "error", "first", "second"), ENDS, ids=[end[0] for end in ENDS])
def test_successes_are_kept_and_nothing_else(store, what, error, first, second):
    body = Body()
    body.fails = error
    get = body.task()
    f = flow(name="f", store=store)(lambda: get().later)

    async def story():
        return [await ended(f), await ended(f)]

    assert [states(run)["get"] for run in played(story)] == [first, second]


def test_a_retried_success_is_kept_and_looks_once():
    body = Body()
    failing = [ConnectionError(), ConnectionError()]

    @task(cache_for=60, retry=Retry(3, delay=1.0))
    async def get():
        if failing:
            raise failing.pop()
        return 1

    f = flow(name="f")(lambda: get().later)

    async def story():
        return [await ended(f), await ended(f)]

    first, second = played(story)
    assert missed(first) == ["no entry"]
    assert first.tasks["get"].state.how == "after retry"
    assert states(second) == {"get": "Cached"}
    assert body.calls == []


def test_handlers_see_a_hit_and_may_replace_it(store):
    seen = []

    def handler(_task_run, old, new):
        seen.append(f"{old}->{new}")
        return Success("mine", 0) if new.is_cached() else None

    get = Body().task(state_handlers=[handler])
    f = flow(name="f", store=store)(lambda: get().later)

    async def story():
        return [await ended(f), await ended(f)]

    assert [run.result() for run in played(story)] == [(10, "kg"), 0]
    assert seen == ["Pending->Running", "Running->Success", "Pending->Cached"]


def test_what_the_handlers_leave_of_a_success_is_kept():
    get = Body().task(state_handlers=[lambda _run, _old, new: Success("x", 7) if new.is_success() else None])
    f = flow(name="f")(lambda: get().later)

    async def story():
        return [await ended(f), await ended(f)]

    first, second = played(story)
    assert first.tasks["get"].state.message.startswith("x Kept until")
    assert of_kind(second, "cache_hit")
    assert second.result() == 7


def test_a_success_that_a_handler_made_of_a_failure_is_not_kept():
    body = Body()
    body.fails = ValueError("no")
    get = body.task(state_handlers=[lambda _run, _old, new: Success("x", 7) if new.is_failed() else None])
    f = flow(name="f")(lambda: get().later)

    async def story():
        return [await ended(f), await ended(f)]

    assert [states(run) for run in played(story)] == [{"get": "Success"}] * 2
    assert len(body.calls) == 2


def test_a_result_that_is_no_data_is_not_kept_and_the_run_says_why(store):
    get = Body(result=object()).task()
    f = flow(name="f", store=store)(lambda: get().later)

    async def story():
        return [await ended(f), await ended(f)]

    first, second = played(story)
    assert first.is_success()
    assert states(second) == {"get": "Success"}
    (detail,) = of_kind(first, "cache_not_kept")
    assert (
        detail["text"]
        == "the value can't be written as data: it is or holds an object of the class builtins:object"
    )
    assert first.tasks["get"].state.message == "The task succeeded."


def test_arguments_without_a_key_are_said_and_the_body_runs(store):
    body = Body()
    get = body.task()
    f = flow(name="f", store=store)(lambda: [get(object()), get(object())])
    run = played(lambda: ended(f))
    assert missed(run) == ["no key", "no key"]
    assert len(body.calls) == 2
    assert of_kind(run, "cache_missed")[0]["text"] == (
        "The result is not cached: size can't be part of a key: nothing tells one object from another; "
        "say what counts with cache_key=."
    )


def test_an_entry_that_can_not_be_read_any_more_is_computed_anew(tmp_path):
    body = Body()
    get = body.task()
    path = tmp_path / "asyncflow.db"
    f = flow(name="f", store=path)(lambda: get().later)
    played(lambda: ended(f))
    plain = sqlite3.connect(path)
    plain.execute('UPDATE cache SET value = \'{"$": "namedtuple", "v": [], "of": "gone:Gone"}\'')
    plain.commit()
    plain.close()
    again = played(lambda: ended(f))
    assert missed(again) == ["unreadable"]
    assert states(again) == {"get": "Success"}
    assert states(played(lambda: ended(f))) == {"get": "Cached"}


@pytest.mark.parametrize("broken", ["find", "keep"])
def test_a_cache_that_can_not_be_reached_costs_the_entry_and_not_the_run(monkeypatch, broken):
    async def fails(*_):
        raise StoreError("the disk is gone")

    monkeypatch.setattr(MemoryCache, broken, fails)
    get = Body().task()
    f = flow(name="f")(lambda: get().later)
    run = played(lambda: ended(f))
    assert run.is_success()
    told = [*of_kind(run, "cache_missed"), *of_kind(run, "cache_not_kept")]
    assert any("the disk is gone" in detail["text"] for detail in told)


# ---------------------------------------------------------------------- before the body


@pytest.mark.parametrize(
    ("trigger", "upstream_fails", "state"),
    [(None, True, "TriggerFailed"), (any_failed, False, "TriggerFailed"), (all_finished, True, "Cached")],
)
def test_a_failing_trigger_beats_a_valid_entry(trigger, upstream_fails, state):
    body = Body()
    get = body.task(**({} if trigger is None else {"trigger": trigger}))

    @task
    async def first():
        if upstream_fails:
            raise ValueError("no")

    @flow
    async def fills():
        await get.with_options(trigger=all_finished)()

    @flow
    async def f():
        one = first()
        get.after(one)()

    async def story():
        await ended(fills)
        return await ended(f)

    assert states(played(story))["get"] == state


def test_a_skip_upstream_beats_a_valid_entry():
    get = Body().task()

    @task
    async def first():
        raise signals.SKIP("nothing new")

    @flow
    async def f():
        await get()
        get.with_options(name="get").after(first())()

    assert list(states(played(lambda: ended(f))).values()) == ["Success", "Skipped", "Skipped"]


# ---------------------------------------------------------------------- stale entries


def test_an_expired_entry_stands_in_when_computing_fails(store):
    body = Body()
    get = body.task(stale_if_error=3600, retry=Retry(2, delay=1.0))
    f = flow(name="f", store=store)(lambda: get().later)

    async def story():
        first = await ended(f)
        body.fails = ConnectionError("down")
        await asyncio.sleep(120)
        second = await ended(f)
        await asyncio.sleep(3600)
        third = await ended(f)
        return first, second, third

    first, second, third = played(story)
    assert moves(second, "get") == ["Running", "Retrying", "Running", "Cached"]
    assert second.result() == (10, "kg")
    state = second.tasks["get"].state
    assert state.message == (
        "Computing failed (ConnectionError: down); the entry that expired 1 min ago, computed by run "
        f"{first.name}, stands in."
    )
    assert [detail["stale"] for detail in of_kind(second, "cache_hit")] == [True]
    assert states(third) == {"get": "Failed"}


def test_a_signal_that_is_no_failure_to_compute_is_what_it_says():
    body = Body()
    get = body.task(stale_if_error=3600)
    f = flow(name="f")(lambda: get().later)

    async def story():
        await ended(f)
        body.fails = signals.TRIGGERFAIL("not today")
        await asyncio.sleep(61)
        return await ended(f)

    assert states(played(story)) == {"get": "TriggerFailed"}


def test_without_the_wish_no_stale_entry_stands_in():
    body = Body()
    get = body.task()
    f = flow(name="f")(lambda: get().later)

    async def story():
        await ended(f)
        body.fails = ConnectionError("down")
        await asyncio.sleep(61)
        return await ended(f)

    assert states(played(story)) == {"get": "Failed"}


def test_a_timeout_is_a_failure_to_compute_and_a_cancellation_is_none():
    body = Body()
    get = body.task(stale_if_error=3600, timeout=5.0)
    f = flow(name="f")(lambda: get().later)

    async def story():
        await ended(f)
        body.takes = 100
        await asyncio.sleep(61)
        timed_out = await ended(f)
        cancelled = await f.start()
        await asyncio.sleep(1)
        cancelled.cancel()
        return timed_out, await cancelled.wait()

    timed_out, cancelled = played(story)
    assert states(timed_out) == {"get": "Cached"}
    assert states(cancelled) == {"get": "Cancelled"}


# ---------------------------------------------------------------------- one computation at a time


def test_calls_at_the_same_time_compute_once_and_the_others_wait(store):
    body = Body(takes=5.0)
    get = body.task()
    f = flow(name="f", store=store)(lambda: [get() for _ in range(5)])

    run = played(lambda: ended(f))
    assert len(body.calls) == 1
    assert [each.state.name for each in run.tasks] == ["Success"] + ["Cached"] * 4
    assert [detail["waited"] for detail in of_kind(run, "cache_hit")] == [True] * 4
    assert run.result() == [(10, "kg")] * 5
    assert run.events[-1].offset < 6


def test_runs_at_the_same_time_compute_once(store):
    body = Body(takes=5.0)
    get = body.task()
    f = flow(name="f", store=store)(lambda: get().later)

    async def story():
        runs = [await f.start() for _ in range(3)]
        return [await run.wait() for run in runs]

    found = [states(run)["get"] for run in played(story)]
    assert sorted(found) == ["Cached", "Cached", "Success"]


def test_other_keys_do_not_wait():
    body = Body(takes=5.0)
    get = body.task()
    f = flow(name="f")(lambda: [get(size) for size in range(5)])
    run = played(lambda: ended(f))
    assert len(body.calls) == 5
    assert run.events[-1].offset < 6


def test_when_the_one_that_computes_fails_the_next_one_computes():
    body = Body(takes=5.0)
    body.fails = ValueError("no")
    get = body.task()

    @flow
    async def f():
        calls = [get() for _ in range(3)]
        await asyncio.sleep(7)
        body.fails = None
        return [call.state.name for call in calls]

    run = played(lambda: ended(f))
    assert [each.state.name for each in run.tasks] == ["Failed", "Success", "Cached"]
    assert of_kind(run, "cache_missed")[1]["waited"] is True


def test_when_the_one_that_computes_is_cancelled_the_next_one_computes():
    body = Body(takes=5.0)
    get = body.task()
    f = flow(name="f")(lambda: get().later)

    async def story():
        first, second = await f.start(), await f.start()
        await asyncio.sleep(2)
        first.cancel()
        return await first.wait(), await second.wait()

    first, second = played(story)
    assert states(first) == {"get": "Cancelled"}
    assert states(second) == {"get": "Success"}
    assert len(body.calls) == 2


def test_one_that_waits_may_be_cancelled_and_the_others_keep_their_places():
    body = Body(takes=5.0)
    get = body.task()
    f = flow(name="f")(lambda: get().later)

    async def story():
        runs = [await f.start() for _ in range(3)]
        await asyncio.sleep(2)
        runs[1].cancel()
        return [await run.wait() for run in runs]

    runs = played(story)
    assert [states(run)["get"] for run in runs] == ["Success", "Cancelled", "Cached"]
    assert [run.tasks["get"].attempt for run in runs] == [1, 0, 0]
    assert len(body.calls) == 1


@pytest.mark.parametrize("turns", range(12))
def test_a_cancellation_at_any_step_leaves_no_turn_behind(turns):
    body = Body()
    get = body.task()
    f = flow(name="f")(lambda: get().later)

    async def story():
        runs = [await f.start() for _ in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0)
        runs[0].cancel()
        runs[1].cancel()
        async with asyncio.timeout(100):
            return [await run.wait() for run in runs]

    runs = played(story)
    assert runs[2].is_success()


def test_the_timeout_of_one_that_waits_begins_with_its_own_attempt():
    body = Body(takes=5.0)
    get = body.task()
    patient, hasty = get, get.with_options(timeout=1.0)

    @flow
    async def f():
        return await patient(), await hasty()

    @flow
    async def g():
        one, other = patient(2), hasty(2)
        return await one, await other

    assert states(played(lambda: ended(f))) == {"get": "Success", "get#2": "Cached"}
    assert states(played(lambda: ended(g))) == {"get": "Success", "get#2": "Cached"}


def test_a_turn_goes_past_one_who_is_cancelled_in_the_same_instant():
    async def story():
        turns = Turns()
        await turns.take("place")
        cancelled, waits = (asyncio.create_task(turns.take("place")) for _ in range(2))
        await asyncio.sleep(0)
        cancelled.cancel()
        turns.leave("place")
        async with asyncio.timeout(1):
            assert await waits
        assert cancelled.cancelled()
        turns.leave("place")
        assert not any(turns._loops.values())

    played(story)
