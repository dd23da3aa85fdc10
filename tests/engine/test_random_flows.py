"""Random flows with everything at once, cancelled and resumed at random instants, keep the rules of a run.

Signals, triggers, retries, loops, pauses, maps, children, caches, limits, rollback, handlers and policies
meet here in all combinations; the other suites of random flows look at fewer of them, and closer.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from asyncflow import Retry, ambient, current, flow, signals, states, task, triggers
from asyncflow.engine import FlowRun
from asyncflow.engine.turns import turns_of
from asyncflow.errors import LateEdge
from asyncflow.history import RunHistory, fold
from asyncflow.history.measures import measures_of
from asyncflow.policies import Breaker, Budget, Bulkhead, Fallback, Hedge, RateLimit, Resource
from asyncflow.sim import Simulation
from asyncflow.states import MOVES
from asyncflow.store import MemoryStore, SQLiteStore

DIGITS = re.compile(r"\d+")
CAPACITY = {"door": 1, "desk": 3}
PLACES = 2

KINDS = ("task", "task", "task", "def", "map", "child")
DEEDS = (
    *("return", "return", "return", "raise", "fail", "skip", "succeed", "retry", "loop", "pause", "hang"),
    *("refuse", "end cancelled", "cancel", "group", "none"),
)
TRIGGERS = (
    *(triggers.all_successful, triggers.all_successful, triggers.any_successful, triggers.all_finished),
    *(triggers.any_failed, triggers.not_all_skipped, triggers.manual_only),
)


async def slowly(_obj: Any, _old: Any, _new: Any) -> None:
    await asyncio.sleep(0.5)


def healing(_obj: Any, _old: Any, new: states.State) -> states.State | None:
    return states.Success("healed", 1) if new.name == "Failed" else None


def breaking(_obj: Any, _old: Any, new: states.State) -> None:
    if new.is_success():
        raise ZeroDivisionError


HANDLERS: dict[str, list[Any]] = {"none": [], "slow": [slowly], "heals": [healing], "breaks": [breaking]}


async def another(_error: BaseException) -> str:
    await asyncio.sleep(0.25)
    return "another"


def breaks_too(_error: BaseException) -> str:
    raise LookupError("none")


BUDGET = Budget("extra", share=0.5, floor=2)
BULKHEAD = Bulkhead(PLACES, queue=3, queue_timeout=1.25, name="places")
POLICIES: dict[str, dict[str, Any]] = {
    "hedge": {"hedge": 0.75},
    "hedges at once": {"hedge": Hedge(0, max_hedges=2)},
    "paid hedges": {"hedge": Hedge(0.25, max_hedges=2, budget=BUDGET)},
    "value": {"fallback": Fallback("value")},
    "function": {"fallback": Fallback(function=another)},
    "broken fallback": {"fallback": Fallback(function=breaks_too)},
    "last good": {"fallback": Fallback(cached=True)},
    "deadline": {"deadline": 1.75},
    "long deadline": {"deadline": 4.25},
    "bulkhead": {"bulkhead": BULKHEAD},
    "rate limit": {"rate_limit": RateLimit(2, per=0.5, name="rate")},
    "breaker": {"breaker": Breaker("circuit", failures=2, open_for=1.0)},
    "waits": {"when_rejected": "wait"},
}


class Step(NamedTuple):
    """One call of a random flow."""

    kind: str
    deeds: tuple[str, ...]
    nap: float
    attempts: int
    trigger: int
    handler: str
    skips: bool
    cached: str
    uses: tuple[str, ...]
    tagged: bool
    undone: bool
    policies: tuple[str, ...]
    data: tuple[int, ...]
    order: tuple[int, ...]
    awaited: bool


STEPS = st.builds(
    Step,
    kind=st.sampled_from(KINDS),
    deeds=st.lists(st.sampled_from(DEEDS), min_size=1, max_size=4).map(tuple),
    nap=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    attempts=st.integers(1, 3),
    trigger=st.integers(0, len(TRIGGERS) - 1),
    handler=st.sampled_from(["none", "none", *HANDLERS]),
    skips=st.booleans(),
    cached=st.sampled_from(["", "", "own", "shared"]),
    uses=st.sampled_from([(), (), ("door",), ("desk",), ("door", "desk")]),
    tagged=st.booleans(),
    undone=st.booleans(),
    policies=st.lists(st.sampled_from(list(POLICIES)), max_size=4).map(tuple),
    data=st.lists(st.integers(0, 6), max_size=2).map(tuple),
    order=st.lists(st.integers(0, 6), max_size=1).map(tuple),
    awaited=st.booleans(),
)
INSTANTS = st.none() | st.integers(0, 12).map(lambda quarters: quarters / 4)


class Played:
    """Plays a plan, and sees what its bodies and hooks do and which events all its runs have."""

    def __init__(self, plan: list[Step], *, fail_fast: bool) -> None:
        self.plan = plan
        self.made: Counter[str] = Counter()
        self.units: Counter[str] = Counter()
        self.bodies = 0
        self.undone: list[str] = []
        self.events: dict[str, list[Any]] = {}
        self.parents: dict[str, str | None] = {}
        self.over: list[str] = []
        self.late: list[Any] = []
        self.complaints: list[Any] = []

        @flow(name="random", max_running=4, limits={"db": 2}, fail_fast=fail_fast)
        async def random_flow() -> Any:
            return await self.body()

        self.flow = random_flow

    # ------------------------------------------------------------------ the flow

    async def body(self) -> Any:
        handles: list[Any] = []
        for place, step in enumerate(self.plan):
            above = [handles[up % place] for up in step.data] if place else []
            handle = self.call(place, step, above)
            for up in step.order if place else ():
                try:
                    handle.set_upstream(handles[up % place])
                except LateEdge:
                    continue
            handles.append(handle)
            if step.awaited:
                try:
                    await handle
                except asyncio.CancelledError:
                    raise
                except BaseException:
                    continue
        return handles[-2:]

    def call(self, place: int, step: Step, above: list[Any]) -> Any:
        declared = self.task(place, step)
        if step.kind == "map":
            return declared.map(range(3), max_running=2, tolerate=1)
        if step.kind == "child":

            @flow(name=f"child{place}")
            async def child(_above: Any) -> Any:
                first = declared(0)
                return declared.with_options(trigger=triggers.all_finished).after(first)(1)

            return child(above)
        return declared(place, *above)

    def task(self, place: int, step: Step) -> Any:
        async def body(element: Any, *_above: Any) -> Any:
            self.begin(step)
            try:
                await asyncio.sleep(step.nap)
                return await self.do(place, step, element)
            finally:
                self.end(step)

        def in_thread(element: Any, *_above: Any) -> Any:
            self.begin(step)
            try:
                deed = self.deed(place, step, element)
                return element if deed == "hang" else plainly(deed, element)
            finally:
                self.end(step)

        options = {name: value for one in step.policies for name, value in POLICIES[one].items()}
        if "rate_limit" not in options and "breaker" not in options:
            options.pop("when_rejected", None)
        declared = task(
            **options,
            name=f"step{place}",
            retry=Retry(step.attempts, delay=0.5, budget=BUDGET if "paid hedges" in step.policies else None),
            timeout=3.0,
            trigger=TRIGGERS[step.trigger],
            state_handlers=HANDLERS[step.handler],
            skip_on_upstream_skip=step.skips,
            cache_for=5.0 if step.cached else None,
            cache_key="shared" if step.cached == "shared" else None,
            uses={Resource(name, CAPACITY[name]): 1 for name in step.uses},
            tags=["db"] if step.tagged else None,
        )(in_thread if step.kind == "def" else body)
        if step.undone:

            @declared.on_rollback
            async def undo(_result: Any, element: Any, *_above: Any) -> None:
                await asyncio.sleep(0.25)
                self.undone.append(current().idempotency_key)

        return declared

    def begin(self, step: Step) -> None:
        self.bodies += 1
        self.units["places"] += "bulkhead" in step.policies
        assert self.units["places"] <= PLACES
        for name in step.uses:
            self.units[name] += 1
            assert self.units[name] <= CAPACITY[name]
        self.units["db"] += step.tagged and step.kind != "child"
        assert self.units["db"] <= 2

    def end(self, step: Step) -> None:
        self.units.subtract(step.uses)
        self.units["places"] -= "bulkhead" in step.policies
        self.units["db"] -= step.tagged and step.kind != "child"

    def deed(self, place: int, step: Step, element: Any) -> str:
        """Return what the next attempt does; after all that is planned it returns."""
        key = f"{place}/{element}"
        self.made[key] += 1
        deeds = step.deeds
        return deeds[self.made[key] - 1] if self.made[key] <= len(deeds) else "return"

    async def do(self, place: int, step: Step, element: Any) -> Any:
        deed = self.deed(place, step, element)
        if deed == "hang":
            await asyncio.sleep(100)
        return plainly(deed, element)

    # ------------------------------------------------------------------ one life of it

    def hear(self, header: Any, _seq: int, told: Any) -> None:
        if header.id in self.over:
            self.late.append(told)
        self.events.setdefault(header.id, []).append(told)
        self.parents[header.id] = header.parent
        if told.kind == "run_ended":
            self.over.append(header.id)

    async def live(self, store: Any, cancel_at: float | None) -> FlowRun:
        """Run the flow, and resume it until it is final; cancel it once on the way."""
        await store.open()
        ambient.world().listeners.append(self.hear)
        self.run: Any = await self.flow.with_options(store=store).start()
        self.cancelled_at: float | None = None
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, complaint: self.complaints.append(complaint))
        if cancel_at is not None:
            loop.call_later(cancel_at, self.cancel)
        await self.run.wait()
        resumes = 0
        while self.run.is_paused():
            resumes += 1
            assert resumes <= 40, "a run can be resumed for ever"
            self.run = await self.flow.start_resumed(self.run.id, store=store)
            await self.run.wait()
        await asyncio.sleep(0)
        left = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
        assert len(left) <= isinstance(store, SQLiteStore), left  # its writer
        limits = [Resource(name, most).limit(ambient.world()) for name, most in CAPACITY.items()]
        assert [(limit.taken, limit.waiting) for limit in limits] == [(0, 0)] * len(limits)
        places, spent = BULKHEAD.places(ambient.world()), BUDGET.spending().numbers()
        assert (places.taken, places.waiting, spent["calls"], spent["retries"]) == (0, 0, 0, 0)
        assert not any(turns_of(ambient.world())._loops.values())
        self.stored = [(header, await store.events(header)) for header in self.events]
        await store.close()
        done: FlowRun = self.run
        return done

    def cancel(self) -> None:
        if not self.run.has_stopped():
            self.cancelled_at = ambient.world().wall()
            self.run.cancel()


def plainly(deed: str, element: Any) -> Any:  # noqa: C901 - a body of many kinds
    """Return or raise what a body ends with."""
    match deed:
        case "raise":
            raise ValueError(element)
        case "fail":
            raise signals.FAIL("x")
        case "skip":
            raise signals.SKIP("x")
        case "succeed":
            raise signals.SUCCESS("x", result=element)
        case "retry":
            raise signals.RETRY("x", delay=0.5)
        case "loop":
            raise signals.LOOP("x", result=element)
        case "pause":
            raise signals.PAUSE("x")
        case "refuse":
            raise signals.TRIGGERFAIL("x")
        case "end cancelled":
            raise signals.ENDRUN(states.Cancelled("x"))
        case "cancel":
            raise asyncio.CancelledError
        case "group":
            raise BaseExceptionGroup("two", [signals.FAIL("x"), ValueError(element)])
        case "none":
            return None
    return element


# ---------------------------------------------------------------------- what is always so


def check_moves(events: list[Any]) -> dict[int, type[states.State]]:
    """Every task run went by the table of moves; return the classes of their last states."""
    now: dict[int, type[states.State]] = {0: states.Pending}
    for one in events:
        if one.kind == "task_called":
            now.setdefault(one.task, states.Pending)
        elif one.kind == "state_changed":
            assert type(one.detail) in MOVES[now[one.task]], f"{now[one.task].__name__} -> {one.detail!r}"
            now[one.task] = type(one.detail)
    return now


def check_order(events: list[Any]) -> None:
    """No attempt begins before everything upstream is final, but a map that follows a map."""
    upstream: dict[int, set[int]] = {}
    maps: set[int] = set()
    final: set[int] = set()
    for one in events:
        if one.kind == "task_called":
            detail = one.detail if isinstance(one.detail, dict) else one.detail.to_json()
            upstream[one.task] = set(detail.get("upstream") or ())
            maps |= {one.task} if "map" in detail else set()
        elif one.kind == "edge_added":
            upstream[one.task].add(one.detail["upstream"])
        elif one.kind == "state_changed" and one.task:
            if one.detail.name == "Running":
                waits = {up for up in upstream[one.task] if not (one.task in maps and up in maps)}
                assert waits <= final, f"task {one.task} began before {waits - final}"
            if one.detail.final:
                final.add(one.task)


def check_sums(history: RunHistory, events: list[Any]) -> None:
    """What a run says of itself at its end is what its events add up to; no hedge outlives its call."""
    said = events[-1].detail
    told = Counter(one.kind for one in events)
    assert told["hedge_started"] == told["hedge_ended"] == measures_of(history).hedges
    assert said["tasks"] == sum(
        1 if one.elements is None else 1 + one.elements.total for one in history.tasks
    )
    in_hedges = sum(one.detail["calls"] for one in events if one.kind == "hedge_ended")
    assert history.attempts >= history.calls - in_hedges


def check_cancelled(played: Played, events: list[Any], since: float) -> None:
    """What was not final when the run was cancelled is Cancelled, but for what a handler makes of it."""
    history = fold(played.run.header, events)
    mended = {
        one.number
        for one in (*history.tasks, *history.elements)
        if played.plan[int(DIGITS.search(one.name)[0])].handler != "none"
    }
    for one in events:
        if one.kind == "state_changed" and one.task and one.detail.final and one.offset > since + 1e-6:
            assert one.detail.is_cancelled() or one.task in mended, one


def outline(header: Any, events: Any) -> Any:
    """Return what a record folds to, without the texts of what can't be said in JSON."""
    history = fold(header, events)
    return [
        (history.state.name, history.ended, history.is_over),
        *(
            (one.key, one.state.name, one.attempt_count, one.call_count, one.upstream, len(one.waits))
            for one in (*history.tasks, *history.elements)
        ),
    ]


