"""LOOP: the body runs again at once from what the iteration before left."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncflow import Retry, current, flow, signals, states, task
from asyncflow.errors import Stuck, UsageError
from asyncflow.sim import Simulation
from asyncflow.states import Success

from .kit import moves, play


def counted(until: int, *, fail_at: tuple[int, ...] = (), **options: Any) -> Any:
    """Return a flow whose one task adds its iterations up, and the list of passes that its body saw."""
    seen: list[tuple[int, Any, int]] = []

    @task(**options)
    async def pages() -> Any:
        here = current()
        seen.append((here.loop_count, here.loop_result, here.attempt))
        if len(seen) in fail_at:
            raise ValueError("no")
        if here.loop_count < until:
            raise signals.LOOP(f"page {here.loop_count}", (here.loop_result or 0) + here.loop_count)
        return here.loop_result

    @flow
    async def paged() -> Any:
        return await pages()

    return paged, seen


def test_each_iteration_sees_its_number_and_what_the_one_before_left() -> None:
    paged, seen = counted(4)
    run = play(paged)
    assert run.result() == 6
    assert seen == [(1, None, 1), (2, 1, 2), (3, 3, 3), (4, 6, 4)]


def test_iterations_are_attempts_that_the_timeline_shows() -> None:
    run = play(counted(3)[0])
    assert moves(run, "pages") == ["Running", "Retrying", "Running", "Retrying", "Running", "Success"]
    between = [e.detail for e in run.events if e.kind == "state_changed" and e.detail.is_retrying()]
    assert [state.detail["iteration"] for state in between] == [2, 3]
    assert between[0].message == "LOOP was raised: page 1; the next iteration follows at once"


def test_a_failure_in_the_middle_is_retried_from_the_last_loop_result() -> None:
    paged, seen = counted(4, fail_at=(3,), retry=Retry(2))
    assert play(paged).result() == 6
    assert seen == [(1, None, 1), (2, 1, 2), (3, 3, 3), (3, 3, 4), (4, 6, 5)]


def test_each_iteration_has_the_policys_attempts_to_itself() -> None:
    paged, seen = counted(3, fail_at=(1, 3, 5), retry=Retry(2))
    run = play(paged)
    assert run.result() == 3
    assert [count for count, _, _ in seen] == [1, 1, 2, 2, 3, 3]
    failing, seen = counted(3, fail_at=(2, 3), retry=Retry(2))
    assert play(failing).tasks["pages"].state.is_failed()
    assert len(seen) == 3


@pytest.mark.parametrize(("fail_at", "how"), [((), "at once"), ((2,), "after retry")])
def test_a_loop_alone_is_no_retry(fail_at: tuple[int, ...], how: str) -> None:
    run = play(counted(3, fail_at=fail_at, retry=Retry(2))[0])
    assert run.tasks["pages"].state.how == how


def test_the_bare_class_loops_with_nothing_in_hand() -> None:
    seen: list[Any] = []

    @task
    def twice() -> str:
        seen.append(current().loop_result)
        if current().loop_count == 1:
            raise signals.LOOP
        return "done"

    @flow
    def once() -> Any:
        return twice()

    assert play(once).result() == "done"
    assert seen == [None, None]


def test_handlers_see_each_iteration_and_may_end_the_loop() -> None:
    def enough(_run: Any, _old: Any, new: Any) -> Any:
        return Success(result="enough") if new.detail.get("iteration") == 3 else None

    paged, seen = counted(10, state_handlers=[enough])
    assert play(paged).result() == "enough"
    assert len(seen) == 2


def test_a_handlers_loop_runs_the_body_again() -> None:
    def again(run: Any, _old: Any, new: Any) -> None:
        if new.is_success() and run.loop_count < 3:
            raise signals.LOOP("not yet", result=run.loop_count)

    paged, seen = counted(1, state_handlers=[again])
    assert play(paged).result() == 2
    assert [count for count, _, _ in seen] == [1, 2, 3]


def test_a_flows_body_does_not_loop() -> None:
    @flow
    async def looping() -> None:
        raise signals.LOOP("again")

    run = play(looping)
    with pytest.raises(UsageError, match=r"LOOP.*flow.*only task runs"):
        run.result()


@pytest.mark.parametrize("signal", [signals.LOOP, signals.RETRY])
def test_an_endless_repetition_at_one_instant_is_stuck_and_names_the_task(signal: Any) -> None:
    @task
    async def for_ever() -> None:
        raise signal

    @flow
    async def endless() -> None:
        await for_ever()

    async def story() -> None:
        await (await endless.start())

    with pytest.raises(Stuck, match="for_ever") as stuck:
        Simulation(steps=20_000).run(story())
    assert stuck.value.kind in ("livelock", "overtime")


@given(st.lists(st.booleans(), max_size=12))
def test_whatever_fails_in_between_every_iteration_comes_once(failing: list[bool]) -> None:
    """Each iteration fails at most once, which its two attempts bear."""
    done: list[int] = []
    failed: set[int] = set()

    @task(retry=Retry(2, delay=1))
    async def step() -> tuple[int, ...]:
        here = current()
        if here.loop_count <= len(failing) and failing[here.loop_count - 1] and here.loop_count not in failed:
            failed.add(here.loop_count)
            raise ConnectionError
        done.append(here.loop_count)
        so_far = (*(here.loop_result or ()), here.loop_count)
        if here.loop_count <= len(failing):
            raise signals.LOOP(result=so_far)
        return so_far

    @flow
    async def steps() -> Any:
        return await step()

    run = play(steps)
    assert run.result() == tuple(done) == tuple(range(1, len(failing) + 2))
    assert run.tasks["step"].attempt == len(done) + sum(failing)
    assert isinstance(run.tasks["step"].state, states.Success)
