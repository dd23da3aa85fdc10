"""The examples about storms: the service that they call, and their flows without and with trouble."""

from __future__ import annotations

import asyncio

import pytest

from asyncflow.examples import herd, storm, tail
from asyncflow.examples.service import Service
from asyncflow.scenario import gallery
from asyncflow.scenario.compare import compare, prepare_all
from asyncflow.scenario.load import load
from asyncflow.scenario.play import play
from asyncflow.targets import flows_in
from tests.clock import run_virtual

MODULES = [herd, storm, tail]


async def times(service: Service, count: int) -> list[float | str]:
    """Ask so many times at once; return when each was answered, or how it failed."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def ask() -> float | str:
        try:
            await service.ask()
        except ConnectionRefusedError as error:
            return str(error)
        return round(loop.time() - began, 6)

    return list(await asyncio.gather(*[ask() for _ in range(count)]))


async def test_a_service_answers_in_the_order_of_the_questions(virtual_clock):
    assert await times(Service(2, 1.0), 5) == [1.0, 1.0, 2.0, 2.0, 3.0]


async def test_a_service_refuses_whom_it_has_no_room_for(virtual_clock):
    service = Service(1, 1.0, room=1)
    assert await times(service, 3) == [1.0, 2.0, "the queue of 1 is full"]
    assert await times(service, 1) == [1.0]


async def test_a_service_works_on_for_a_client_that_is_gone(virtual_clock):
    service = Service(1, 1.0)
    gone = asyncio.create_task(service.ask())
    await asyncio.sleep(0.5)
    gone.cancel()
    assert await times(service, 1) == [1.5]


async def test_a_service_without_workers_answers_when_it_has_them_again(virtual_clock):
    service = Service(1, 1.0)
    service.employ(0)
    asyncio.get_running_loop().call_later(2.0, service.employ, 2)
    assert await times(service, 2) == [3.0, 3.0]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_names_its_scenario_and_has_a_flow_whose_tasks_are_known(module):
    ((name, flow),) = flows_in(module).items()
    assert f"asyncflow scenario {name}" in module.__doc__
    assert flow.task_names()[1], "the whole graph is known before a run"


@pytest.mark.parametrize(("answered", "said"), [(250, "100%"), (213, "85%")])
async def test_a_service_is_well_when_most_of_the_last_clients_were_answered(answered, said):
    late = range(1250, 1250 + answered)
    told = await storm.check_service.fn([3, 1249, *late], 60)
    assert told == f"{said} of the clients of the last 10 seconds were answered"


async def test_a_service_that_left_too_many_clients_without_an_answer_fails_the_flow():
    with pytest.raises(RuntimeError, match=r"^80% of the clients .* were answered$"):
        await storm.check_service.fn([*range(1250), *range(1250, 1450)], 60)


def test_without_trouble_there_is_no_storm():
    async def story():
        run = await storm.retry_storm.start(seconds=20)
        return (await run.wait()).result()

    assert run_virtual(story()) == "100% of the clients of the last 10 seconds were answered"


@pytest.mark.parametrize(("clients", "seconds"), [(1, 0.1), (120, 6.05)])
def test_who_leaves_one_after_the_other_is_no_herd(clients, seconds):
    async def story():
        run = await herd.thundering_herd.start(clients=clients)
        return (await run.wait()).result(), asyncio.get_running_loop().time()

    assert run_virtual(story()) == (clients, pytest.approx(seconds))


@pytest.mark.parametrize(
    ("taken", "said"), [([0.02] * 99 + [9.0], "20 ms"), ([0.1] * 300, "100 ms"), ([0.02], "20 ms")]
)
async def test_a_tail_is_short_when_99_of_100_look_ups_are_fast(taken, said):
    assert await tail.check_tail.fn(taken) == f"99% of the look-ups took {said} or less"


async def test_a_tail_that_is_too_long_fails_the_flow():
    with pytest.raises(TimeoutError, match=r"^99% of the look-ups took 110 ms or less$"):
        await tail.check_tail.fn([0.02] * 98 + [0.11, 0.5])


async def test_replicas_are_asked_in_turn(virtual_clock):
    replicas = tail.Replicas()
    replicas.services[1].employ(0)
    asking = [asyncio.create_task(replicas.ask()) for _ in range(2 * tail.REPLICAS)]
    await asyncio.sleep(1.0)
    assert [number for number, asked in enumerate(asking) if not asked.done()] == [1, 1 + tail.REPLICAS]
    replicas.services[1].employ(1)
    await asyncio.wait(asking)


def test_without_a_pause_the_tail_is_short():
    async def story():
        run = await tail.hedged_tail.start(count=50)
        return (await run.wait()).result()

    assert run_virtual(story()) == "99% of the look-ups took 24 ms or less"


@pytest.mark.parametrize(
    ("scenario", "collapsed", "recovered"),
    [
        ("retry_storm", {"as written", "jitter"}, {"no-retry", "budget", "breaker", "bulkhead"}),
        ("thundering_herd", {"as written", "constant"}, {"equal", "full", "decorrelated", "rate-limit"}),
        ("hedged_tail", {"no-hedge"}, {"as written", "quantile", "retry"}),
    ],
)
def test_the_policies_alone_decide_how_a_storm_ends_whatever_the_seed(
    tmp_path, scenario, collapsed, recovered
):
    rehearsals = prepare_all(scenario, load(gallery.find(scenario)), seed=1)
    found = compare(rehearsals, lambda rehearsal: play(rehearsal, tmp_path))
    ends = {side.label: side.report.history.state.name for side in found.sides}
    assert ends == dict.fromkeys(collapsed, "Failed") | dict.fromkeys(recovered, "Success")
    assert found.held, found.sentence
