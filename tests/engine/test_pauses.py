"""PAUSE and manual_only: what does not depend on a paused task run goes on, then the run rests as Paused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from asyncflow import Retry, flow, signals, states, task, triggers
from asyncflow.engine import FlowRun
from asyncflow.errors import UsageError
from asyncflow.flow import Flow
from asyncflow.states import Success
from tests.clock import run_virtual

from .kit import moves, of_kind
from .kit import states as final_states


def rest(of: Flow[..., Any], **parameters: Any) -> FlowRun:
    """Run a flow in virtual time until it is final or paused."""

    async def story() -> FlowRun:
        run = await of.start(**parameters)
        await run.wait()
        assert isinstance(run, FlowRun)
        return run

    run: FlowRun = run_virtual(story())
    return run


@task
async def number(value: int = 1, after: float = 0.0) -> int:
    await asyncio.sleep(after)
    return value


@task
async def approve(*_: Any) -> str:
    raise signals.PAUSE("needs a signature")


@task(trigger=triggers.manual_only)
async def by_hand(*_: Any) -> str:
    return "done"


@task
async def pass_on(value: Any) -> Any:
    return value


async def in_the_body() -> Any:
    return approve()


async def in_the_body_of_a_thread() -> Any:
    @task
    def approve() -> None:
        raise signals.PAUSE

    return approve()


async def before_the_first_attempt() -> Any:
    return by_hand()


async def in_a_trigger() -> Any:
    return by_hand.with_options(name="approve")(number())


async def in_a_trigger_of_his_own() -> Any:
    def later(_upstream: Any) -> bool:
        raise signals.PAUSE("not before noon")

    return pass_on.with_options(trigger=later)(number())


async def in_a_handler() -> Any:
    def later(_run: Any, _old: Any, new: Any) -> None:
        if new.is_running():
            raise signals.PAUSE("not before noon")

    return number.with_options(state_handlers=[later])()


async def after_a_failure() -> Any:
    def ask(_run: Any, _old: Any, new: Any) -> None:
        if new.is_failed():
            raise signals.PAUSE("look at it")

    @task(state_handlers=[ask])
    async def fails() -> None:
        raise ValueError("no")

    return fails()


async def in_a_child() -> Any:
    return flow(in_the_body, name="child")()


@pytest.mark.parametrize(
    "body",
    [
        in_the_body,
        in_the_body_of_a_thread,
        before_the_first_attempt,
        in_a_trigger,
        in_a_trigger_of_his_own,
        in_a_handler,
        after_a_failure,
        in_a_child,
    ],
)
@pytest.mark.parametrize("waits", [True, False])
def test_a_run_rests_as_paused_wherever_its_task_pauses(body: Callable[[], Any], waits: bool) -> None:
    @flow
    async def paused() -> Any:
        handle = await body()
        return await handle if waits else handle

    run = rest(paused)
    assert run.is_paused()
    assert not run.is_final()
    assert moves(run) == ["Running", "Paused"]
    assert run.tasks[-1].state.is_paused()
    assert run.tasks[-1].key in run.state.message


def test_what_does_not_depend_on_the_paused_task_goes_on() -> None:
    @flow
    async def branches() -> Any:
        signed = approve()
        slow = pass_on(number(7, after=60))
        return [pass_on(signed), slow]

    run = rest(branches)
    assert final_states(run) == {
        "approve": "Paused",
        "number": "Success",
        "pass_on": "Success",
        "pass_on#2": "Pending",
    }
    assert run.state.message == "Task 'approve' waits to be resumed: needs a signature"
    assert run.state.detail == {"paused": ["approve"]}
    assert of_kind(run, "run_paused") == [{"tasks": 4, "attempts": 3, "faults": 0}]
    assert not of_kind(run, "run_ended")


def test_a_body_that_goes_on_by_itself_is_left_to_it() -> None:
    reached: list[str] = []

    @flow
    async def busy() -> None:
        approve()
        await asyncio.sleep(3600)
        reached.append("an hour later")
        await number(2)
        reached.append("the end")

    run = rest(busy)
    assert run.is_paused()
    assert reached == ["an hour later", "the end"]
    assert run.tasks["number"].state.is_success()


@pytest.mark.parametrize("how", ["await", "gather", "wait", "group", "shield"])
def test_the_body_is_closed_where_it_waits(how: str) -> None:
    seen: list[str] = []

    async def wait_for(handle: Any) -> Any:
        return await handle

    @flow
    async def waiting() -> None:
        handle, other = approve(), number(1, after=5)
        try:
            if how == "await":
                await handle
            elif how == "gather":
                await asyncio.gather(handle, other)
            elif how == "wait":
                await asyncio.wait([asyncio.ensure_future(wait_for(handle))])
            elif how == "group":
                async with asyncio.TaskGroup() as group:
                    group.create_task(wait_for(handle))
                    group.create_task(wait_for(other))
            else:
                await asyncio.shield(wait_for(handle))
        except asyncio.CancelledError:
            seen.append("closed")
            raise
        seen.append("not reached")

    run = rest(waiting)
    assert run.is_paused()
    assert seen == ["closed"]
    assert run.tasks["number"].state.is_success()


def test_in_finally_the_body_may_clean_up_but_call_and_await_no_tasks() -> None:
    seen: list[Any] = []

    @flow
    async def tidy() -> Any:
        handle = approve()
        try:
            await handle
        finally:
            await asyncio.sleep(1)
            with pytest.raises(UsageError, match=r"'number'.*is being paused.*`finally`"):
                number()
            with pytest.raises(asyncio.CancelledError, match="only paused task runs remain"):
                await handle
            seen.append("tidied up")
            raise ValueError("which is dropped, like everything else that a closed body comes to")

    run = rest(tidy)
    assert run.is_paused()
    assert seen == ["tidied up"]


def test_a_body_that_swallows_its_closing_does_not_keep_the_run() -> None:
    @flow
    async def stubborn() -> str:
        try:
            await approve()
        except asyncio.CancelledError:
            return "I go on"
        return "not reached"

    assert rest(stubborn).is_paused()


def test_a_signal_in_the_flows_body_pauses_the_run() -> None:
    @flow
    async def later() -> None:
        number()
        raise signals.PAUSE("not before noon")

    run = rest(later)
    assert run.is_paused()
    assert run.state.message == "not before noon"
    assert final_states(run) == {"number": "Success"}


def test_cancelling_before_the_rest_cancels_the_paused_too() -> None:
    @flow
    async def both() -> None:
        approve()
        number(1, after=100)

    async def story() -> Any:
        run = await both.start()
        await asyncio.sleep(10)
        assert run.tasks["approve"].state.is_paused()
        run.cancel("enough")
        return await run.wait()

    run = run_virtual(story())
    assert run.state.is_cancelled()
    assert final_states(run) == {"approve": "Cancelled", "number": "Cancelled"}
    assert moves(run, "approve") == ["Running", "Paused", "Cancelled"]


def test_failing_fast_cancels_the_paused() -> None:
    @task
    async def fails() -> None:
        await asyncio.sleep(1)
        raise ValueError("no")

    @flow(fail_fast=True)
    def both() -> None:
        approve()
        fails()

    run = rest(both)
    assert run.state.is_failed()
    assert final_states(run) == {"approve": "Cancelled", "fails": "Failed"}


def test_a_flows_handler_may_end_the_run_instead() -> None:
    def no_pauses(_run: Any, _old: Any, new: Any) -> Any:
        return Success("nobody was asked") if new.is_paused() else None

    @flow(state_handlers=[no_pauses])
    async def impatient() -> Any:
        return await pass_on(approve())

    run = rest(impatient)
    assert run.state.message == "nobody was asked"
    assert final_states(run) == {"approve": "Cancelled", "pass_on": "Cancelled"}


def test_a_pause_is_not_retried() -> None:
    @flow
    def once() -> Any:
        return approve.with_options(retry=Retry(5))()

    assert rest(once).tasks["approve"].attempt == 1


def test_a_paused_run_has_no_result_and_says_how_to_go_on() -> None:
    @flow
    async def paused() -> Any:
        return await approve()

    with pytest.raises(UsageError, match=r"is paused.*'approve'.*flow\.resume\(run, input=\.\.\.\)"):
        rest(paused).result()


def test_run_returns_a_paused_run_and_logs_a_line(caplog: pytest.LogCaptureFixture) -> None:
    @flow
    def paused() -> Any:
        return by_hand()

    with caplog.at_level(logging.WARNING, logger="asyncflow"):
        run = paused.run()
    assert run.is_paused()
    assert "is paused: Task 'by_hand' waits to be resumed" in caplog.text


def test_only_handlers_that_return_a_state_of_their_own_skip_the_pause() -> None:
    seen: list[str] = []

    def note(_run: Any, old: states.State, new: states.State) -> None:
        seen.append(f"{old} > {new}")

    @flow(state_handlers=[note])
    def paused() -> Any:
        return by_hand.with_options(state_handlers=[note])()

    assert rest(paused).is_paused()
    assert seen == ["Pending > Running", "Pending > Paused", "Running > Paused"]


def test_a_task_that_waits_for_a_paused_one_by_an_edge_of_the_last_moment_does_not_keep_the_run() -> None:
    @flow
    async def late() -> None:
        gate = by_hand()
        await number()
        number(2).set_upstream(gate)

    run = rest(late)
    assert run.is_paused()
    assert final_states(run) == {"by_hand": "Paused", "number": "Success", "number#2": "Pending"}
