from __future__ import annotations

import asyncio
import contextvars
import sys

import pytest

from asyncflow.sim import run

eager = pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")


async def nothing():
    pass


async def turn():
    await asyncio.sleep(0)


def futures(number):
    made = [asyncio.get_running_loop().create_future() for _ in range(number)]
    for future in reversed(made):
        future.set_result(None)
    return made


def tasks(number):
    return [asyncio.get_running_loop().create_task(turn()) for _ in range(number)]


@pytest.mark.parametrize("number", [5, 300])
@pytest.mark.parametrize("make", [tasks, futures])
def test_sets_iterate_in_the_same_order_in_every_run(make, number):
    async def main():
        made = make(number)
        done, _ = await asyncio.wait(made)
        return [made.index(one) for one in done]

    first = run(main())
    for size in range(20):
        ballast = [object() for _ in range(size * 37)]  # so that what is made lies elsewhere
        assert run(main()) == first
        del ballast


def test_tasks_are_named_by_their_number_in_this_loop():
    async def main():
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(turn()), loop.create_task(turn(), name="mine"), loop.create_task(turn())]
        await asyncio.wait(tasks)
        return [task.get_name() for task in (asyncio.current_task(), *tasks)]

    assert run(main()) == run(main()) == ["Task-1", "Task-2", "mine", "Task-3"]


def test_tasks_run_in_the_context_that_they_are_given():
    name = contextvars.ContextVar("name", default="outside")

    async def read():
        return name.get()

    async def main():
        context = contextvars.copy_context()
        context.run(name.set, "inside")
        return await asyncio.create_task(read(), context=context), await asyncio.create_task(read())

    assert run(main()) == ("inside", "outside")


class Mine(asyncio.Task):
    pass


def test_a_task_factory_of_the_users_own_is_respected_and_its_tasks_get_repeatable_names():
    async def main():
        loop = asyncio.get_running_loop()
        factory = lambda loop, coro, **options: Mine(coro, loop=loop, **options)  # noqa: E731
        loop.set_task_factory(factory)
        assert loop.get_task_factory() is factory
        tasks = [loop.create_task(turn()), loop.create_task(turn(), name="b"), loop.create_task(turn())]
        assert all(type(task) is Mine for task in tasks)
        assert loop.unfinished() == [asyncio.current_task(), *tasks]
        await asyncio.wait(tasks)
        return [task.get_name() for task in tasks]

    assert run(main()) == run(main()) == ["Task-2", "b", "Task-3"]


def test_a_name_that_a_users_factory_gives_is_kept():
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda loop, coro, **_options: Mine(coro, loop=loop, name="from the factory"))
        task = loop.create_task(turn())
        await task
        return task.get_name()

    assert run(main()) == "from the factory"


@eager
def test_eager_tasks_start_at_once_and_are_numbered_too():
    async def at_once():
        seen.append("eager")

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        assert loop.get_task_factory() is asyncio.eager_task_factory
        tasks = [asyncio.create_task(turn()) for _ in range(200)]
        tasks.append(asyncio.create_task(at_once()))
        seen.append("caller")
        done, _ = await asyncio.wait(tasks)
        return list(done) == tasks, tasks[0].get_name()

    seen = []
    assert run(main()) == (True, "Task-2")
    assert seen == ["eager", "caller"]


@eager
def test_a_program_may_be_eager_in_itself():
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.create_eager_task_factory(Mine))
        task = asyncio.create_task(nothing())
        assert task.done()
        return task.get_name()

    assert run(main()) == "Task-2"
