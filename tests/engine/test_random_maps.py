"""Whatever a chain of maps looks like and whenever it is cancelled: the rules of a map hold."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from asyncflow import Retry, constant, flow, signals, task, triggers
from tests.engine.kit import virtually

DEEDS = ("return", "return", "return", "raise", "skip", "retry", "cancel", "exit group")


@dataclass(frozen=True)
class Stage:
    """One map of a chain: what its bodies do by element, how long they take, its window and options."""

    deeds: tuple[str, ...]
    naps: tuple[int, ...]
    window: int
    tolerate: float
    attempts: int
    finishes: bool
    skips: bool
    handled: bool


stages = st.builds(
    Stage,
    deeds=st.lists(st.sampled_from(DEEDS), min_size=1, max_size=4).map(tuple),
    naps=st.lists(st.integers(0, 3), min_size=1, max_size=4).map(tuple),
    window=st.integers(1, 4),
    tolerate=st.sampled_from((0, 1, 0.5, 1.0)),
    attempts=st.integers(1, 2),
    finishes=st.booleans(),
    skips=st.booleans(),
    handled=st.booleans(),
)
inputs = st.sampled_from(("list", "iterator", "async iterator", "handle"))


class Watch:
    """Sees how the bodies of one stage run."""

    def __init__(self, stage: Stage, number: int) -> None:
        self.stage = stage
        self.name = f"stage{number}"
        self.now: Counter[int] = Counter()
        self.most = 0
        self.twice = False

    def task(self):
        stage = self.stage

        async def quietly(obj, old, new):
            await asyncio.sleep(0)

        @task(
            name=self.name,
            retry=Retry(stage.attempts, delay=constant(1)),
            trigger=triggers.all_finished if stage.finishes else triggers.all_successful,
            skip_on_upstream_skip=stage.skips,
            state_handlers=[quietly] if stage.handled else None,
        )
        async def body(_upstream, index):
            self.twice = self.twice or self.now[index] > 0
            self.now[index] += 1
            self.most = max(self.most, sum(self.now.values()))
            try:
                await asyncio.sleep(stage.naps[index % len(stage.naps)])
                return self._do(index)
            finally:
                self.now[index] -= 1

        return body

    def _do(self, index):
        match self.stage.deeds[index % len(self.stage.deeds)]:
            case "raise":
                raise ValueError(index)
            case "skip":
                raise signals.SKIP("x")
            case "retry" if not hasattr(self, f"again{index}"):
                setattr(self, f"again{index}", True)
                raise signals.RETRY("x", delay=1)
            case "cancel":
                raise asyncio.CancelledError
            case "exit group":
                raise BaseExceptionGroup("two", [signals.FAIL("x"), ValueError(index)])
        return index


def first_input(kind, count):
    async def numbers():
        for number in range(count):
            await asyncio.sleep(0)
            yield number

    if kind == "async iterator":
        return numbers()
    if kind == "handle":
        return task(name="numbers")(_listed)(count)
    return list(range(count)) if kind == "list" else iter(range(count))


async def _listed(count):
    return list(range(count))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    chain=st.lists(stages, min_size=1, max_size=3),
    kind=inputs,
    count=st.integers(0, 7),
    cancel_at=st.none() | st.integers(0, 24).map(lambda halves: halves / 2),
    again_at=st.none() | st.integers(0, 6).map(lambda halves: halves / 2),
    fail_fast=st.booleans(),
)
def test_the_rules_of_a_map_hold(chain, kind, count, cancel_at, again_at, fail_fast):
    watches = [Watch(stage, number) for number, stage in enumerate(chain)]

    @flow(fail_fast=fail_fast)
    async def body():
        upstream = first_input(kind, count)
        mapped = []
        for watch in watches:
            stage = watch.stage
            upstream = watch.task().map(
                upstream, iter(range(count)), max_running=stage.window, tolerate=stage.tolerate
            )
            mapped.append(upstream)
        return mapped

    async def story():
        run = await body.start()
        if cancel_at is not None:
            await asyncio.sleep(cancel_at)
            run.cancel("enough")
            if again_at is not None:
                await asyncio.sleep(again_at)
                run.cancel("enough now")
        await run.wait()
        await asyncio.sleep(
            0
        )  # a map that was cancelled before its first step is final a turn before its task
        left = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
        return run, left

    run, left = virtually(story())
    assert not left, "nothing is left running"
    ended = {record.task: seq for seq, record in enumerate(run.events) if record.kind == "state_changed"}
    parents = {
        record.task: record.detail["element_of"]
        for record in run.events
        if record.kind == "task_called" and "element_of" in record.detail
    }
    assert all(ended[element] < ended[parent] for element, parent in parents.items())
    for watch in watches:
        mapped = run.tasks[watch.name]
        event(f"ends {mapped.state.name}")
        assert mapped.is_final()
        assert not watch.twice, "an element runs at most once at a time"
        assert watch.most <= watch.stage.window
        assert not +watch.now
        children = list(mapped.children)
        assert all(child.is_final() for child in children)
        if mapped.state.name == "Success":
            assert len(children) == count
            good = [child for child in children if child.is_success() and not child.state.is_skipped()]
            assert mapped.state.result == [child.state.result for child in good]
            failed = sum(child.is_failed() for child in children)
            assert failed <= mapped.plan.allows(count)
