"""Whatever a flow looks like, its tasks do, and whenever it is cancelled: the rules of a run hold."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from asyncflow import Retry, constant, flow, signals, states, task, triggers
from asyncflow.errors import LateEdge
from asyncflow.states import MOVES
from tests.clock import run_virtual

ENDS = {
    "returns": lambda: None,
    "raises": lambda: ValueError("x"),
    "raises base": lambda: BaseException("x"),
    "fails": lambda: signals.FAIL("x"),
    "skips": lambda: signals.SKIP("x"),
    "succeeds": lambda: signals.SUCCESS("x"),
    "retries": lambda: signals.RETRY("x", delay=1),
    "refuses": lambda: signals.TRIGGERFAIL("x"),
    "ends cancelled": lambda: signals.ENDRUN(states.Cancelled("x")),
    "cancels itself": lambda: asyncio.CancelledError(),
}


def asks_later():
    """Return a trigger that says yes when it is asked for the second time."""
    asked = []

    def trigger(upstream):
        asked.append(1)
        if len(asked) < 2:
            raise signals.RETRY("not yet", delay=1)
        return True

    return trigger


TRIGGERS = [
    triggers.all_successful,
    triggers.all_successful,
    triggers.any_successful,
    triggers.all_finished,
    triggers.any_failed,
    triggers.not_all_skipped,
    lambda upstream: False,
    None,
]
HANDLERS = {
    "none": (),
    "watches": (lambda obj, old, new: None,),
    "heals": (lambda obj, old, new: states.Success("healed") if new.is_failed() else None,),
    "breaks": (lambda obj, old, new: 1 / 0,),
}


async def slowly(obj, old, new):
    await asyncio.sleep(1)


async def skipping(obj, old, new):
    if new.is_running():
        raise signals.SKIP("by handler")


HANDLERS |= {"slow": (slowly,), "skips": (skipping,)}


@dataclass(frozen=True)
class Node:
    ends: tuple[str, ...]
    naps: int
    attempts: int
    trigger: int
    handlers: str
    skips: bool
    awaited: bool
    data: tuple[int, ...]
    order: tuple[int, ...]
    child: bool


@st.composite
def graphs(draw):
    nodes = []
    for number in range(draw(st.integers(1, 7))):
        upstream = st.lists(st.integers(0, number - 1), max_size=2) if number else st.just([])
        nodes.append(
            Node(
                ends=tuple(draw(st.lists(st.sampled_from(list(ENDS)), min_size=1, max_size=3))),
                naps=draw(st.integers(0, 3)),
                attempts=draw(st.integers(1, 3)),
                trigger=draw(st.integers(0, len(TRIGGERS) - 1)),
                handlers=draw(st.sampled_from([*["none"] * 4, *HANDLERS])),
                skips=draw(st.booleans()),
                awaited=draw(st.booleans()),
                data=tuple(draw(upstream)),
                order=tuple(draw(upstream)),
                child=draw(st.integers(0, 5)) == 0,
            )
        )
    return nodes


class Played:
    """Plays a graph and keeps what the tasks themselves saw."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.upstream = {}
        self.began = {}

    async def node(self, number, attempts):
        run_of = self.run.tasks[number]
        late = [up for up in self.upstream[number] if not self.run.tasks[up].is_final()]
        assert not late, f"{run_of} started before {late} were final"
        self.began.setdefault(number, asyncio.get_running_loop().time())
        node = self.nodes[number]
        await asyncio.sleep(node.naps)
        end = node.ends[min(attempts.pop(), len(node.ends) - 1)]
        if end == "retries" and not attempts:
            end = "returns"
        outcome = ENDS[end]()
        if outcome is not None:
            raise outcome
        return number

    async def body(self):
        handles = []
        for number, node in enumerate(self.nodes):
            handles.append(self.call(number, node, handles))
            for up in node.order:
                try:
                    handles[number].set_upstream(handles[up])
                except LateEdge:
                    continue
                self.upstream[number].add(up)
        for handle, node in zip(handles, self.nodes, strict=True):
            if node.awaited:
                try:
                    await handle
                except asyncio.CancelledError:
                    raise
                except BaseException:
                    continue

    def call(self, number, node, handles):
        self.upstream[number] = set(node.data)
        attempts = list(range(6))[::-1]
        inner = self

        async def body(*_):
            return await inner.node(number, attempts)

        one = task(
            name=f"t{number}",
            retry=Retry(node.attempts, delay=constant(1)),
            trigger=TRIGGERS[node.trigger] or asks_later(),
            skip_on_upstream_skip=node.skips,
            state_handlers=HANDLERS[node.handlers],
        )(body)
        given_by = [handles[up] for up in node.data]
        if node.child:

            @flow(name=f"t{number}")
            async def child(upstream):
                await asyncio.sleep(node.naps)
                return number

            return child(given_by)
        return one(*given_by)


