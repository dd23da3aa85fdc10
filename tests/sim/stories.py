"""Programs that never end, and where they wait."""

from __future__ import annotations

import asyncio
import types
from math import inf


async def waits_in_a_circle():
    queue = asyncio.Queue(1)

    async def take():
        await queue.get()  # takes

    async def join(task):
        await task  # joins

    await asyncio.sleep(3600)
    async with asyncio.TaskGroup() as group:  # groups
        worker = group.create_task(take(), name="worker")
        group.create_task(join(worker), name="joiner")


async def event():
    await asyncio.Event().wait()  # event: here


async def innermost():
    await asyncio.get_running_loop().create_future()  # innermost: here


async def middle():
    await innermost()


async def deep():
    await middle()


async def forever():
    try:
        await asyncio.get_running_loop().create_future()  # forever: here
    finally:
        yield


async def in_generator():
    async for _ in forever():
        pass


async def by_anext():
    await anext(forever(), None)


class Awaitable:
    def __await__(self):
        return innermost().__await__()


async def in_awaitable():
    await Awaitable()


class ByHand:
    def __await__(self):
        yield from asyncio.get_running_loop().create_future()  # by_hand: here


async def by_hand():
    await ByHand()


@types.coroutine
def old_style_wait():
    yield from asyncio.get_running_loop().create_future()  # old_style: here


async def old_style():
    await old_style_wait()


async def sleeps_for_ever():
    await asyncio.sleep(inf)


async def many(number):
    async with asyncio.TaskGroup() as group:
        for index in range(number):
            group.create_task(event(), name=f"t{index}")


async def spin():
    while True:
        await asyncio.sleep(0)  # spins


async def ping_pong():
    async with asyncio.TaskGroup() as group:
        group.create_task(spin(), name="ping")
        group.create_task(spin(), name="pong")


def again():
    asyncio.get_running_loop().call_soon(again)


async def callback_chain():
    again()
    await asyncio.Event().wait()


async def beats(seconds):
    async def beat():
        while True:
            await asyncio.sleep(seconds)

    async with asyncio.TaskGroup() as group:
        group.create_task(beat(), name="heart")
        await asyncio.Event().wait()
