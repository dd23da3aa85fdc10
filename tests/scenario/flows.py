"""Small flows to rehearse, by references such as `tests.scenario.flows:load`."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp

from asyncflow import Breaker, Flow, Retry, flow, signals, task
from asyncflow.schedules import DatesSchedule, IntervalClock, IntervalSchedule, Schedule

done: list[str] = []
"""What really ran, in order: the effects of bodies. Tests clear it."""


@task
async def fetch(size: int = 3) -> list[int]:
    done.append("fetch")
    return list(range(1, size + 1))


@task
def double(numbers: list[int]) -> list[int]:
    done.append("double")
    return [2 * number for number in numbers]


@task
async def total(numbers: list[int] | None) -> int:
    done.append("total")
    return sum(numbers or ())


@task
async def repair() -> str:
    done.append("repair")
    return "repaired"


@flow
async def load(size: int = 3) -> Any:
    """Three tasks in a row; the one in the middle runs in a thread."""
    return total(double(fetch(size)))


@flow
def wired(size: int = 3) -> Any:
    """The same, with a body that only wires."""
    return total(double(fetch(size)))


with Flow("recorded") as recorded:
    total(double(fetch()))


@flow
async def looking() -> Any:
    """A body that awaits, so that its tasks can't all be told before it runs."""
    numbers = await fetch()
    if not numbers:
        await repair()
    return total(double(numbers))


@flow
async def renaming() -> Any:
    """A task that has its name only when the body runs."""
    await fetch()
    return total.with_options(name="renamed")([1])


@flow
async def mending() -> Any:
    """A task that is only called when another one failed."""
    try:
        return await fetch()
    except Exception:
        return await repair()


@task
async def echo(value: Any) -> Any:
    return value


@flow
async def echoing(times: int = 2) -> list[Any]:
    """The same task, called several times."""
    return [echo(number) for number in range(1, times + 1)]


@task(retry=Retry(3, delay=0.0))
async def stubborn() -> int:
    done.append("stubborn")
    return 1


@task(retry=Retry(3, delay=0.0))
def stubborn_in_thread() -> int:
    done.append("stubborn_in_thread")
    return 1


@flow
async def retrying() -> Any:
    return stubborn()


@flow
async def retrying_in_thread() -> Any:
    return stubborn_in_thread()


@task
async def broken() -> None:
    raise ValueError("by itself")


@flow
async def breaking() -> Any:
    return broken()


@task
async def leave() -> None:
    sys.exit(3)


@flow
async def exiting() -> Any:
    return leave()


@flow
async def parent() -> Any:
    """A flow that runs another one."""
    return load()


@task(validate=True)
async def strict() -> int:
    return 1


@flow
async def validating() -> Any:
    return strict()


@task(breaker=Breaker("shared", failures=1, open_for=60.0))
async def guarded() -> str:
    return "in"


@flow
async def through_a_breaker() -> Any:
    return guarded()


async def got(session: aiohttp.ClientSession, path: str) -> int:
    async with session.get(f"https://api.example{path}") as answer:
        await answer.read()
        return answer.status


@task
async def get(path: str) -> int:
    """Ask the service on a connection of its own."""
    async with aiohttp.ClientSession() as session:
        return await got(session, path)


@task
async def get_on(sessions: list[aiohttp.ClientSession], path: str) -> int:
    """Ask the service on a connection that others use too."""
    return await got(sessions[0], path)


@flow
async def asking(paths: list[str]) -> list[Any]:
    """Ask for all paths at the same time."""
    return [get(path) for path in paths]


@flow
async def asking_by_itself() -> int:
    """Ask in the flow's own body."""
    return int(await get.fn("/posts/1"))


@flow
async def sharing() -> list[int]:
    """Two tasks, one after the other, on one connection."""
    async with aiohttp.ClientSession() as session:
        return [await get_on([session], "/posts/1"), await get_on([session], "/posts/2")]


@task
async def nap(seconds: float) -> None:
    await asyncio.sleep(seconds)


@flow
async def napping(seconds: float = 0.01) -> Any:
    return nap(seconds)


@task
def write() -> None:
    Path("here.txt").write_text("written", encoding="utf-8")


