"""Cancelling runs and waiters, failing fast, and being cancelled at awkward moments."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from asyncflow import TaskFailed, current, flow, signals, states, task, triggers
from asyncflow.engine import to_its_end
from tests.clock import run_virtual
from tests.engine.kit import moves, of_kind, play
from tests.engine.kit import states as final


@task
async def give(value=1):
    return value


@task
async def nap(seconds, value=None):
    await asyncio.sleep(seconds)
    return value


@task
async def fail(*_):
    raise ValueError("no")


@task
async def tidy(seconds, log, *_):
    """Sleep for ever, and take some seconds to clean up when it is cancelled."""
    try:
        await asyncio.sleep(1000)
    finally:
        await asyncio.sleep(seconds)
        log.append("tidy")


def cancelled_after(f, *times, reason="", **parameters):
    """Run a flow and cancel it at these times; nothing may be left over."""

    async def story():
        run = await f.start(**parameters)
        before = asyncio.get_running_loop().time()
        for at in times:
            ahead = at - (asyncio.get_running_loop().time() - before)
            if ahead:
                await asyncio.sleep(ahead)
            run.cancel(reason)
        await run.wait()
        assert run.is_final()
        assert all(task_run.is_final() for task_run in run.tasks)
        assert len(asyncio.all_tasks()) == 1, "an asyncio task was left over"
        return run

    return run_virtual(story())


@flow
async def mixed():
    done, running = give(), nap(100)
    waiting = nap.with_options(name="waiting")(running)
    flaky = fail.with_options(max_retries=5, retry_delay=100, name="flaky")()
    nap.with_options(name="last").after(waiting, done)(flaky)
    return [waiting]


class TestCancellingARun:
    def test_cancels_all_its_task_runs_and_keeps_what_is_final(self):
        run = cancelled_after(mixed, 5, reason="enough")
        assert run.state.name == "Cancelled"
        assert run.state.message == "enough"
        assert run.is_cancelled()
        assert final(run) == {
            "give": "Success",
            "nap": "Cancelled",
            "waiting": "Cancelled",
            "flaky": "Cancelled",
            "last": "Cancelled",
        }
        assert moves(run, "flaky") == ["Running", "Retrying", "Cancelled"]
        assert {run.tasks[name].state.message for name in ("nap", "waiting", "flaky", "last")} == {"enough"}
        assert run.events[-1].offset == 5.0
        with pytest.raises(TaskFailed, match="ended Cancelled: enough"):
            run.result()

    def test_before_its_first_step(self):
        run = cancelled_after(mixed, 0)
        assert run.state.name == "Cancelled"
        assert len(run.tasks) == 0
        assert moves(run) == ["Cancelled"]
        assert [event.kind for event in run.events] == ["run_started", "state_changed", "run_ended"]

    def test_before_the_first_step_of_its_tasks(self):
        ran = []

        @task
        async def mark():
            ran.append(1)

        @flow
        async def f():
            try:
                await asyncio.sleep(100)
            finally:
                mark()
                mark.with_options(state_handlers=[lambda *_: None])()

        run = cancelled_after(f, 1)
        assert (run.state.name, ran) == ("Cancelled", [])
        assert final(run) == {"mark": "Cancelled", "mark#2": "Cancelled"}

    def test_the_first_reason_holds_and_the_asyncio_tasks_are_really_cancelled(self):
        mine = []

        @task
        async def sleeper():
            mine.append(asyncio.current_task())
            await asyncio.sleep(100)

        async def story():
            run = await flow(name="f")(lambda: sleeper()).start()
            await asyncio.sleep(1)
            run.cancel("first")
            run.cancel("second")
            return await run.wait()

        assert run_virtual(story()).state.message == "first"
        assert mine[0].cancelled()

    def test_twice_is_like_once(self):
        log = []

        @flow
        async def f():
            tidy(10, log)

        for times, ends in (((1,), 11.0), ((1, 1), 11.0), ((1, 5), 5.0)):
            run = cancelled_after(f, *times)
            assert (run.state.name, final(run)) == ("Cancelled", {"tidy": "Cancelled"})
            assert run.events[-1].offset == ends
        assert log == ["tidy", "tidy"], "a second cancellation goes through to the cleaning up"

    def test_when_it_is_final_changes_nothing(self):
        run = play(flow(name="f")(lambda: give()))
        run.cancel("too late")
        assert run.state.is_success()

    def test_reaches_child_flows_to_any_depth(self):
        log = []

        @flow
        async def inner():
            tidy(3, log)

        @flow
        async def middle():
            await inner()

        @flow
        async def outer():
            middle()
            nap(100)

        run = cancelled_after(outer, 1)
        assert final(run) == {"middle": "Cancelled", "nap": "Cancelled"}
        assert log == ["tidy"]
        assert run.events[-1].offset == 4.0

    @pytest.mark.parametrize("times", [(1,), (1, 2), (1, 1), (1, 2, 3)])
    def test_a_child_is_final_before_its_parent_however_often_it_is_cancelled(self, times):
        children = []

        @task
        async def stubborn():
            for _ in range(3):
                try:
                    await asyncio.sleep(10)
                except asyncio.CancelledError:
                    continue

        @flow
        async def inner():
            children.append(current())
            stubborn()

        @flow
        async def outer():
            inner()

        cancelled_after(outer, *times)
        assert children[0].is_final()

    def test_a_long_chain_downstream_of_it_is_cancelled_and_not_refused(self):
        @flow
        async def f():
            last = nap(100)
            for _ in range(5):
                last = nap(last)
            nap.with_options(trigger=triggers.all_finished, name="always")(last)

        run = cancelled_after(f, 1)
        assert set(final(run).values()) == {"Cancelled"}

    def test_a_body_that_swallows_it_once_keeps_its_value_and_is_not_run_again(self):
        @task(retry=3)
        async def stubborn():
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                return "mine"

        @task(retry=3)
        async def fails_instead():
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                raise ValueError("instead") from None

        @flow
        async def f():
            give(stubborn())
            fails_instead()

        run = cancelled_after(f, 1)
        assert final(run) == {"stubborn": "Success", "give": "Cancelled", "fails_instead": "Failed"}
        assert run.state.name == "Cancelled"

    def test_a_flow_body_that_swallows_it_is_cancelled_all_the_same(self):
        @flow
        async def f():
            nap(100)
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                nap(50)

        run = cancelled_after(f, 1)
        assert run.state.name == "Cancelled"
        assert set(final(run).values()) == {"Cancelled"}
        assert run.events[-1].offset == 1.0

    def test_a_flow_body_may_run_tasks_while_it_is_being_cancelled(self):
        @flow
        async def f():
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                await give("undo")
                raise

        run = cancelled_after(f, 1)
        assert (run.state.name, final(run)) == ("Cancelled", {"give": "Success"})

    def test_a_cancellation_of_the_bodys_own_is_a_cancelled_task(self):
        @task(retry=3)
        async def odd():
            raise asyncio.CancelledError

        @flow
        async def f():
            odd()
            nap(2)

        run = play(f)
        assert final(run) == {"odd": "Cancelled", "nap": "Success"}
        assert run.state.name == "Cancelled"

    def test_during_the_wait_that_a_trigger_asked_for(self):
        def trigger(upstream):
            raise signals.RETRY("not yet", delay=100)

        @flow
        async def f():
            give.with_options(trigger=trigger)(give())

        run = cancelled_after(f, 50)
        assert moves(run, "give#2") == ["Retrying", "Cancelled"]
        assert run.events[-1].offset == 50.0

    def test_one_task_run_can_be_cancelled_alone(self):
        @flow
        async def f():
            one = nap(100)
            waiting = nap(one)
            await asyncio.sleep(1)
            one.cancel()
            one.cancel()
            await asyncio.sleep(1)
            one.cancel()
            return states.Success(result=[one.state.name, waiting.state.name])

        assert play(f).result() == ["Cancelled", "TriggerFailed"]

    def test_handlers_see_it_and_may_not_undo_it_by_waiting(self):
        seen = []

        def handler(obj, old, new):
            seen.append((obj.key, new.name))
            return states.Retrying() if new.is_cancelled() else None

        @flow
        async def f():
            one = nap.with_options(state_handlers=[handler])(100)
            nap.with_options(state_handlers=[handler])(one)

        run = cancelled_after(f, 1)
        assert set(final(run).values()) == {"Cancelled"}
        assert seen == [("nap", "Running"), ("nap", "Cancelled"), ("nap#2", "Cancelled")]

    @pytest.mark.parametrize("on", ["Running", "Success", "Retrying", "Cancelled"])
    @pytest.mark.parametrize("times", [(1,), (1, 1), (1, 2)])
    def test_during_a_slow_handler(self, on, times):
        @task
        async def flaky():
            if on == "Retrying":
                raise ValueError("x")
            await asyncio.sleep(5 if on == "Cancelled" else 0)

        async def slow(obj, old, new):
            if new.name == on:
                await asyncio.sleep(50)

        @flow
        async def f():
            one = flaky.with_options(state_handlers=[slow], retry=2)()
            nap.with_options(state_handlers=[slow])(one)

        run = cancelled_after(f, *times)
        assert run.state.name == "Cancelled"
        assert final(run) == {"flaky": "Cancelled", "nap": "Cancelled"}
        assert moves(run, "nap") == ["Cancelled"]

    def test_waiting_task_runs_with_slow_handlers_are_cancelled_once(self):
        seen = []

        async def slow(obj, old, new):
            seen.append((obj.key, new.name))
            await asyncio.sleep(10)

        @flow
        async def f():
            nap.with_options(state_handlers=[slow])(nap(100))

        for times in ((1,), (1, 5), (1, 5, 6)):
            seen.clear()
            run = cancelled_after(f, *times)
            assert moves(run, "nap#2") == ["Cancelled"]
            assert {name for name, _ in seen} == {"nap#2"}

    @pytest.mark.parametrize(
        ("on", "times", "ends"),
        [
            ("Running", (1,), 1.0),
            ("Success", (1,), 1.0),
            ("Success", (1, 2), 1.0),
            ("Cancelled", (1,), 51.0),
            ("Cancelled", (1, 2), 2.0),
            ("Cancelled", (1, 2, 3), 2.0),
        ],
    )
    def test_during_a_slow_handler_of_the_flow(self, on, times, ends):
        async def slow(obj, old, new):
            if new.name == on:
                await asyncio.sleep(50)

        @flow(state_handlers=[slow])
        async def f():
            await nap(1.5 if on == "Cancelled" else 0)

        run = cancelled_after(f, *times)
        assert run.state.name == "Cancelled"
        assert moves(run)[-1] == "Cancelled"
        assert (run.events[-1].kind, run.events[-1].offset) == ("run_ended", ends)


class TestWaiters:
    def test_cancelling_an_await_of_a_flow_cancels_the_run(self):
        kept, log = [], []

        @flow
        async def f():
            kept.append(current())
            tidy(3, log)

        async def story():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await f()
            return asyncio.get_running_loop().time()

        assert run_virtual(story()) == 4.0, "the caller goes on when the run is final"
        assert log == ["tidy"]
        assert kept[0].state.message == "The caller was cancelled."
        assert kept[0].is_final()

    def test_so_does_cancelling_twice_and_the_run_is_still_waited_for(self):
        kept = []

        @task
        async def stubborn():
            for _ in range(2):
                try:
                    await asyncio.sleep(10)
                except asyncio.CancelledError:
                    continue

        @flow
        async def f():
            kept.append(current())
            stubborn()

        async def story():
            waiter = asyncio.ensure_future(f())
            for _ in range(2):
                await asyncio.sleep(1)
                waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
            assert len(asyncio.all_tasks()) == 1

        run_virtual(story())
        assert kept[0].is_final()

    def test_cancelling_wait_leaves_the_run_going(self):
        async def story():
            run = await flow(name="f")(lambda: nap(10, "x")).start()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await run.wait()
            assert not run.is_final()
            return await run

        assert run_virtual(story()) == "x"

    def test_to_its_end_cancels_the_run_with_its_caller(self):
        kept = []

        @flow
        async def f():
            kept.append(current())
            nap(100)

        async def story():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await to_its_end(f, {})

        run_virtual(story())
        assert kept[0].state.message == "Interrupted."

    def test_a_cancelled_waiter_of_a_task_run_cancels_nothing(self):
        @flow
        async def f():
            handle = nap(5, "x")

            async def wait():
                return await handle

            waiter = asyncio.ensure_future(wait())
            await asyncio.sleep(1)
            waiter.cancel()
            return await handle

        assert play(f).result() == "x"


class TestFailingFast:
    def test_the_first_failure_cancels_all_others(self):
        @flow(fail_fast=True)
        async def f():
            nap(100)
            broken = fail.after(nap(1))()
            give(broken)
            nap.after(nap(100))(1)
            await asyncio.sleep(1000)

        run = play(f)
        assert run.events[-1].offset == 1.0
        assert run.state.message == "Task 'fail' failed and the flow fails fast."
        with pytest.raises(ValueError, match="no"):
            run.result()
        assert final(run) == {
            "nap": "Cancelled",
            "nap#2": "Success",
            "fail": "Failed",
            "give": "TriggerFailed",
            "nap#3": "Cancelled",
            "nap#4": "Cancelled",
        }
        assert run.tasks["nap"].state.message == run.state.message

    def test_without_it_independent_branches_go_on(self):
        @flow
        async def f():
            give(fail())
            nap(5)

        run = play(f)
        assert final(run) == {"fail": "Failed", "give": "TriggerFailed", "nap": "Success"}
        assert run.events[-1].offset == 5.0

    def test_if_the_body_raises_the_tasks_that_were_called_still_finish(self):
        @flow
        async def f():
            give(nap(5))
            await asyncio.sleep(1)
            raise RuntimeError("mine")

        run = play(f)
        assert final(run) == {"nap": "Success", "give": "Success"}
        assert run.events[-1].offset == 5.0

    def test_a_failure_that_is_retried_is_not_one_yet(self):
        left = [ValueError("x")]

        @task(retry=2)
        async def flaky():
            if left:
                raise left.pop()

        @flow(fail_fast=True)
        async def f():
            flaky()
            nap(5)

        assert play(f).state.is_success()

    def test_a_failure_that_the_body_awaits_counts_too(self):
        @flow(fail_fast=True)
        async def f():
            try:
                await fail()
            except ValueError:
                await nap(100)

        run = play(f)
        assert run.state.name == "Failed"
        assert final(run).get("nap", "Cancelled") == "Cancelled"

    def test_cancelling_such_a_run_is_cancelling_and_no_failure(self):
        @flow(fail_fast=True)
        async def f():
            nap(100)
            nap(100)

        run = cancelled_after(f, 1, reason="enough")
        assert (run.state.name, run.state.message) == ("Cancelled", "enough")
        assert {task_run.state.message for task_run in run.tasks} == {"enough"}

    def test_a_body_that_swallows_the_cancellation_does_not_hold_it_up(self):
        @flow(fail_fast=True)
        async def f():
            nap(100)
            fail()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(100)

        run = play(f)
        assert run.events[-1].offset == 0.0
        assert final(run) == {"nap": "Cancelled", "fail": "Failed"}


class TestLoopTeardown:
    def test_closing_the_loop_ends_every_run(self):
        kept = []

        @flow
        async def f():
            one = nap(100)
            nap(one)
            nap.with_options(state_handlers=[lambda *_: None])(one)
            await asyncio.sleep(100)

        async def story():
            kept.append(await f.start())
            await asyncio.sleep(1)

        run_virtual(story())
        assert kept[0].state.name == "Cancelled"
        assert final(kept[0])["nap"] == "Cancelled"
        assert all(task_run.is_failed() for task_run in kept[0].tasks)

    def test_also_one_whose_asyncio_task_is_cancelled_before_its_first_step(self):
        async def story():
            run = await mixed.start()
            for one in asyncio.all_tasks() - {asyncio.current_task()}:
                one.cancel()
            await run.wait()
            return run

        run = run_virtual(story())
        assert run.state.name == "Cancelled"
        assert run.state.message == "The event loop ended before the run did."
        assert len(run.tasks) == 0

    def test_even_before_anything_has_begun(self):
        kept = []

        async def story():
            kept.append(await mixed.start())

        run_virtual(story())
        assert kept[0].state.name == "Cancelled"

    @pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
    @pytest.mark.parametrize("where", ["task", "flow"])
    def test_what_ends_programs_comes_out_of_run(self, error, where):
        kept = []

        @task
        async def leave():
            kept.append(current().run)
            raise error

        @flow
        async def f():
            kept.append(current())
            nap(100 if where == "task" else 0)
            if where == "flow":
                raise error
            await leave()

        with pytest.raises(type(error)) as caught:
            f.run()
        assert caught.value is error
        if where == "task":
            assert final(kept[0])["leave"] == "Failed"
            assert kept[0].tasks["leave"].state.message == f"{type(error).__name__} left the run."

    def test_sys_exit_in_a_task_ends_the_run_in_order_first(self, caplog):
        kept = []

        @task
        async def leave():
            kept.append(current().run)
            await asyncio.sleep(0.001)
            raise SystemExit(3)

        @flow
        async def f():
            nap(100)
            leave()

        with pytest.raises(SystemExit):
            f.run()
        run = kept[0]
        assert (run.state.name, run.state.message) == ("Cancelled", "A task called sys.exit.")
        assert final(run) == {"nap": "Cancelled", "leave": "Failed"}
        assert run.events[-1].kind == "run_ended"
        assert not caplog.records

    def test_it_also_comes_out_of_every_later_wait(self):
        @flow
        async def f():
            await asyncio.sleep(0.001)
            raise SystemExit(3)

        loop = asyncio.new_event_loop()
        try:
            run = loop.run_until_complete(f.start())
            for _ in range(2):
                with pytest.raises(SystemExit):
                    loop.run_until_complete(run.wait())
            assert run.state.name == "Failed"
        finally:
            loop.close()

    @pytest.mark.parametrize("late", [False, True])
    def test_a_trigger_that_ends_the_program_does(self, late):
        def trigger(upstream):
            raise SystemExit(5)

        @flow
        async def f():
            first = give()
            if late:
                await first
            give.with_options(trigger=trigger)(first)

        with pytest.raises(SystemExit) as caught:
            f.run()
        assert caught.value.code == 5

    def test_system_exit_in_a_def_task_comes_out_too(self):
        @task
        def leave():
            raise SystemExit(4)

        with pytest.raises(SystemExit) as caught:
            flow(name="f")(lambda: leave()).run()
        assert caught.value.code == 4


def test_a_cancelled_run_counts_nothing_in_a_breaker_and_is_recorded_to_its_end():
    run = cancelled_after(mixed, 5)
    assert of_kind(run, "run_ended") == [{"tasks": 5, "attempts": 3, "faults": 0}]
    assert not of_kind(run, "breaker_changed")


def test_a_signal_on_the_way_out_of_a_cancelled_body_stands():
    @task
    async def skips():
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            raise signals.SKIP("rather not") from None

    run = cancelled_after(flow(name="f")(lambda: skips()), 1)
    assert final(run) == {"skips": "Skipped"}
    assert run.state.name == "Cancelled"
