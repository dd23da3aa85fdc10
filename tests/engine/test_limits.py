"""Limits of flows, tags and resources: who is at work at once, who is next, and what is given back."""

from __future__ import annotations

import asyncio
from threading import Thread

import pytest

from asyncflow import Breaker, Retry, ambient, constant, flow, signals, task, unmapped
from asyncflow.engine.limits import Desk
from asyncflow.errors import InvalidPolicy
from asyncflow.policies import Resource
from tests.clock import run_virtual
from tests.engine.kit import moves, of_kind, play, states


class Gauge:
    """Counts how many bodies are at work at once, and remembers who began when."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.begun: list[tuple[object, float]] = []

    async def work(self, who: object = None, seconds: float = 1.0) -> object:
        self.now += 1
        self.most = max(self.most, self.now)
        self.begun.append((who, asyncio.get_running_loop().time()))
        try:
            await asyncio.sleep(seconds)
        finally:
            self.now -= 1
        return who

    @property
    def order(self) -> list[object]:
        return [who for who, _ in self.begun]


def took(run) -> float:
    return run.events[-1].offset


def make(gauge: Gauge, **options):
    @task(**options)
    async def work(who, seconds=1.0):
        return await gauge.work(who, seconds)

    return work


BY = {
    "max_running of the flow": ({"max_running": 2}, {}),
    "a tag's limit": ({"limits": {"db": 2}}, {"tags": ["db"]}),
    "a tag's resource": ({"limits": {"db": Resource("db", 2)}}, {"tags": ["db"]}),
    "a resource": ({}, {"uses": Resource("warehouse", 2)}),
    "two slots of four": ({}, {"uses": {Resource("warehouse", 4): 2}}),
}


@pytest.mark.parametrize(("of_flow", "of_task"), BY.values(), ids=BY.keys())
def test_no_more_are_at_work_than_the_limit_says_and_they_begin_in_the_order_of_their_calls(of_flow, of_task):
    gauge = Gauge()
    work = make(gauge, **of_task)

    @flow(**of_flow)
    async def six():
        return [work(number) for number in range(6)]

    run = play(six)
    assert run.result() == list(range(6))
    assert (gauge.most, gauge.order, took(run)) == (2, list(range(6)), 3.0)


@pytest.mark.parametrize(("of_flow", "of_task"), BY.values(), ids=BY.keys())
def test_the_elements_of_a_map_are_under_the_same_limits_whatever_their_window(of_flow, of_task):
    for window, most in ((1, 1), (2, 2), (5, 2)):
        gauge = Gauge()
        work = make(gauge, **of_task)

        @flow(**of_flow)
        async def six(work=work, window=window):
            return await work.map(range(6), max_running=window)

        run = play(six)
        assert run.result() == list(range(6))
        assert (gauge.most, gauge.order) == (most, list(range(6)))


def test_tasks_without_the_tag_are_not_limited():
    gauge = Gauge()
    tagged, free = make(gauge, tags=["db"]), make(gauge, tags=["web"])

    @flow(limits={"db": 1})
    async def mixed():
        return [tagged(1), tagged(2), tagged(3), *[free(number) for number in range(4, 9)]]

    run = play(mixed)
    assert took(run) == 3.0
    assert [who for who, at in gauge.begun if at == 0] == [1, 4, 5, 6, 7, 8]


def test_what_waits_for_one_limit_does_not_fill_another():
    gauge = Gauge()
    db, web = make(gauge, tags=["db"]), make(gauge)

    @flow(max_running=3, limits={"db": 1})
    async def mixed():
        return [*[db(f"db {number}") for number in range(4)], *[web(f"web {number}") for number in range(3)]]

    run = play(mixed)
    at_once = [who for who, at in gauge.begun if at == 0]
    assert at_once == ["db 0", "web 0", "web 1"]
    assert (gauge.most, took(run)) == (3, 4.0)


def test_a_big_request_is_not_overtaken_by_small_ones():
    gauge = Gauge()
    warehouse = Resource("warehouse", 4)
    small = make(gauge, uses=warehouse)
    big = make(gauge, uses={warehouse: 4})

    @flow
    async def queue():
        return [small(1), big("big", 1.0), *[small(number) for number in (2, 3, 4)]]

    play(queue)
    assert gauge.order == [1, "big", 2, 3, 4]
    assert [at for _, at in gauge.begun] == [0, 1, 2, 2, 2]


def test_a_task_run_that_waits_for_what_is_upstream_has_no_slot():
    gauge = Gauge()
    work = make(gauge, uses=Resource("only one", 1))

    @flow
    async def chain():
        return work(work("first", 5.0), 1.0), work("beside", 1.0)

    run = play(chain)
    assert gauge.order == ["first", "beside", "first"]
    assert took(run) == 7.0


def test_a_slot_is_given_back_between_two_attempts_and_asked_for_again():
    gauge = Gauge()
    door = Resource("door", 1)

    @task(uses=door, retry=Retry(2, delay=constant(10)))
    async def flaky():
        await gauge.work("flaky")
        if len(gauge.begun) < 3:
            raise ValueError("no")

    work = make(gauge, uses=door)

    @flow
    async def both():
        return flaky(), work("long", 20.0)

    run = play(both)
    assert gauge.begun == [("flaky", 0), ("long", 1), ("flaky", 21)]
    assert moves(run, "flaky") == ["Running", "Retrying", "Pending", "Running", "Success"]
    waits = [state for state in of_kind(run, "state_changed") if state.name == "Pending"]
    assert [state.message for state in waits] == ["Waits for a slot of resource 'door'."] * 2
    assert waits[0].detail == {"slots": ["resource 'door'"]}


def test_waiting_for_a_slot_does_not_count_as_time_of_the_attempt():
    gauge = Gauge()
    work = make(gauge, uses=Resource("door", 1), timeout=1.5)

    @flow
    async def queue():
        return [work(number) for number in range(5)]

    assert play(queue).is_success()


def crashes(*_):
    raise RuntimeError("a handler crashed")


def skips(_run, _old, new):
    if new.is_running():
        raise signals.SKIP


ENDS = {
    "success": ({}, None),
    "failure": ({}, ValueError("no")),
    "signal": ({}, signals.FAIL("no")),
    "timeout": ({"timeout": 0.25}, None),
    "handler": ({"state_handlers": [crashes]}, None),
    "skipped by a handler": ({"state_handlers": [skips]}, None),
    "refused": ({"breaker": Breaker("shut", failures=1, open_for=3600)}, ValueError("no")),
    "sys.exit": ({}, SystemExit(3)),
}


def ends(how: str):
    """Return a task that uses the door and ends in one way or another."""
    options, raised = ENDS[how]

    @task(name="user", uses=Resource("door", 1), **options)
    async def user():
        await asyncio.sleep(0.5)
        if raised is not None:
            raise raised

    return user


@pytest.mark.parametrize("how", [how for how in ENDS if how != "sys.exit"])
def test_slots_come_back_however_a_task_run_ends(how):
    user = ends(how)
    gauge = Gauge()
    work = make(gauge, uses=Resource("door", 1))

    @flow
    async def both():
        users = [user(), user()]
        return [*users, work("next")]

    async def story():
        run = await both.start()
        await run.wait()
        return run, door_in_this_world()

    run, door = run_virtual(story())
    assert run.tasks["work"].is_success()
    assert (door.taken, door.waiting) == (0, 0)


def door_in_this_world():
    return Resource("door", 1).limit(ambient.world())


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0, 1.5, 2.5])
def test_a_cancelled_run_leaves_the_queue_clean_and_the_next_run_goes_on(at):
    gauge = Gauge()
    work = make(gauge, uses=Resource("door", 1))

    @flow
    async def queue():
        return [work(number) for number in range(4)]

    async def story():
        first, second = await queue.start(), await queue.start()
        await asyncio.sleep(at)
        first.cancel()
        await first.wait()
        await second.wait()
        return first, second, door_in_this_world()

    first, second, door = run_virtual(story())
    assert first.is_cancelled()
    assert second.is_success()
    assert (door.taken, door.waiting) == (0, 0)


def test_a_run_whose_own_limit_is_full_keeps_no_slot_of_what_others_need():
    gauge = Gauge()
    warehouse = Resource("warehouse", 2)
    work = make(gauge, uses=warehouse)

    @flow(max_running=1)
    async def slow():
        return [work(f"slow {number}", 10.0) for number in range(3)]

    @flow
    async def quick():
        return [work(f"quick {number}", 1.0) for number in range(3)]

    async def story():
        runs = [await slow.start(), await quick.start()]
        for run in runs:
            await run.wait()
        return took(runs[1])

    assert run_virtual(story()) <= 10.0 + 3.0


def test_a_child_run_takes_no_slot_of_its_parent_and_has_limits_of_its_own():
    gauge = Gauge()
    work = make(gauge)

    @flow(max_running=2)
    async def child():
        return [work(number) for number in range(4)]

    @flow(max_running=1)
    async def parent():
        return [child(), child(), work("own")]

    run = play(parent)
    assert run.is_success()
    assert (gauge.most, took(run)) == (5, 2.0)


def test_a_resource_is_the_same_over_runs_and_worlds_have_their_own():
    gauge = Gauge()
    work = make(gauge, uses=Resource("door", 1))

    @flow
    async def one():
        return work("x")

    async def story():
        runs = [await one.start() for _ in range(3)]
        for run in runs:
            await run.wait()
        return [took(run) for run in runs]

    assert run_virtual(story()) == [1.0, 2.0, 3.0]
    assert run_virtual(story()) == [1.0, 2.0, 3.0]


def test_the_same_name_with_another_capacity_is_an_error_at_the_call():
    gauge = Gauge()
    one, two = make(gauge, uses=Resource("door", 1)), make(gauge, uses=Resource("door", 2))

    @flow
    async def both():
        return one(1), two(2)

    run = play(both)
    assert run.is_failed()
    assert "resource 'door' is used with two different settings" in run.state.message


def test_a_slot_that_is_free_is_taken_without_a_word():
    work = make(Gauge(), uses=Resource("door", 1))

    @flow(max_running=3)
    async def one():
        return work(1)

    assert moves(play(one), "work") == ["Running", "Success"]


def test_state_handlers_are_not_asked_about_waiting():
    seen = []
    work = make(
        Gauge(),
        uses=Resource("door", 1),
        state_handlers=[lambda _run, old, new: seen.append((old.name, new.name))],
    )

    @flow
    async def two():
        return work(1), work(2)

    play(two)
    assert set(seen) == {("Pending", "Running"), ("Running", "Success")}


def test_elements_that_wait_for_slots_are_no_stories():
    work = make(Gauge(), uses=Resource("door", 3))

    @flow
    async def wide():
        return work.map(range(3_000), unmapped(0.001))

    run = play(wide)
    assert run.is_success()
    assert max(event.task for event in run.events) == 1_001


def test_a_body_that_leaves_by_sys_exit_gives_its_slot_back():
    user = ends("sys.exit")

    @flow
    async def leaving():
        return user()

    async def story():
        run = await leaving.start()
        with pytest.raises(SystemExit):
            await run.wait()
        return door_in_this_world()

    assert run_virtual(story()).taken == 0


def test_an_abandoned_run_gives_back_what_it_has():
    gauge = Gauge()
    work = make(gauge, uses=Resource("door", 1))

    @flow
    async def queue():
        return [work(number) for number in range(3)]

    async def story():
        run = await queue.start()
        await asyncio.sleep(0.5)
        run.abandon()
        door = door_in_this_world()
        taken = (door.taken, door.waiting)
        run.cancel()
        await run.wait()
        return taken, (door.taken, door.waiting)

    assert run_virtual(story()) == ((0, 0), (0, 0))


def test_runs_on_loops_of_two_threads_share_a_resource():
    door = Resource("door of two threads", 1)
    inside, most = [], []

    @task(uses=door)
    async def work(who):
        inside.append(who)
        most.append(len(inside))
        await asyncio.sleep(0.001)
        inside.remove(who)

    @flow
    async def several(who):
        return [work((who, number)) for number in range(20)]

    runs = []
    threads = [Thread(target=lambda who=who: runs.append(several.run(who=who))) for who in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [run.is_success() for run in runs] == [True, True]
    assert max(most) == 1


def test_a_slot_granted_to_a_loop_that_was_closed_goes_to_the_next():
    desk = Desk()
    demand = ((door_in_this_world(), 1),)

    async def first():
        return desk.ask(demand)

    async def ask():
        return desk.ask(demand)

    loop = asyncio.new_event_loop()
    request, _ = loop.run_until_complete(first())
    lost, _ = loop.run_until_complete(ask())
    loop.close()

    async def story():
        wanted, granted = await ask()
        desk.give_back(request)
        await granted
        return wanted

    wanted = asyncio.run(story())
    assert (lost.is_over, wanted.is_granted) == (True, True)
    desk.give_back(wanted)


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (lambda: flow(max_running=0)(print), "max_running=0"),
        (lambda: flow(limits={"db": 0})(print), "limits['db']=0"),
        (lambda: task(tags="db")(print), "tags=['db']"),
        (lambda: task(uses="door")(print), "no Resource"),
        (lambda: task(uses={Resource("door", 2): 3})(print), "can never be granted"),
        (lambda: task(uses={Resource("door", 2): 0})(print), "whole number"),
        (lambda: Resource("door", 0), "capacity=0"),
        (lambda: Resource("", 1), "name=''"),
    ],
)
def test_what_can_never_be_granted_is_refused_at_the_declaration(declare, says):
    with pytest.raises(InvalidPolicy) as caught:
        declare()
    assert says in str(caught.value)


def test_states_name_those_that_wait_while_they_wait():
    work = make(Gauge(), uses=Resource("door", 1), tags=["db"])

    @flow(limits={"db": 1}, max_running=5)
    async def two():
        return work(1), work(2)

    async def story():
        run = await two.start()
        await asyncio.sleep(0.5)
        waits = run.tasks[1].state
        run.cancel()
        await run.wait()
        return waits, states(run)

    waits, after = run_virtual(story())
    assert waits.is_pending()
    assert waits.message == "Waits for a slot of resource 'door', tag 'db'."
    assert after == {"work": "Cancelled", "work#2": "Cancelled"}
