"""What type checkers have to understand of the public API; `test_typing` lets them read it, nobody runs it.

A line that they have to refuse carries `type: ignore`: an ignore that is not needed is an error, too.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from asyncflow import (
    Flow,
    Handle,
    Parameter,
    Policy,
    Retry,
    Task,
    current,
    exponential,
    flatten,
    flow,
    signals,
    states,
    task,
    triggers,
    unmapped,
)
from asyncflow.control import ResourceManager, case, filter_results, ifelse, merge, resource_manager, switch
from asyncflow.policies import Resource
from asyncflow.ports import Run
from asyncflow.schedules import CronSchedule, Fire, IntervalSchedule, filters

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Row:
    name: str


@task
async def extract(size: int = 10) -> list[dict[str, str]]:
    return [{"name": "x"}] * size


@task(retry=Retry(3, delay=exponential(0.2, cap=5.0), on=ConnectionError), timeout=3.0)
async def extract_carefully(size: int, *, page: str = "") -> list[dict[str, str]]:
    return []


@task
def parse(raw: list[dict[str, str]]) -> list[Row]:
    if not raw:
        raise signals.SKIP("nothing new")
    return [Row(**one) for one in raw]


@task(trigger=triggers.all_finished, nout=2)
def split(rows: list[Row]) -> tuple[Row, int]:
    return rows[0], 1


def alert(obj: Any, old: states.State, new: states.State) -> states.State | None:
    return states.Success(result=3) if new.is_failed() else None


assert_type(extract.fn(3), Any)
assert_type(extract.name, str)


async def tasks() -> None:
    handle = extract(3)
    assert_type(handle, Handle[list[dict[str, str]]])
    assert_type(await handle, list[dict[str, str]])
    assert_type(handle.later, list[dict[str, str]])
    assert_type(await extract_carefully(3, page="x"), list[dict[str, str]])
    assert_type(parse(handle.later), Handle[list[Row]])
    assert_type(await parse(handle.later), list[Row])
    assert_type(await parse(await handle), list[Row])
    assert_type(await parse.after(handle)(handle.later), list[Row])
    assert_type(await parse.with_options(timeout=3)([]), list[Row])
    first, second = split([])
    assert_type(first, Handle[Any])
    assert_type(second, Handle[Any])
    assert_type(handle[0]["name"], Handle[Any])
    handle.set_downstream(parse([]))
    handle.set_upstream(extract())

    extract("3")  # type: ignore[arg-type]
    extract(3, 4)  # type: ignore[call-arg]
    extract(sizes=3)  # type: ignore[call-arg]
    extract_carefully(3, page=4)  # type: ignore[arg-type]
    parse(handle)  # type: ignore[arg-type]
    parse.after(3)([])  # type: ignore[arg-type]


@flow
async def etl(size: int, name: str = "x") -> int:
    rows = await parse(extract(size).later)
    assert_type(rows, list[Row])
    assert_type(current(), Any)
    return len(rows)


@flow(name="wired", state_handlers=[alert], fail_fast=True)
def wired(size: int) -> Handle[list[Row]]:
    return parse(extract(size).later)


@flow(schedule=CronSchedule("0 9 * * *", timezone="America/New_York", filters=[filters.is_weekday]))
async def daily(size: int = 3) -> int:
    return size


async def schedules() -> None:
    assert_type(
        IntervalSchedule(timedelta(minutes=1), runs=3, overlap="queue").next_fires(NOW, 2), list[Fire]
    )
    assert_type(daily.run(run_on_schedule=False), Run[int])
    assert_type(await daily.follow(size=3), Run[int])
    Flow("recorded", IntervalSchedule(60.0))

    IntervalSchedule(timedelta(minutes=1), overlap="skipp")  # type: ignore[arg-type]
    IntervalSchedule(60, run=3)  # type: ignore[call-arg]
    Flow("recorded", timedelta(minutes=1))  # type: ignore[arg-type]


async def flows() -> None:
    assert_type(etl.run(size=3), Run[int])
    assert_type(etl.run(size=3).result(), int)
    run = await etl.start(size=3)
    assert_type(run, Run[int])
    assert_type(await run, int)
    assert_type(await run.wait(), Run[int])
    assert_type(run.state, states.State)
    assert_type(run.is_failed(), bool)
    assert_type(wired.name, str)
    etl(3, name="y")

    etl("3")  # type: ignore[arg-type]
    etl(3, nam="y")  # type: ignore[call-arg]
    flow(fail_fast=3)  # type: ignore[call-overload]
    task(timout=3)  # type: ignore[call-overload]


def declarations() -> None:
    async def load(rows: list[Row]) -> int:
        return 3

    declared: Task[[list[Row]], int] = task(load)
    named: Callable[[list[Row]], Handle[int]] = task(name="load")(load)
    del declared, named

    size = Parameter("size", default=10)
    with Flow("recorded") as f:
        extract(size.later)
    assert_type(f, Flow[..., None])
    f.run(size=3)
    f.visualize()
    kept = Flow("kept")
    with kept:
        extract()

    policy = Policy(timeout=2.0, retry=3)

    @policy
    async def guarded(x: int) -> str:
        return str(x)

    coroutine: Coroutine[Any, Any, str] = guarded(3)
    coroutine.close()
    coroutine = guarded("3")  # type: ignore[arg-type]

    async def plain(x: int, *, times: int) -> bytes:
        return b"x" * x * times

    called: Coroutine[Any, Any, bytes] = policy.call(plain, 3, times=2)
    called.close()
    called = policy.call(plain, "3", times=2)  # type: ignore[arg-type]


@flow
async def maps() -> None:
    pages = extract_carefully.map([1, 2], page=unmapped("a"))
    assert_type(pages, Handle[list[list[dict[str, str]]]])
    assert_type(await parse.map(pages, max_running=10, tolerate=0.05), list[list[Row]])
    assert_type(flatten(pages), Handle[list[dict[str, str]]])


class Connection:
    def __init__(self, host: str, *, port: int = 5432) -> None:
        self.host = host

    async def setup(self) -> list[str]:
        return [self.host]

    def cleanup(self, resource: list[str]) -> None:
        resource.clear()


class Plain:
    def setup(self) -> int:
        return 3

    async def cleanup(self, resource: int) -> None:
        del resource


connection = resource_manager(Connection)
plain = resource_manager(name="plain", cleanup={"retry": 3})(Plain)
assert_type(plain, ResourceManager[[], int])


@flow
async def controlled(kind: str) -> int:
    with case(kind, "a"):
        one = extract(1)
    with case(kind, "b"):
        other = extract(2)
    merged = merge(one, other)
    assert_type(merged, Handle[list[dict[str, str]]])
    with connection("db", port=3) as opened:
        assert_type(opened, Handle[list[str]])
    with plain() as number:
        assert_type(number, Handle[int])
    connection(3)  # type: ignore[arg-type]
    switch(one, {1: one, 2: lambda: extract(3)}, default=extract)
    kept = filter_results([one, other])
    assert_type(kept, Handle[list[Any]])
    assert_type(ifelse(one, other), tuple[Handle[Any], ...])
    return len(await merged)


@task(uses={Resource("warehouse", 4): 2}, tags=["db"])
async def charge(customer: str, amount: int = 1) -> bytes:
    return b"receipt"


@charge.on_rollback
def refund(receipt: bytes, customer: str, amount: int = 1) -> None: ...


@charge.on_rollback(retry=3, timeout=None)  # type: ignore[arg-type]
async def wrong(receipt: str, customer: str, amount: int = 1) -> None: ...


@flow(max_running=3, limits={"db": 2, "gpu": Resource("gpu")})
async def limited() -> None:
    assert_type(await charge("Ada"), bytes)
