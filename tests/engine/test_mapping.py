"""Maps: an element each, chained element by element, told as one task run."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from asyncflow import (
    Breaker,
    Flow,
    Retry,
    TaskFailed,
    current,
    flatten,
    flow,
    signals,
    task,
    triggers,
    unmapped,
)
from asyncflow.errors import InvalidFlow, LateEdge, NotInFlow, UsageError
from asyncflow.history import fold
from asyncflow.states import Success
from asyncflow.store import SQLiteStore
from tests.clock import run_virtual
from tests.engine.kit import moves, of_kind, play, states


@task
async def double(x, plus=0):
    return 2 * x + plus


@task
async def inc(x):
    return x + 1


@task
async def total(xs):
    return sum(xs)


@task
async def fussy(x):
    """Fail for negative numbers, skip zero, wait for as many seconds as the number says."""
    if x < 0:
        raise ValueError(x)
    if x == 0:
        raise signals.SKIP("nothing to do")
    await asyncio.sleep(x)
    return x


def value_of(body):
    """Run a flow whose body is given and return its value."""
    run = play(flow(body))
    assert run.is_success(), run.state.message
    return run.result()


# ------------------------------------------------------------------ what can be mapped over


async def _numbers():
    for number in range(3):
        await asyncio.sleep(1)
        yield number


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (lambda: [1, 2, 3], [2, 4, 6]),
        (lambda: (1, 2), [2, 4]),
        (lambda: range(3), [0, 2, 4]),
        (lambda: {5}, [10]),
        (lambda: iter([1, 2]), [2, 4]),
        (lambda: (x for x in (1, 2)), [2, 4]),
        (_numbers, [0, 2, 4]),
        (lambda: flatten([[1], [2, 3]]), [2, 4, 6]),
        (lambda: flatten(iter([[1], [2, 3]])), [2, 4, 6]),
        (list, []),
        (lambda: iter([]), []),
    ],
    ids=["list", "tuple", "range", "set", "iterator", "generator", "async generator", "flat list",
         "flat iterator", "empty list", "empty iterator"],
)  # fmt: skip
def test_any_iterable_can_be_mapped_over(inputs, expected):
    async def body():
        return await double.map(inputs())

    assert value_of(body) == expected


def test_the_value_of_a_task_can_be_mapped_over_once_it_is_there():
    @task
    async def numbers():
        await asyncio.sleep(1)
        return [1, 2, 3]

    @flow
    async def body():
        return double.map(numbers(), plus=unmapped(total([1, 1])))

    assert play(body).result() == [4, 6, 8]


def test_handles_inside_a_list_are_elements():
    async def body():
        return await double.map([inc(1), 5, inc(2)])

    assert value_of(body) == [4, 10, 6]


def test_what_is_unmapped_is_the_same_for_every_element_and_named_arguments_are_mapped_too():
    async def body():
        return await double.map([1, 2], plus=unmapped(10)), await double.map(x=[1, 2], plus=[5, 6])

    assert value_of(body) == ([12, 14], [7, 10])


def test_flatten_takes_a_level_away_from_a_handle_wherever_it_stands():
    @task
    async def pages(count):
        return list(range(count))

    async def body():
        found = pages.map([1, 2, 3])
        return await double.map(flatten(found)), await total(flatten(found)), await flatten(found)

    assert value_of(body) == ([0, 0, 2, 0, 2, 4], 4, [0, 0, 1, 0, 1, 2])


def test_a_recorded_flow_maps_as_often_as_it_is_run():
    with Flow("sums") as sums:
        doubled = double.map([1, 2, 3], plus=unmapped(1))
        result = total(inc.map(doubled))
    for _ in range(2):
        assert play(sums).tasks[result].state.result == 18


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: double.map("abc"), "bit by bit"),
        (lambda: double.map({1: 2}), "bit by bit"),
        (lambda: double.map(3), "can't go over a value of type int"),
        (lambda: double.map(unmapped(3)), "needs something to map over"),
        (lambda: double.map([1], max_running=0), "max_running=0"),
        (lambda: double.map([1], max_running=True), "max_running=True"),
        (lambda: double.map([1], tolerate=-1), "tolerate=-1"),
        (lambda: double.map([1], tolerate=1.5), "tolerate=1.5"),
        (lambda: double.map([1, 2], [3]), "of one length, not of 2 and 1"),
        (lambda: double.map(inc.map([1, 2, 3]), [1, 2]), "of one length, not of 3 and 2"),
        (lambda: flatten([inc(1)]), "the handle of 'inc'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_at_the_call(call, text):
    @flow
    async def body():
        call()

    with pytest.raises(UsageError, match=text):
        play(body).result()


def test_names_and_number_of_arguments_are_checked_at_the_call():
    @flow
    async def body():
        double.map([1], wrong=[2])

    with pytest.raises(TypeError, match="wrong"):
        play(body).result()


def test_a_map_belongs_into_a_flow():
    with pytest.raises(NotInFlow, match="outside a flow"):
        double.map([1])


def test_an_iterator_is_refused_by_a_recorded_flow():
    with Flow("sums"), pytest.raises(UsageError, match="can be run more than once"):
        double.map(iter([1]))


@pytest.mark.parametrize(
    ("inputs", "after"),
    [
        (lambda: (iter([1, 2, 3]), [1, 2]), 2),
        (lambda: (iter([1]), iter([1, 2])), 1),
        (lambda: (inc.map(iter([1, 2, 3])), [1, 2]), 2),
        (lambda: (inc.map(iter([1, 2])), [1, 2, 3]), 2),
        (lambda: (inc.map(iter([1, 2])), inc.map(iter([1]))), 1),
        (lambda: (_numbers(), [1, 2]), 2),
    ],
    ids=["longer iterator", "two iterators", "shorter list", "longer list", "two maps", "async iterator"],
)
def test_unequal_lengths_that_show_late_fail_the_map_after_the_elements_that_were_there(inputs, after):
    @flow
    async def body():
        return double.map(*inputs())

    run = play(body)
    with pytest.raises(UsageError, match=f"ended after {after} element"):
        run.result()
    mapped = run.tasks["double"]
    assert [child.state.name for child in mapped.children] == ["Success"] * after


def test_an_input_that_breaks_off_fails_the_map_with_its_error_when_its_elements_have_ended():
    def broken():
        yield 3
        raise OSError("the file is torn")

    @flow
    async def body():
        return fussy.map(broken())

    run = play(body)
    with pytest.raises(OSError, match="torn"):
        run.result()
    assert run.tasks[0].children[0].is_success()


def test_an_iterator_that_gives_handles_is_refused():
    @flow
    async def body():
        return double.map(iter([inc(1)]))

    with pytest.raises(UsageError, match="put handles into a list"):
        play(body).result()


# ------------------------------------------------------------------ how elements end


@pytest.mark.parametrize(
    ("numbers", "tolerate", "state", "values"),
    [
        ([1, 2], 0, "Success", [1, 2]),
        ([3, 1, 2], 0, "Success", [3, 1, 2]),
        ([1, -1, 2], 0, "Failed", None),
        ([1, -1, 2], 1, "Success", [1, 2]),
        ([1, -1, -2], 1, "Failed", None),
        ([1, -1, 2, 3], 0.25, "Success", [1, 2, 3]),
        ([1, -1, -2, 3], 0.25, "Failed", None),
        ([-1, -2], 1.0, "Success", []),
        ([1, 0, 2], 0, "Success", [1, 2]),
        ([0, 0], 0, "Skipped", []),
        ([], 0, "Success", []),
        ([0, -1], 1, "Success", []),
    ],
)
def test_the_whole_is_what_its_elements_amount_to(numbers, tolerate, state, values):
    @flow
    async def body():
        return fussy.map(numbers, tolerate=tolerate)

    mapped = play(body).tasks["fussy"]
    assert mapped.state.name == state
    assert not mapped.is_success() or mapped.state.result == values


def test_one_failure_is_raised_as_itself_and_several_as_a_group():
    @flow
    async def body(numbers):
        return fussy.map(numbers)

    with pytest.raises(ValueError, match="-1") as one:
        play(body, numbers=[1, -1]).result()
    assert "in task 'fussy[1]', attempt 1" in one.value.__notes__[0]
    with pytest.raises(ExceptionGroup, match="2 elements of 'fussy' failed") as several:
        play(body, numbers=[-3, 1, -4]).result()
    assert [str(error) for error in several.value.exceptions] == ["-3", "-4"]


def test_all_elements_are_told_by_children_in_order():
    @flow
    async def body():
        return fussy.map([2, -1, 0], tolerate=1)

    children = play(body).tasks["fussy"].children
    assert [(child.key, child.state.name, child.attempt) for child in children] == [
        ("fussy[0]", "Success", 1),
        ("fussy[1]", "Failed", 1),
        ("fussy[2]", "Skipped", 1),
    ]
    assert children[-1].is_success()
    assert [child.index for child in children[1:]] == [1, 2]


def test_a_failed_element_does_not_stop_the_others():
    @flow
    async def body():
        fussy.map([-1, 3])

    assert states(play(body)) == {"fussy": "Failed"}
    assert play(body).tasks[0].children[1].state == Success("", 3)


def test_elements_retry_independently():
    tries = {}

    @task(retry=Retry(3, delay=1.0))
    async def flaky(x):
        tries[x] = tries.get(x, 0) + 1
        if tries[x] <= x:
            raise OSError
        return x

    @flow
    async def body():
        return flaky.map([0, 1, 2])

    run = play(body)
    assert run.result() == [0, 1, 2]
    assert [child.attempt for child in run.tasks[0].children] == [1, 2, 3]
    assert run.state.is_success()
    assert run.tasks[0].state.detail["elements"] == {
        "states": {"Success": 3}, "retried": 2, "attempts": 6, "calls": 6,
    }  # fmt: skip


def test_dependents_see_the_mapped_parent_only():
    @task(trigger=triggers.any_failed)
    async def mourner(values):
        return type(values).__name__

    @flow
    async def body():
        bad = fussy.map([1, -1])
        good = fussy.map([1, -1, 0], tolerate=1)
        return [mourner(bad), mourner.with_options(name="other")(good), total(good)]

    run = play(body)
    assert states(run) == {
        "fussy": "Failed", "fussy#2": "Success", "mourner": "Success", "other": "TriggerFailed",
        "total": "Success",
    }  # fmt: skip


def test_a_reduce_over_skipped_elements_goes_on_without_them_and_is_skipped_when_all_are():
    @flow
    async def body(numbers):
        return total(fussy.map(numbers))

    assert play(body, numbers=[1, 0, 2]).result() == 3
    assert states(play(body, numbers=[0, 0]))["total"] == "Skipped"


@pytest.mark.parametrize(
    ("trigger", "skip", "expected"),
    [
        (triggers.all_successful, True, ["Success", "TriggerFailed", "Skipped"]),
        (triggers.all_successful, False, ["Success", "TriggerFailed", "Success"]),
        (triggers.all_finished, True, ["Success", "Success", "Skipped"]),
        (triggers.any_failed, False, ["TriggerFailed", "Success", "TriggerFailed"]),
    ],
)
def test_each_element_of_a_chain_asks_the_trigger_with_the_element_that_it_follows(trigger, skip, expected):
    @task(trigger=trigger, skip_on_upstream_skip=skip)
    async def kind(x):
        return type(x).__name__

    @flow
    async def body():
        return kind.map(fussy.map([1, -1, 0], tolerate=1.0), tolerate=1.0)

    run = play(body)
    assert [child.state.name for child in run.tasks["kind"].children] == expected
    assert expected[1] != "Success" or run.tasks["kind"].children[1].state.result == "ValueError"


def test_what_failed_only_because_of_the_map_before_it_leads_to_that_failure():
    @flow
    async def body():
        return inc.map(fussy.map([1, -1], tolerate=1))

    run = play(body)
    assert run.tasks["inc"].state.name == "TriggerFailed"
    assert run.is_failed()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "TriggerFailed"),
        ({"trigger": triggers.all_finished}, "Failed"),
    ],
)
@pytest.mark.parametrize("upstream", ["plain", "mapped"])
def test_mapping_over_what_failed_asks_the_trigger(options, expected, upstream):
    """With a trigger that says yes there still is nothing to map over."""

    @task
    async def bad(x):
        raise ValueError(x)

    @flow
    async def body():
        source = bad(1) if upstream == "plain" else bad.map(bad(1))
        return inc.with_options(**options).map(source)

    run = play(body)
    assert run.tasks["inc"].state.name == expected
    assert moves(run, "inc")[-1] == expected
    assert ("Running" in moves(run, "inc")) == (expected == "Failed")


def test_a_map_after_one_that_broke_off_is_refused_when_its_elements_have_ended():
    def broken():
        yield 1
        raise OSError

    @flow
    async def body():
        return double.map(inc.map(broken()))

    run = play(body)
    assert states(run) == {"inc": "Failed", "double": "TriggerFailed"}
    assert [child.state.name for child in run.tasks["double"].children] == ["Success"]
    with pytest.raises(OSError):
        run.result()


def test_a_skipped_upstream_skips_the_map():
    @task
    async def nothing():
        raise signals.SKIP("no news")

    @flow
    async def body():
        return inc.map(double.map(nothing()))

    assert states(play(body)) == {"nothing": "Skipped", "double": "Skipped", "inc": "Skipped"}


# ------------------------------------------------------------------ order and time


def test_maps_chain_element_by_element_without_waiting_for_the_stage():
    seen = []

    @task
    async def first(x):
        await asyncio.sleep(x)
        return x

    @task
    async def second(x):
        seen.append((asyncio.get_running_loop().time(), x))
        return x

    @flow
    async def body():
        return second.map(first.map([5, 1, 3]))

    run = play(body)
    assert run.result() == [5, 1, 3]
    start = seen[0][0] - 1
    assert [(round(at - start, 6), x) for at, x in seen] == [(1, 1), (3, 3), (5, 5)]


def test_two_maps_are_followed_side_by_side():
    @flow
    async def body():
        slow, quick = fussy.map([3, 1, 2]), inc.map([1, 2, 3])
        return double.map(slow, quick)

    assert play(body).result() == [8, 5, 8]


def test_a_map_that_is_followed_and_needed_whole_is_waited_for():
    @task
    async def share(x, all_of_them):
        return x / sum(all_of_them)

    @flow
    async def body():
        weights = fussy.map([1, 3])
        return share.map(weights, unmapped(weights))

    assert play(body).result() == [0.25, 0.75]


def test_a_map_waits_for_what_it_is_ordered_after_and_no_edge_is_added_later():
    @flow
    async def body():
        first = fussy(3)
        mapped = inc.map([1])
        mapped.set_upstream(first)
        await mapped
        assert first.is_final()
        with pytest.raises(LateEdge):
            mapped.set_upstream(first)

    assert play(body).is_success()


@pytest.mark.parametrize("window", [1, 2, 3, 10])
def test_never_more_elements_are_in_flight_than_the_window_holds(window):
    running, most = 0, 0

    @task
    async def watched(x):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1)
        running -= 1

    @flow
    async def body():
        return watched.map(range(7), max_running=window)

    run = play(body)
    assert most == min(window, 7)
    assert run.events[-1].offset == pytest.approx(-(-7 // window))


def test_inputs_are_consumed_as_the_window_moves():
    drawn = []

    def numbers():
        for x in range(6):
            drawn.append(x)
            yield x

    @task
    async def look(x):
        await asyncio.sleep(1)
        return len(drawn)

    @flow
    async def body():
        return look.map(numbers(), max_running=2)

    assert play(body).result() == [2, 2, 4, 4, 6, 6]


def test_def_bodies_are_mapped_too():
    @task
    def twice(x):
        return 2 * x

    @flow
    def body():
        return twice.map([1, 2, 3])

    assert play(body).result() == [2, 4, 6]


# ------------------------------------------------------------------ names


def test_elements_have_keys_of_their_own_and_so_have_their_effects():
    @task
    async def who(x):
        return current().key, current().name, current().idempotency_key.partition("/")[2]

    @flow
    async def body():
        return [who.map([1]), who.map([1, 2])]

    first, second = play(body).result()
    assert first == [("who[0]", "who[0]", "who[0]")]
    assert second[1] == ("who#2[1]", "who[1]", "who#2[1]")


# ------------------------------------------------------------------ handlers


def test_handlers_see_the_whole_and_each_element():
    seen = []

    def handler(obj, old, new):
        seen.append((obj.key, old.name, new.name))

    @flow
    async def body():
        return inc.with_options(state_handlers=[handler]).map([1, 2])

    assert play(body).result() == [2, 3]
    by_key = {}
    for key, old, new in seen:
        by_key.setdefault(key, []).append(f"{old} {new}")
    assert by_key == {key: ["Pending Running", "Running Success"] for key in ("inc", "inc[0]", "inc[1]")}


def test_a_handler_may_mend_an_element_or_the_whole():
    def mend(obj, state):
        return Success("mended", 99) if obj.key == "fussy[1]" else None

    def mend_all(obj, state):
        return Success("mended", ["all"]) if obj.key == "fussy#2" else None

    @flow
    async def body():
        first = fussy.with_options(on_failure=mend).map([1, -1])
        second = fussy.with_options(on_failure=mend_all).map([1, -1])
        return [first, second]

    assert play(body).result() == [[1, 99], ["all"]]


def test_a_handler_can_not_have_the_whole_map_retried():
    def again(obj, old, new):
        if obj.key == "fussy" and new.is_failed():
            raise signals.RETRY

    @flow
    async def body():
        return fussy.with_options(state_handlers=[again]).map([-1])

    run = play(body)
    assert run.tasks[0].state.name == "Failed"
    assert "elements are retried, not the map" in run.tasks[0].state.message


# ------------------------------------------------------------------ cancellation


def test_cancelling_the_run_cancels_the_elements_and_starts_no_more():
    cleaned = []

    @task
    async def long(x):
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(1)
            cleaned.append(x)

    @flow
    async def body():
        mapped = long.map(range(5), max_running=2)
        inc.map(mapped)
        await asyncio.sleep(3)
        run.cancel("enough")
        await asyncio.sleep(10)

    async def story():
        nonlocal run
        run = await body.start()
        await run.wait()

    run = None
    run_virtual(story())
    assert cleaned == [0, 1]
    assert states(run) == {"long": "Cancelled", "inc": "Cancelled"}
    assert [child.state.name for child in run.tasks["long"].children] == ["Cancelled", "Cancelled"]


def test_a_flow_that_fails_fast_ends_as_soon_as_more_have_failed_than_may():
    @flow(fail_fast=True)
    async def body(tolerate):
        return fussy.map([100, -1, 5, -2], tolerate=tolerate, max_running=2)

    run = play(body, tolerate=0)
    assert run.tasks[0].state.name == "Failed"
    assert [child.state.name for child in run.tasks[0].children] == ["Cancelled", "Failed"]
    assert "fails fast" in run.state.message
    run = play(body, tolerate=1)
    assert [child.state.name for child in run.tasks[0].children][:3] == ["Cancelled", "Failed", "Success"]


def test_a_failed_element_of_a_flow_that_fails_fast_is_no_failure_when_it_is_tolerated():
    @flow(fail_fast=True)
    async def body():
        return fussy.map([1, -1], tolerate=0.5)

    assert play(body).result() == [1]


# ------------------------------------------------------------------ the record


def test_the_run_counts_elements_and_their_attempts():
    @flow
    async def body():
        return inc.map(range(3))

    run = play(body)
    assert of_kind(run, "run_ended") == [{"tasks": 4, "attempts": 3, "faults": 0}]
    assert moves(run, "inc") == ["Running", "Success"]
    called = of_kind(run, "task_called")
    assert called[0]["map"] == {"elements": 3, "max_running": 1000}
    assert [(one["key"], one["element_of"], one["index"]) for one in called[1:]] == [
        ("inc[0]", 1, 0), ("inc[1]", 1, 1), ("inc[2]", 1, 2),
    ]  # fmt: skip


def test_of_many_elements_only_the_first_and_the_troubled_have_events_of_their_own():
    @task
    async def picky(x):
        if x in (10, 1500, 2500):
            raise ValueError(x)

    @flow
    async def body():
        return picky.map(range(3_000), tolerate=3)

    run = play(body)
    assert run.is_success()
    called = [one["index"] for one in of_kind(run, "task_called") if "index" in one]
    assert called == [*range(1000), 1500, 2500]
    assert len(run.events) < 3_100
    assert of_kind(run, "elements_counted")[-1] == {
        "states": {"Success": 1998}, "retried": 0, "attempts": 1998, "calls": 1998,
    }  # fmt: skip


def test_a_thousand_failures_keep_their_errors_and_the_rest_their_texts():
    @flow
    async def body():
        return fussy.map([-1] * 1_200)

    run = play(body)
    children = run.tasks[0].children
    assert isinstance(children[999].state.result, ValueError)
    assert children[1_100].state.result is None
    assert children[1_100].state.message == "ValueError: -1"
    with pytest.raises(ExceptionGroup, match="1200 elements of 'fussy' failed") as group:
        run.result()
    assert len(group.value.exceptions) == 1_000


def test_awaiting_a_failed_map_raises_what_failed_it_and_the_flow_goes_on():
    @flow
    async def body():
        with pytest.raises(ValueError):
            await fussy.map([-1])
        with pytest.raises(TaskFailed):
            await inc.map(fussy.map([-1], tolerate=1))
        return Success("handled")

    assert play(body).is_success()


# ------------------------------------------------------------------ beside everything else


def test_an_edge_that_closes_a_cycle_through_a_followed_map_is_refused():
    @flow
    async def body():
        first = inc.map([1])
        second = inc.map(first)
        first.set_upstream(second)

    with pytest.raises(InvalidFlow, match="Cycle found"):
        play(body).result()


def test_maps_of_another_asyncio_task_are_told_apart():
    @flow
    async def body():
        async def aside():
            return await inc.map([1, 2])

        return await asyncio.create_task(aside())

    run = play(body)
    assert run.result() == [2, 3]
    assert [child.key for child in run.tasks[0].children] == ["inc?1[0]", "inc?1[1]"]


def test_an_endless_iterator_is_cancelled_like_anything_else():
    @flow
    async def body():
        return fussy.map((1 for _ in itertools.count()), max_running=2)

    async def story():
        run = await body.start()
        await asyncio.sleep(2.5)
        run.cancel()
        return await run.wait()

    run = run_virtual(story())
    assert [child.state.name for child in run.tasks[0].children] == ["Success"] * 4 + ["Cancelled"] * 2


def test_an_async_iterator_is_closed_when_its_map_is_cancelled():
    closed = []

    async def numbers():
        try:
            while True:
                await asyncio.sleep(1)
                yield 1
        finally:
            closed.append(True)

    @flow
    async def body():
        return fussy.map(numbers())

    async def story():
        run = await body.start()
        await asyncio.sleep(2.5)
        run.cancel()
        return await run.wait()

    assert run_virtual(story()).is_cancelled()
    assert closed == [True]


def test_a_trigger_may_ask_to_be_asked_later_for_each_element():
    asked = []

    def trigger(states):
        asked.append(states)
        if len(asked) < 3:
            raise signals.RETRY("not yet", delay=1)
        return True

    @flow
    async def body():
        return inc.with_options(trigger=trigger).map(inc.map([1, 2]))

    assert play(body).result() == [3, 4]
    assert len(asked) == 4


def test_policies_and_validation_are_those_of_each_element():
    @task(validate=True)
    async def number(x: int) -> int:
        return x

    @task(breaker=Breaker("shaky", failures=2, open_for=100))
    async def shaky(x):
        raise OSError(x)

    @flow
    async def body():
        return [number.map([1, "a"], tolerate=1), shaky.map(range(5), max_running=1, tolerate=1.0)]

    run = play(body)
    assert [child.state.name for child in run.tasks["number"].children] == ["Success", "ValidationFailed"]
    assert run.tasks["shaky"].state.detail["elements"] == {
        "states": {"Failed": 5}, "retried": 0, "attempts": 5, "calls": 2,
    }  # fmt: skip


def test_a_body_that_exits_ends_the_run():
    @task
    async def leave(x):
        raise SystemExit(x)

    @flow
    async def body():
        return leave.map([3, 3])

    with pytest.raises(SystemExit):
        play(body)


def test_a_map_is_kept_in_a_file_as_in_memory(tmp_path):
    @flow
    async def body():
        return inc.map(fussy.map([1, -1, 0], tolerate=1), tolerate=1)

    async def in_file():
        store = SQLiteStore(tmp_path / "runs.db")
        await store.open()
        try:
            run = await body.with_options(store=store).start()
            await run.wait()
            return run, fold(run.header, await store.events(run.id)), await store.find(run.id)
        finally:
            await store.close()

    run, history, summary = run_virtual(in_file())
    assert history.tasks == fold(run.header, run.events).tasks
    assert dict(history.tasks[1].elements.states) == {"Success": 1, "TriggerFailed": 1, "Skipped": 1}
    assert (summary.tasks, summary.attempts) == (8, 4)


def test_a_mapped_task_is_drawn_as_one_box_that_says_so():
    with Flow("sums") as sums:
        total(inc.map(double.map([1, 2], unmapped(inc(1)))))
    graph = sums.graph()
    assert [node.label for node in graph.nodes] == ["inc", "double <map>", "inc <map>", "total"]
    assert [(edge.source, edge.label, edge.target) for edge in graph.edges] == [
        ("1", "plus", "2"), ("2", "x", "3"), ("3", "xs", "4"),
    ]  # fmt: skip
