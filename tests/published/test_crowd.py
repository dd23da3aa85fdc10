from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest

from asyncflow import Policy, Retry
from benchmarks.published import crowd as module
from benchmarks.published.crowd import Counted, Overloaded, Server, Serving, Trigger, crowd

NONE = Trigger("nothing", 1.0)


class Even(Random):
    """No chance at all: the middle of every range."""

    def random(self) -> float:
        return 0.5


async def answered(serving: Serving, gaps: list[float], patience: float = 99.0) -> list[tuple[int, float]]:
    """Ask with these gaps between the requests; return who got an answer in which order, and when.

    Who was refused stands there with a minus.
    """
    loop = asyncio.get_running_loop()
    server, began, order = Server(serving, Even()), loop.time(), []

    async def ask(number: int) -> None:
        try:
            await server.ask(loop.time() + patience)
            order.append((number, round(loop.time() - began, 6)))
        except Overloaded:
            order.append((-number, round(loop.time() - began, 6)))

    asking = []
    for number, gap in enumerate(gaps, 1):
        await asyncio.sleep(gap)
        asking.append(asyncio.create_task(ask(number)))
    await asyncio.wait(asking, timeout=10.0)
    for left in asking:
        left.cancel()
    return order


ONE = {"workers": 1, "seconds": 1.0}


@pytest.mark.parametrize(
    ("serving", "patience", "order"),
    [
        (Serving(**ONE), 99.0, [(1, 1.0), (2, 2.0), (3, 3.0)]),
        (Serving(newest_first=True, **ONE), 99.0, [(1, 1.0), (3, 2.0), (2, 3.0)]),
        (Serving(bound=1, **ONE), 99.0, [(-3, 0.205), (1, 1.0), (2, 2.0)]),
        (Serving(drops_expired=True, **ONE), 0.85, [(1, 1.0), (3, 2.0)]),
        (Serving(workers=2, seconds=1.0), 99.0, [(1, 1.0), (2, 1.1), (3, 2.0)]),
    ],
)
async def test_a_server_takes_its_queue_as_it_is_told(virtual_clock, serving, patience, order):
    assert await answered(serving, [0.0, 0.1, 0.1], patience) == order


async def test_a_server_works_on_for_clients_that_are_gone(virtual_clock):
    loop = asyncio.get_running_loop()
    server, began = Server(Serving(**ONE), Even()), loop.time()
    gone = [asyncio.create_task(server.ask(99.0)) for _ in range(3)]
    await asyncio.sleep(0.5)
    for client in gone:
        client.cancel()
    await server.ask(99.0)
    assert loop.time() - began == pytest.approx(4.0)


async def test_a_server_without_workers_answers_when_it_has_them_again(virtual_clock):
    loop = asyncio.get_running_loop()
    server, began = Server(Serving(**ONE), Even()), loop.time()
    server.have(0.0)
    loop.call_later(5.0, server.have, 1.0)
    await server.ask(99.0)
    assert loop.time() - began == pytest.approx(6.0)


def test_a_crowd_is_counted_by_the_second():
    counted = crowd(Policy(timeout=1.0), Serving(), NONE, rate=20, seconds=30)
    assert counted.arrived.total() - counted.sent.total() in (0, 1), "the last may not have asked yet"
    assert 15 < counted.a_second(counted.arrived, 0, 30) < 25
    assert 0 <= counted.arrived.total() - counted.succeeded.total() < 10, "all but those on their way"


def test_attempts_are_requests_and_are_counted_as_such():
    counted = crowd(
        Policy(timeout=1.0, retry=Retry(3)), Serving(), Trigger("out", 0.0, 0.0, 30.0), rate=20, seconds=30
    )
    assert counted.succeeded.total() == 0
    assert counted.sent.total() == pytest.approx(3 * counted.arrived.total(), rel=0.1)


def test_the_same_seed_is_the_same_crowd():
    def run(seed: int) -> Counted:
        return crowd(Policy(timeout=1.0), Serving(), NONE, rate=20, seconds=5, seed=seed)

    assert run(1) == run(1) != run(2)


async def test_nobody_is_left_behind(virtual_clock):
    async with module._Crowd() as clients:
        clients.start(asyncio.sleep(99.0))
        await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1


def test_a_rate_is_taken_over_whole_seconds():
    counted = Counted(Counter({1: 4, 2: 6, 3: 99}), Counter(), Counter())
    assert counted.a_second(counted.arrived, 1, 3) == 5.0