def final_runs(played: Played) -> Iterator[tuple[str, list[Any]]]:
    """Yield the runs whose record has ended; a child that was paused when its parent ended is not."""
    for run_id, events in played.events.items():
        if run_id in played.over:
            yield run_id, events


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    plan=st.lists(STEPS, min_size=1, max_size=6),
    cancel_at=INSTANTS,
    fail_fast=st.booleans(),
    kind=st.sampled_from(["memory", "memory", "file"]),
)
def test_whatever_meets_in_a_flow_the_rules_of_a_run_hold(
    plan: list[Step], cancel_at: float | None, fail_fast: bool, kind: str
) -> None:
    played = Played(plan, fail_fast=fail_fast)
    with tempfile.TemporaryDirectory() as folder:
        store = MemoryStore() if kind == "memory" else SQLiteStore(Path(folder) / "runs.db")
        run = Simulation(seed=7, steps=100_000).run(played.live(store, cancel_at))
    event(f"flow ends {run.state.name}")
    event(f"resumed: {run.resumed}")
    assert run.is_final()
    assert played.complaints == []
    assert played.late == [], "a run had events after its end"
    assert not any(played.units.values())
    for _, events in final_runs(played):
        assert all(state.final for state in check_moves(events).values())
        check_order(events)
        check_sums(fold(run.header, events), events)
        kinds = [one.kind for one in events]
        assert (kinds[0], kinds[-1]) == ("run_started", "run_ended")
    ends = check_moves(played.events[run.id])
    assert {one.number: one.state.name for one in run.tasks} == {
        one.number: ends[one.number].__name__ for one in run.tasks
    }
    if played.undone:
        assert run.is_failed()
        assert len(set(played.undone)) == len(played.undone)
    if played.cancelled_at is not None:
        check_cancelled(played, played.events[run.id], played.cancelled_at - run.header.started)
    for run_id, kept in played.stored:
        if run_id in played.over:
            assert outline(run.header, kept) == outline(run.header, played.events[run_id])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plan=st.lists(STEPS, min_size=1, max_size=6), cancel_at=INSTANTS)
def test_whatever_meets_in_a_flow_happens_the_same_way_again(
    plan: list[Step], cancel_at: float | None
) -> None:
    def told() -> list[Any]:
        played = Played(plan, fail_fast=False)
        Simulation(seed=7, steps=100_000).run(played.live(MemoryStore(), cancel_at))
        return [
            (run_id, one.offset, one.kind, one.task, one.attempt, getattr(one.detail, "message", ""))
            for run_id, events in played.events.items()
            for one in events
        ]

    assert told() == told()