async def story(played, cancel_at, fail_fast):
    f = flow(name="f", fail_fast=fail_fast)(played.body)
    played.run = await f.start()
    if cancel_at is not None:
        await asyncio.sleep(cancel_at)
        played.run.cancel()
    await played.run.wait()
    assert len(asyncio.all_tasks()) == 1, "an asyncio task was left over"
    return played.run


def check_sequences(run):
    """Every task run went by the table of moves and became final once; events are in order."""
    now = [states.Pending] * (len(run.tasks) + 1)
    offsets = [one.offset for one in run.events]
    assert offsets == sorted(offsets)
    for one in run.events:
        if one.kind == "state_changed":
            assert type(one.detail) in MOVES[now[one.task]], f"{now[one.task]} -> {one.detail!r}"
            now[one.task] = type(one.detail)
    assert all(state.final for state in now)
    assert [state.__name__ for state in now[1:]] == [task_run.state.name for task_run in run.tasks]
    assert now[0] is type(run.state)
    kinds = [one.kind for one in run.events]
    assert (kinds[0], kinds[-1]) == ("run_started", "run_ended")


def check_order(run):
    """No attempt begins before everything upstream is final."""
    final_at = {}
    for seq, one in enumerate(run.events):
        if one.kind == "state_changed" and one.detail.final:
            assert one.task not in final_at, "final twice"
            final_at[one.task] = seq
    for task_run in run.tasks:
        began = next(
            (
                seq
                for seq, one in enumerate(run.events)
                if one.task == task_run.number
                and one.kind == "state_changed"
                and one.detail.name == "Running"
            ),
            None,
        )
        if began is not None:
            assert all(final_at[up.number] < began for up in task_run.upstream)


def check_conclusion(run, cancelled, fail_fast):
    """The flow's state follows from its reference tasks."""
    if cancelled or (fail_fast and any(task_run.is_failed() for task_run in run.tasks)):
        assert run.state.is_failed() or (cancelled and run.state.is_success())
        return
    depended_on = {up.number for task_run in run.tasks for up in task_run.upstream}
    terminal = [t.state for t in run.tasks if t.number not in depended_on and not t.awaited]
    if any(state.is_failed() and not state.is_cancelled() for state in terminal):
        assert run.state.name == "Failed"
    elif any(state.is_cancelled() for state in terminal):
        assert run.state.name == "Cancelled"
    else:
        assert run.state.name == "Success"


relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(graphs(), st.none() | st.sampled_from([0, 0.5, 1, 1.5, 2, 4]), st.booleans())
@settings(relaxed, max_examples=250)
def test_the_rules_of_a_run_hold(nodes, cancel_at, fail_fast):
    played = Played(nodes)
    run = run_virtual(story(played, cancel_at, fail_fast))
    event(run.state.name)
    check_sequences(run)
    check_order(run)
    check_conclusion(run, cancel_at is not None, fail_fast)
    assert set(played.began) <= {task_run.number - 1 for task_run in run.tasks if task_run.attempt}


@given(graphs())
@settings(relaxed, max_examples=60)
def test_the_same_seed_gives_the_same_events(nodes):
    def trace():
        run = run_virtual(story(Played(nodes), None, False))
        return [one._replace(detail=str(one.detail)) for one in run.events if one.kind == "state_changed"]

    assert trace() == trace()


@given(graphs())
@settings(relaxed, max_examples=60)
def test_a_run_takes_as_long_as_its_longest_path(nodes):
    """Nothing waits but for what is upstream: every task starts when the last of its upstreams is final."""
    plain = [
        replace(node, ends=("returns",), trigger=0, handlers="none", awaited=False, child=False)
        for node in nodes
    ]
    played = Played(plain)
    run = run_virtual(story(played, None, False))
    ends = {}
    for number, node in enumerate(plain):
        begins = max((ends[up] for up in played.upstream[number]), default=0)
        assert played.began[number] == begins
        ends[number] = begins + node.naps
    assert run.events[-1].offset == max(ends.values())
