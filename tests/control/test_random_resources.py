"""Random nestings of resources, branches and failing tasks, cancelled at any moment, leave nothing open."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from asyncflow import Retry, flow, signals, task
from asyncflow.control import case, resource_manager
from asyncflow.engine import FlowRun
from tests.clock import run_virtual

SECONDS = st.sampled_from([0.0, 0.5, 1.0, 1.5])
OPENING = st.sampled_from([0.5, 1.0, 0.0])
ENDS = {"returns": None, "fails": ValueError("no"), "skips": signals.SKIP("nothing")}


def plans() -> st.SearchStrategy[Any]:
    """Return what is called in a block: uses, resources with blocks of their own, and branches."""
    uses = st.tuples(st.just("use"), SECONDS, st.sampled_from(list(ENDS)), st.booleans())
    return st.lists(
        st.recursive(
            uses,
            lambda inner: st.one_of(
                st.tuples(
                    st.just("resource"),
                    OPENING,
                    st.sampled_from(list(ENDS)),
                    SECONDS,
                    st.lists(inner, max_size=3),
                ),
                st.tuples(st.just("case"), st.booleans(), st.lists(inner, max_size=2)),
            ),
            max_leaves=6,
        ),
        min_size=1,
        max_size=4,
    )


class House:
    """Plays a plan, and keeps who has opened, used and closed what."""

    def __init__(self, plan: list[Any], *, hands_over: bool) -> None:
        self.plan = plan
        self.hands_over = hands_over
        self.opened: Counter[int] = Counter()
        self.closed: Counter[int] = Counter()
        self.users: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.doors = 0

    async def wire(self, plan: list[Any], inside: tuple[int, ...]) -> None:
        for step in plan:
            match step:
                case ["use", seconds, end, awaited]:
                    handle = use(self, inside, seconds, end)
                    if awaited:
                        try:
                            await handle
                        except ValueError:
                            continue
                case ["case", taken, steps]:
                    with case(taken, True):
                        await self.wire(steps, inside)
                case ["resource", opens_in, end, closes_in, steps]:
                    self.doors += 1
                    number = self.doors
                    with Door(self, inside, number, opens_in, end, closes_in) as door:
                        if self.hands_over:
                            use(self, (*inside, number), 0.5, "returns", door)
                        await self.wire(steps, (*inside, number))

    def check(self, run: FlowRun) -> None:
        """Say what must hold of a final run."""
        assert self.wrong == []
        assert all(count == 1 for count in self.opened.values())
        assert self.opened == self.closed
        assert not +self.users
        setups = [task_run for task_run in run.tasks if task_run.name == "Door.setup"]
        cleanups = {task_run.fed_by[1]: task_run for task_run in run.tasks if task_run.name == "Door.cleanup"}
        for setup in setups:
            was_set_up = setup.state.is_success() and not setup.state.is_skipped()
            assert cleanups[setup].state.name == ("Success" if was_set_up else "Skipped")


@task
async def use(house: House, inside: tuple[int, ...], seconds: float, end: str, _door: Any = None) -> None:
    house.wrong.extend(
        f"{door} used, but not open" for door in inside if house.opened[door] <= house.closed[door]
    )
    house.users.update(inside)
    try:
        await asyncio.sleep(seconds)
        if ENDS[end] is not None:
            raise ENDS[end]
    finally:
        try:
            await asyncio.sleep(0.5)
        finally:
            house.users.subtract(inside)


@resource_manager(cleanup={"retry": Retry(2, delay=0.5)})
class Door:
    """Its first cleanup fails whenever it takes any time; while open it is a user of those around it."""

    def __init__(
        self, house: House, inside: tuple[int, ...], number: int, opens_in: float, end: str, closes_in: float
    ) -> None:
        self.house, self.inside, self.number, self.end = house, inside, number, end
        self.opens_in, self.closes_in, self.tries = opens_in, closes_in, 0

    async def setup(self) -> int:
        await asyncio.sleep(self.opens_in)
        if ENDS[self.end] is not None:
            raise ENDS[self.end]
        self.house.opened[self.number] += 1
        self.house.users.update(self.inside)
        await asyncio.sleep(self.opens_in)
        return self.number

    async def cleanup(self, number: int) -> None:
        if self.house.users[number]:
            self.house.wrong.append(f"{number} closed while in use")
        await asyncio.sleep(self.closes_in)
        self.tries += 1
        if self.closes_in and self.tries == 1:
            raise OSError("stuck")
        self.house.closed[number] += 1
        self.house.users.subtract(self.inside)


@flow
async def live_in(house: House) -> None:
    await house.wire(house.plan, ())


@given(plans(), st.booleans(), st.integers(-2, 12), st.integers(0, 4))
def test_nothing_stays_open(plan: list[Any], hands_over: bool, cancelled_at: int, turns: int) -> None:
    house = House(plan, hands_over=hands_over)

    async def story() -> Any:
        run = await live_in.start(house=house)
        if cancelled_at >= 0:
            await asyncio.sleep(cancelled_at / 4)
            for _ in range(turns):
                await asyncio.sleep(0)
            event("cancelled while something is open" if house.opened - house.closed else "cancelled")
            run.cancel()
        await run.wait()
        assert len(asyncio.all_tasks()) == 1, "an asyncio task was left over"
        return run

    house.check(run_virtual(story()))
