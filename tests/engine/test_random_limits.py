"""Random flows with limits, hooks and cancellations at random instants keep the rules."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow import Retry, ambient, constant, flow, task
from asyncflow.policies import Resource
from tests.clock import run_virtual

CAPACITY = {"door": 1, "desk": 3}
LIMITS = {"db": 2}
MOST = 3


@dataclass(frozen=True)
class Step:
    deed: str
    nap: float
    uses: dict[str, int]
    tagged: bool
    attempts: int
    after: int
    mapped: bool


STEPS = st.builds(
    Step,
    deed=st.sampled_from(["return", "return", "raise", "hang", "thread"]),
    nap=st.sampled_from([0.0, 0.5, 1.0]),
    uses=st.sampled_from([{}, {"door": 1}, {"desk": 1}, {"desk": 3}, {"desk": 2, "door": 1}]),
    tagged=st.booleans(),
    attempts=st.integers(1, 2),
    after=st.integers(0, 3),
    mapped=st.booleans(),
)


class Watch:
    """What must be true at every instant, and what happened."""

    def __init__(self) -> None:
        self.units = dict.fromkeys(CAPACITY, 0)
        self.tagged = self.running = 0
        self.done: list[str] = []
        self.undone: list[str] = []

    def count(self, step: Step, sign: int) -> None:
        for name, units in step.uses.items():
            self.units[name] += sign * units
            assert self.units[name] <= CAPACITY[name]
        self.tagged += sign * step.tagged
        self.running += sign
        assert self.tagged <= LIMITS["db"]
        assert self.running <= MOST


def make(watch: Watch, number: int, step: Step):
    async def body(element: int = 0) -> str:
        watch.count(step, 1)
        try:
            await asyncio.sleep(step.nap if step.deed != "hang" else 1_000)
            if step.deed == "raise":
                raise ValueError("no")
        finally:
            watch.count(step, -1)
        watch.done.append(f"{number}/{element}")
        return f"{number}/{element}"

    def in_thread(element: int = 0) -> str:
        watch.done.append(f"{number}/{element}")
        return f"{number}/{element}"

    declared = task(
        name=f"step{number}",
        uses={Resource(name, CAPACITY[name]): units for name, units in step.uses.items()},
        tags=["db"] if step.tagged else None,
        retry=Retry(step.attempts, delay=constant(0.5)),
        timeout=2.0,
    )(in_thread if step.deed == "thread" else body)

    @declared.on_rollback
    async def undo(result: str, _element: int = 0) -> None:
        await asyncio.sleep(0.25)
        watch.undone.append(result)

    return declared


@given(
    steps=st.lists(STEPS, min_size=1, max_size=6),
    cancel_at=st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.75, 2.0, 3.0]),
    again_after=st.none() | st.sampled_from([0.0, 0.25, 0.5]),
    fail_fast=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_the_rules_of_limits_and_rollback_hold(steps, cancel_at, again_after, fail_fast):
    watch = Watch()
    tasks = [make(watch, number, step) for number, step in enumerate(steps)]

    @flow(max_running=MOST, limits=LIMITS, fail_fast=fail_fast)
    async def random_flow():
        handles = []
        for declared, step in zip(tasks, steps, strict=True):
            called = declared.map(range(3)) if step.mapped else declared()
            if 0 < step.after <= len(handles):
                called.set_upstream(handles[-step.after])
            handles.append(called)
        return handles

    async def story():
        run = await random_flow.start()
        if cancel_at is not None:
            await asyncio.sleep(cancel_at)
            run.cancel()
            if again_after is not None:
                await asyncio.sleep(again_after)
                run.cancel()
        await run.wait()
        limits = [Resource(name, most).limit(ambient.world()) for name, most in CAPACITY.items()]
        assert [(limit.taken, limit.waiting) for limit in limits] == [(0, 0)] * len(limits)
        return run

    run = run_virtual(story())
    assert watch.running == 0
    assert watch.undone == (settled(run, steps)[::-1] if run.is_failed() else [])
    told = [event.detail["key"] for event in run.events if event.kind == "rolled_back"]
    assert len(told) == len(set(told)) == len(watch.undone)


def settled(run, steps) -> list[str]:
    """Return what succeeded, in the order in which the run heard of it.

    A thread's result is heard of later than it is there, or never when its task run was cancelled meanwhile.
    """
    names: dict[int, str] = {}
    for event in run.events:
        if event.kind == "task_called" and "element_of" in event.detail:
            names[event.task] = f"{event.detail['element_of'] - 1}/{event.detail['index']}"
        elif event.kind == "task_called" and not steps[event.task - 1].mapped:
            names[event.task] = f"{event.task - 1}/0"
    ended = [
        event for event in run.events if event.kind == "state_changed" and event.detail.name == "Success"
    ]
    return [names[event.task] for event in ended if event.task in names]