@flow
async def writing() -> Any:
    """Write into the current folder, from a thread."""
    return write()


@task
async def wait_for_nobody() -> None:
    done.append("wait_for_nobody")
    await asyncio.get_running_loop().create_future()


@flow
async def waiting_for_nobody() -> Any:
    """Nothing will ever wake its second task."""
    await fetch()
    return wait_for_nobody()


@task
async def count_up() -> int:
    """Return what no seed decides: how often this process did that before."""
    done.append("count_up")
    await asyncio.sleep(done.count("count_up") // 3)
    return done.count("count_up")


@flow
async def counting_up() -> Any:
    return count_up()


@flow
async def leaving() -> Any:
    """Raise a signal from the flow's own body, at once."""
    raise signals.SKIP("nothing to do")


# ---------------------------------------------------------------------- values


@dataclass
class Point:
    x: int
    y: tuple[int, ...]


class Mute:
    """Can't be shown."""

    def __repr__(self) -> str:
        raise ZeroDivisionError


class array:  # noqa: N801 - named as a type that is shown in a way of its own
    """Can't be shown either, for want of what its namesake has."""


class Uncomparable:
    """Can't be compared."""

    def __eq__(self, _other: object) -> bool:
        raise ZeroDivisionError

    def __repr__(self) -> str:
        return "<Uncomparable>"

    __hash__ = None  # type: ignore[assignment]  # as for most things that compare by value


def _round() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


VALUES: dict[str, Any] = {
    "tuple": (1, (2, 3)),
    "dataclass": Point(1, (2,)),
    "date": date(2024, 5, 17),
    "keys": {1: "one"},
    "set": {3, 1, 2},
    "decimal": Decimal("1.50"),
    "nested": {"a": ({"b": 1.5, "c": True},)},
    "nothing": None,
    "long": list(range(99)),
    "text": "a" * 999,
    "object": object(),
    "surrogate": "\ud800",
    "round": _round(),
    "mute": Mute(),
    "array": array(),
    "uncomparable": Uncomparable(),
    "huge": 10**99,
    "infinite": float("inf"),
}
"""What a flow may return, by a name."""


@flow
async def giving(kind: str) -> Any:
    """Return what JSON can't say, or says in another way."""
    return VALUES[kind]


@task(retry=Retry(2, delay=0.001))
async def tenfold(number: int) -> int:
    return 10 * number


@flow
async def mapping() -> Any:
    return [tenfold.map([1, 2, 3]), tenfold.map([4, 5])]


@task
async def last(seconds: float) -> float:
    """Take some time."""
    await asyncio.sleep(seconds)
    return seconds


@flow(schedule=IntervalSchedule(60))
async def each_minute(size: int = 3) -> Any:
    """The flow that `load` is, every minute without end."""
    return total(double(fetch(size)))


@flow(schedule=IntervalSchedule(60, runs=2))
async def twice(size: int = 3) -> Any:
    """The same, two times in all."""
    return total(double(fetch(size)))


@flow(schedule=IntervalSchedule(60))
async def too_long() -> Any:
    """Last longer than the time between two fires, of which each second one is left out."""
    return last(90.0)


@flow(
    schedule=Schedule(
        [
            IntervalClock(60, parameters={"size": 3}),
            IntervalClock(60, parameters={"size": 4}),
        ]
    )
)
async def both_sizes(size: int) -> Any:
    """Two runs at each fire, with parameters of their own."""
    return total(double(fetch(size)))


@task
async def waits_at_last() -> None:
    """Return once, and then never again."""
    done.append("waits")
    if done != ["waits"]:
        await asyncio.get_running_loop().create_future()


@flow(schedule=IntervalSchedule(60))
async def stuck_at_last() -> Any:
    """Wait for what never comes, from the second run on."""
    return waits_at_last()


@flow(schedule=IntervalSchedule(60))
async def needs_size(size: int) -> Any:
    """Has a parameter that the schedule does not give."""
    return fetch(size)


@flow(schedule=DatesSchedule([datetime(2001, 1, 1, tzinfo=UTC)]))
async def long_ago() -> Any:
    """Was due once."""
    return fetch()
